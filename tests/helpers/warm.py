"""Commands without their start: a process that has imported the large libraries forks a child for each of them.

`import torch` takes longer than most of what tests let `cman` do. A child imports `cman` itself from the folder that
its PYTHONPATH names, with the arguments, environment, folder and streams of the command, so what runs is the code under
test. What a test stops by SIGSTOP, or kills with all its children, is started as it is, without this.
"""

import atexit
import functools
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SERVER = Path(__file__).with_name("warm_server.py")


@functools.cache
def started() -> Path:
    """Start the process, once a test process, and return its socket."""
    path = Path(tempfile.mkdtemp()) / "socket"
    process = subprocess.Popen([sys.executable, SERVER, path], stdin=subprocess.PIPE, cwd=path.parent)
    atexit.register(shutil.rmtree, path.parent)
    atexit.register(process.wait)
    atexit.register(process.stdin.close)
    while not path.exists():
        assert process.poll() is None, "it did not start"
        time.sleep(0.05)
    return path


def client() -> tuple[str, ...]:
    """Return what stands before a command that is to be run so."""
    return sys.executable, "-I", "-S", str(SERVER), str(started())


@functools.cache
def shell_function() -> Path:
    """Return a file for BASH_ENV, in which `cman` is such a command."""
    file = started().with_name("cman.sh")
    file.write_text(f'cman() {{ {shlex.join(client())} cman "$@"; }}\n')
    return file
