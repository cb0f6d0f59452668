"""The process behind `warm.py`, and its client: `SOCKET` alone serves, `SOCKET COMMAND ...` has a command run.

A child gets the arguments, environment, folder, streams and signals of the client, and ends when the client does; the
client's exit status is the child's. Of the modules only those of LIBRARIES are there already: `cman` is imported by the
child.
"""

import atexit
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from pathlib import Path

# And what Snakemake imports, but not Snakemake, which keeps the folder in which it was imported.
LIBRARIES = ("torch", "numpy", "pandas", "pydantic", "spacy", "typer", "yaml", "safetensors.torch", "h5py", "jinja2",
             "transformers.models.auto.modeling_auto", "transformers.models.auto.tokenization_auto",
             "transformers.models.bert.modeling_bert", "sqlmodel", "jsonschema", "yte", "pulp", "requests")  # fmt: skip

PASSED_ON = (signal.SIGTERM, signal.SIGINT)


def ask(path: str, command: list[str]) -> int:
    """Let a child of the process behind the socket run a command in this folder and with these streams."""
    request = {"command": command, "folder": str(Path.cwd()), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        socket.send_fds(connection, [b"\n"], [0, 1, 2])
        connection.sendall(json.dumps(request).encode() + b"\n")
        for number in PASSED_ON:
            signal.signal(number, lambda number, _: connection.sendall(bytes([number])))
        status = connection.makefile().readline()
    return int(status) if status else 1


def serve(path: str) -> None:
    """Import the libraries, then answer each connection in a process of its own until the standard input ends."""
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    server = socket.socket(socket.AF_UNIX)
    server.bind(path + ".new")
    server.listen(64)
    os.rename(path + ".new", path)
    while True:
        ready, _, _ = select.select([server, sys.stdin], [], [], 1.0)
        while children() and os.waitpid(-1, os.WNOHANG)[0]:
            continue
        if sys.stdin in ready:
            return
        if server in ready:
            connection, _ = server.accept()
            if os.fork() == 0:
                server.close()
                answer(connection)
            connection.close()


def children() -> bool:
    """Whether this process has any children."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def answer(connection: socket.socket) -> None:
    """Run what a connection asks for in a child, which ends with it, and say how it ended."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    request = json.loads(connection.makefile("rb", buffering=0).readline())
    child = os.fork()
    if child == 0:
        connection.close()
        run(request, streams)
    for stream in streams:
        os.close(stream)
    ended = os.pidfd_open(child)
    while ended not in select.select([ended, connection], [], [])[0]:
        os.kill(child, (connection.recv(1) or [signal.SIGKILL])[0])
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    connection.sendall(f"{status if status >= 0 else 128 - status}\n".encode())
    os._exit(0)


def run(request: dict[str, object], streams: list[int]) -> None:
    """Become the command, as far as a process can, and end."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    os.chdir(str(request["folder"]))
    os.environ.clear()
    os.environ.update(request["environment"])  # type: ignore[call-overload]
    sys.path[:0] = [*os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    status = 1
    try:
        execute(*request["command"])  # type: ignore[misc]
        status = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    try:
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(status)


def execute(program: str, *arguments: str) -> None:
    """Do what `cman ...`, `python -m module ...` or `python -c code ...` does."""
    if program == "cman":
        sys.argv = [program, *arguments]
        importlib.import_module("cman.cli.app").main()
    elif arguments[0] == "-m":
        sys.path.insert(0, str(Path.cwd()))
        sys.argv = list(arguments[1:])
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, "")
        sys.argv = ["-c", *arguments[2:]]
        exec(compile(arguments[1], "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(ask(sys.argv[1], sys.argv[2:]))
    serve(sys.argv[1])
