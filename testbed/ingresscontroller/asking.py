"""Asks a proxy for its status over its UNIX socket."""

from __future__ import annotations

import socket
from contextlib import suppress

_SECONDS = 2.0


def status(path: str) -> str:
    """What the proxy answers; empty if it does not."""
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(_SECONDS)
        connection.connect(path)
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(4096), b""))
        return text.rpartition(b"\r\n")[2].decode(errors="replace")
    return ""
