"""What every request passes before the application: number, length and time of bodies, told without reading on.

A body is read here, at most `Limits.max_bytes` of it and for at most `Limits.timeout` seconds, and handed on in one
piece. An answer that does not wait for the rest of a body first discards a little of what still comes, because a
connection closed on unread bytes is reset, and a client that is still sending may never see the answer.
"""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from cman.serve.limits import Limits
from cman.serve.worker import Worker

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger("cman")

DISCARDED_BYTES = 16 * 2**20
DISCARDED_SECONDS = 30.0
DISCARDED_SILENCE = 2.0  # seconds in which nothing comes

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Door:
    """ASGI application around another.

    Args:
        app: the application.
        worker: what runs the model for it, to be closed at the end.
        limits: see there.
        statuses: counts answers by their status.
    """

    def __init__(self, app: App, worker: Worker, limits: Limits, statuses: Counter[int]) -> None:
        self.app, self.worker, self.limits, self.statuses = app, worker, limits, statuses
        self._held = 0  # bytes of bodies

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                fixed = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *fixed]
                self.statuses[message["status"]] += 1
            await send(message)

        # Not requests are counted but what they hold, so that those that trickle keep nobody out.
        body = bytearray()
        try:
            try:
                complete = await self._read(scope, receive, body)
            except HTTPException as refused:
                await _refuse(refused, receive, with_headers)
                return
            if complete:
                await self.app(scope, _given(bytes(body), receive), with_headers)
        except Exception:
            # An error of ours, which was answered already: one request failed, the server goes on.
            log.exception("error: %s %s failed", scope["method"], ascii(scope["path"][:80]))
        finally:
            self._held -= len(body)

    async def _read(self, scope: Message, receive: Receive, body: bytearray) -> bool:
        """Read the body; return whether it is complete, which it is not if the client went away."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        longest = self.limits.max_bytes
        length = headers.get(b"content-length", b"0")
        if int(length) > longest:  # the server has checked that it is a number
            raise HTTPException(413, f"body: found {int(length):,} bytes, wanted at most {longest:,}")
        try:
            async with asyncio.timeout(self.limits.timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return False
                    part = message.get("body", b"")
                    self._held += len(part)
                    body += part
                    if self._held > self.limits.max_held:
                        raise HTTPException(503, "The server is busy; try again.", {"Retry-After": "1"})
                    if len(body) > longest:
                        raise HTTPException(413, f"body: found more than {longest:,} bytes, wanted at most that many")
                    if not message.get("more_body", False):
                        return True
        except TimeoutError:
            seconds = f"{self.limits.timeout:g} s"
            raise HTTPException(408, f"body: found no end within {seconds}, wanted all of it by then") from None


def _given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that has the whole body, then waits for the client to go away."""
    left = [body]

    async def replay() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        while (message := await receive())["type"] != "http.disconnect":
            pass
        return message

    return replay


async def _refuse(refused: HTTPException, receive: Receive, send: Send) -> None:
    """Answer, then discard what still comes for a moment, then let the connection be closed."""
    text = json.dumps({"error": refused.detail}).encode()
    headers = {**(refused.headers or {}), "Content-Type": "application/json", "Content-Length": str(len(text))}
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refused.status_code, "headers": lines})
    await send({"type": "http.response.body", "body": text, "more_body": True})
    discarded = 0
    try:
        async with asyncio.timeout(DISCARDED_SECONDS):
            while discarded < DISCARDED_BYTES:
                async with asyncio.timeout(DISCARDED_SILENCE):
                    message = await receive()
                discarded += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    break
    except TimeoutError:
        pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
