"""A server in a process of its own, around the fake extractor."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HELPERS = Path(__file__).parent


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    address: str

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])

    def peak(self) -> int:
        """The most memory that the process ever had, in MiB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(20)


@contextmanager
def served(characters: int = 20_000, waiting: int = 16, timeout: float = 20) -> Iterator[Served]:
    """Run a server as long as the block lasts."""
    command = [sys.executable, str(HELPERS / "fake_extractor.py"), str(characters), str(waiting), str(timeout)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HELPERS.parents[1]), str(HELPERS)])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield Served(process, process.stdout.readline().strip())
        finally:
            process.kill()


def request(*lines: str, body: bytes = b"") -> bytes:
    """A POST to /extract, byte for byte."""
    head = ["POST /extract HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines]
    return "\r\n".join([*head, "", ""]).encode() + body


def read_all(connection: socket.socket) -> bytes:
    """What a server sends until it closes the connection."""
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass  # it did not read all that was sent
    return b"".join(parts)
