"""Messages on a lab's control socket: JSON with a length before it, and descriptors beside it.

A request is ``{"verb": …, …}``; an answer is ``{"result": …}`` or ``{"error": {"exit_code": …,
"message": …}}``.
Descriptors (of namespaces) travel as ``SCM_RIGHTS`` with the length (unix(7)).
"""

from __future__ import annotations

import array
import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

_LENGTH = struct.Struct("!I")
_MOST_DESCRIPTORS = 16


def send(connection: socket.socket, value: Any, descriptors: Sequence[int] = ()) -> None:
    """Sends one message.

    Raises:
        OSError: The other end is gone.
    """
    text = json.dumps(value).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(text))], list(descriptors))
    connection.sendall(text)


def receive(connection: socket.socket) -> tuple[Any, list[int]]:
    """Receives one message, with the descriptors that came with it.

    Raises:
        EOFError: The other end is gone.
    """
    room = socket.CMSG_SPACE(_MOST_DESCRIPTORS * array.array("i").itemsize)
    try:
        head, ancillary, _, _ = connection.recvmsg(_LENGTH.size, room, socket.MSG_CMSG_CLOEXEC)
        descriptors = _descriptors(ancillary)
        head += _exactly(connection, _LENGTH.size - len(head)) if head else b""
        if not head:
            raise EOFError
        return json.loads(_exactly(connection, _LENGTH.unpack(head)[0])), descriptors
    except ConnectionError:
        raise EOFError from None


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = connection.recv(min(size - len(parts), 1 << 20))
        if not part:
            raise EOFError
        parts += part
    return bytes(parts)
