"""The server around the application: a socket, connections that are cut off when they trickle, a clean end.

uvicorn has no time-out for the headers of a request, nor for a client that does not read its answer; `_Connection`
adds both.
"""

import asyncio
import ipaddress
import socket
from types import FrameType
from typing import Any

import h11
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from cman.errors import CmanError, UsageError
from cman.serve.door import Door
from cman.serve.limits import Limits
from cman.serve.worker import Worker

HEADERS_BYTES = 16 * 1024
IDLE_SECONDS = 5  # of a connection between two requests
CONNECTIONS = 200  # besides those whose requests are served; more are refused
LAST_SECONDS = 3  # for answers under way when the server is stopped


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach a server at this address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def allowed_hosts(host: str) -> tuple[str, ...]:
    """Return the names in a Host header that belong to a server at this address; `*` for any."""
    if not is_loopback(host):
        return ("*",)
    return ("localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host.lower())


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket at an address, not yet listening; port 0 takes a free one.

    Raises:
        UsageError: there is no such address. CmanError: the port is taken or not allowed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise UsageError(f"--host: found {host!r}, which is no address of this machine") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise CmanError(f"--host {host} --port {port}: {error.strerror}; wanted a free port, 0 takes any") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """Return the address of the page."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def serve(app: Door, listener: socket.socket, limits: Limits) -> None:
    """Serve until Ctrl-C or SIGTERM."""

    class Connection(_Connection):
        seconds = limits.timeout

    config = Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        h11_max_incomplete_event_size=HEADERS_BYTES,
        limit_concurrency=limits.max_open + CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=LAST_SECONDS,
    )
    _Server(config, app.worker).run(sockets=[listener])


class _Server(Server):
    """A server whose end by a signal is a normal one, and which lets no waiting request hold it up."""

    def __init__(self, config: Config, worker: Worker) -> None:
        super().__init__(config)
        self._worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; uvicorn itself would raise the signal again afterwards, and the exit status would not be 0."""
        self.force_exit = self.should_exit  # the second time, do not wait for answers under way
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse what waits, then end."""
        self._worker.close()
        await super().shutdown(sockets)
        self._worker.stop()


class _Connection(H11Protocol):
    """A connection that is closed when headers do not come, or an answer is not taken, within `seconds`."""

    seconds = 30.0
    _head: asyncio.TimerHandle | None = None
    _stuck: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._head = self.loop.call_later(self.seconds, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel("_head")
        elif self._head is None:
            self._head = self.loop.call_later(self.seconds, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck = self.loop.call_later(self.seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel("_stuck")

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel("_head")
        self._cancel("_stuck")
        super().connection_lost(exc)

    def _cancel(self, name: str) -> None:
        timer: asyncio.TimerHandle | None = getattr(self, name)
        if timer is not None:
            timer.cancel()
        setattr(self, name, None)
