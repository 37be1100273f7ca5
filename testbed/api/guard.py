"""What keeps clients from hurting the server: who gets in, how many, and for how long.

- Each door (a listening socket) has room for so many connections; whoever floods one shuts nobody
  out of another.
- A connection that has no complete request for :data:`PATIENCE` seconds is closed, and one whose
  client does not read for so long as well (:mod:`testbed.api.server`).
- Request line, headers and their number are bounded; bodies are not read.
- What a connection gets to read is made as it reads, piece by piece.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import web

from testbed.api import peers
from testbed.api.failures import Failure, bad_request, internal, too_many
from testbed.api.store import encode

PATIENCE = 30.0
ROOM = 256
LIMITS: dict[str, Any] = {
    "keepalive_timeout": PATIENCE,
    "lingering_time": 1.0,
    "max_line_size": 1 << 16,
    "max_field_size": 1 << 14,
    "max_headers": 64,
    "access_log": None,
}
"""Of :class:`aiohttp.web.RequestHandler`."""

_BUFFER = 1 << 18  # bytes that the kernel keeps for a client that does not read
_DISCARD = struct.pack("ii", 1, 0)

NODE, OWNER, LOOPBACK = "node", "owner", "loopback"


@dataclass
class Door:
    """A listening socket.

    Attributes:
        kind: :data:`NODE` (open to all in the lab), :data:`OWNER` (a UNIX socket outside) or
            :data:`LOOPBACK` (a TCP socket outside).
        listener: The socket.
        table: Of :data:`LOOPBACK`, the descriptor that :func:`testbed.api.peers.of_loopback` needs.
        room: How many connections it has room for.
        inside: How many there are.
    """

    kind: str
    listener: socket.socket
    table: int = -1
    room: int = ROOM
    inside: int = field(default=0)

    def trusts(self, connection: socket.socket) -> bool:
        """Whether the other end may come in."""
        if self.kind == NODE:
            return True
        if self.kind == OWNER:
            return peers.of_unix(connection) in (0, os.geteuid())
        return peers.of_loopback(connection, self.table) in (0, os.geteuid())


class Connection(web.RequestHandler):
    """A connection that has come through a door.

    Args:
        manager: What handles its requests.
        door: The door.
        loop: The event loop.
    """

    def __init__(self, manager: web.Server, door: Door, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(manager, loop=loop, **LIMITS)
        self._door, self._inside = door, False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Lets it in, or not."""
        stream = cast(asyncio.Transport, transport)
        if not self._door.trusts(stream.get_extra_info("socket")):
            stream.abort()
        elif self._door.inside >= self._door.room:
            stream.write(_bare(too_many()))
            stream.close()
        else:
            self._door.inside += 1
            self._inside = True
            ours = stream.get_extra_info("socket")
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Makes room for another."""
        if self._inside:
            self._door.inside -= 1
            self._inside = False
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads what has come, unless it was not let in."""
        if self._inside:
            super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A Status for what is no proper HTTP; nothing is logged, so that no log can be filled."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun already")
        failure = bad_request(f"malformed request: {message}") if status == 400 else internal()
        answer = response(failure)
        answer.force_close()
        return answer


def give_up(transport: asyncio.Transport) -> None:
    """Ends a connection at once; what the client has not read is discarded, not kept for it."""
    ours = transport.get_extra_info("socket")
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _DISCARD)
    transport.abort()


def response(failure: Failure) -> web.Response:
    """A Status as an HTTP response."""
    body = encode(failure.status()) + b"\n"
    return web.Response(status=failure.code, body=body, content_type="application/json")


def factory(
    manager: web.Server, door: Door, loop: asyncio.AbstractEventLoop
) -> Callable[[], Connection]:
    """What makes the protocol of each connection of a door."""
    return lambda: Connection(manager, door, loop)


def _bare(failure: Failure) -> bytes:
    """A Status as the bytes of an HTTP response, without any machinery."""
    body = encode(failure.status())
    head = (
        f"HTTP/1.1 {failure.code} {failure.reason}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nRetry-After: 1\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
