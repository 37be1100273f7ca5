"""The call of a ``grpc`` probe: ``grpc.health.v1.Health/Check`` over HTTP/2 without TLS.

As in ``pkg/probe/grpc/grpc.go``: a new connection each time, one call, and good is the status
SERVING alone; its words are the kubelet's. A connection that is refused is bad at once, where the
kubelet goes on trying until its time is over.

HTTP/2 is spoken by h2 (RFC 9113). How a call lies on it is gRPC's ``PROTOCOL-HTTP2.md``, and the
two messages are those of ``grpc/health/v1/health.proto``.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from testbed.kubelet.readiness import GOOD, Answer

if TYPE_CHECKING:
    from h2.connection import H2Connection
    from h2.events import Event

PATH = "/grpc.health.v1.Health/Check"
_USER_AGENT = "kube-probe/1.34"
_MOST_READ = 65536  # bytes of a connection; an answer has 7
_CODES = (
    "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
    "AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",
    "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated",
)  # fmt: skip
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_NOT_HEALTH = (
    "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
)


@dataclass(slots=True)
class _Call:
    """What has come back of a call: headers and trailers together, and the message."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    ended: bool = False


async def check(
    target: tuple[str, int], service: str, seconds: float, make_socket: Callable[[], socket.socket]
) -> Answer:
    """Asks once.

    Args:
        target: Address and port.
        service: Whose health is asked for; empty for that of the server.
        seconds: For all of it.
        make_socket: Makes a socket that is not yet connected and does not block.
    """
    shown, connected = f"{target[0]}:{target[1]}", False
    with make_socket() as link:
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_connect(link, target)
                connected = True
                return verdict(await _call(link, shown, service))
        except TimeoutError:
            late = f"timeout: failed to connect service {shown!r} within {seconds:g}s"
            if connected:
                late = f"timeout: health rpc did not complete within {seconds:g}s"
            return Answer(False, late)
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            return Answer(False, f"error: failed to connect service at {shown!r}: {why}")
        except ValueError as error:
            return Answer(False, f"error: health rpc probe failed: {error}")


async def _call(link: socket.socket, authority: str, service: str) -> _Call:
    """Makes the call.

    Raises:
        ValueError: What comes back is no HTTP/2, too much, or breaks off.
    """
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.exceptions import ProtocolError

    loop, call = asyncio.get_running_loop(), _Call()
    connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
    _request(connection, authority, service)
    left = _MOST_READ
    while not call.ended:
        await loop.sock_sendall(link, connection.data_to_send())
        data = await loop.sock_recv(link, left)
        left -= len(data)
        if not data or not left:
            raise ValueError("the connection was closed" if left else "too long an answer")
        try:
            for event in connection.receive_data(data):
                _take(connection, call, event)
        except (ProtocolError, UnicodeDecodeError) as error:
            raise ValueError(f"no HTTP/2: {error}") from None
    return call


def _request(connection: H2Connection, authority: str, service: str) -> None:
    name = service.encode()
    message = b"\x0a" + _varint(len(name)) + name if name else b""
    connection.initiate_connection()
    headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("user-agent", _USER_AGENT),
        ("te", "trailers"),
    ]
    connection.send_headers(1, headers)
    connection.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)


def _take(connection: H2Connection, call: _Call, event: Event) -> None:
    from h2 import events

    if isinstance(event, events.ResponseReceived | events.TrailersReceived):
        call.headers |= {str(name): str(value) for name, value in event.headers or ()}
    elif isinstance(event, events.DataReceived):
        call.body += event.data or b""
        if event.flow_controlled_length and event.stream_id:
            connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, events.StreamEnded):
        call.ended = True
    elif isinstance(event, events.StreamReset | events.ConnectionTerminated):
        raise ValueError(f"the server broke it off: error code {event.error_code}")


def verdict(call: _Call) -> Answer:
    """What an answer means.

    Raises:
        ValueError: It is none of gRPC.
    """
    if call.headers.get(":status") != "200":
        raise ValueError(f"HTTP status code {call.headers.get(':status')}")
    code = int(call.headers.get("grpc-status", "2"))
    said = unquote(call.headers.get("grpc-message", ""))
    name = _CODES[code] if 0 <= code < len(_CODES) else f"Code({code})"
    if name == "Unimplemented":
        return Answer(False, _NOT_HEALTH + said)
    if code:
        text = f"rpc error: code = {name} desc = {said}"
        return Answer(False, f"error: health rpc probe failed: {text}")
    status = _status(bytes(call.body))
    if status == _STATUSES.index("SERVING"):
        return GOOD
    shown = _STATUSES[status] if status < len(_STATUSES) else str(status)
    return Answer(False, f'service unhealthy (responded with "{shown}")')


def _status(body: bytes) -> int:
    """The field 1 of the one message that a body has; 0 if it is not there."""
    length = int.from_bytes(body[1:5], "big")
    if len(body) != 5 + length or body[:1] != b"\0":
        raise ValueError("no message, or a compressed one")
    found, numbers = 0, _fields(body[5:])
    for key, value in numbers:
        found = value if key == 8 else found
    return found


def _fields(message: bytes) -> Iterator[tuple[int, int]]:
    """Key and number of each field of a message; what is no number counts as 0."""
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        value, kind = 0, key & 7
        if kind == 0:
            value, place = _read_varint(message, place)
        elif kind == 2:
            length, place = _read_varint(message, place)
            place += length
        elif kind in (1, 5):
            place += 8 if kind == 1 else 4
        else:
            raise ValueError("no protocol buffer")
        yield key, value


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        value |= (message[place] & 0x7F) << shift
        place += 1
        if message[place - 1] < 0x80:
            return value, place
    raise ValueError("no protocol buffer")


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
