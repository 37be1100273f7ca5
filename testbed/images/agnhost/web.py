"""A small HTTP/1.1 server: a thread per connection, keep-alive, no more than agnhost needs.

``http.server`` would double the time to start (it imports the e-mail package) and answers HTTP/1.0
unless each handler counts its bytes.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO
from urllib.parse import parse_qs

from testbed.images.agnhost.common import peer, start

MAX_LINE = 65536
MAX_BODY = 10_000_000

REASONS = {200: "OK", 302: "Found", 400: "Bad Request", 404: "Not Found", 417: "Expectation Failed"}


@dataclass(frozen=True, slots=True)
class Request:
    """What came in.

    Attributes:
        method: Such as GET.
        path: Without the query.
        query: The query's parameters, and a form's; the first value of each.
        headers: In lower case.
        client: The sender's ``ADDRESS:PORT``.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    client: str

    def value(self, name: str) -> str:
        """A parameter, or an empty string."""
        return self.query.get(name, "")


@dataclass(frozen=True, slots=True)
class Response:
    """What goes out."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


class Server:
    """Serves one handler on a listening socket.

    Args:
        listener: The socket.
        handler: Makes a response of each request.
    """

    def __init__(self, listener: socket.socket, handler: Handler) -> None:
        self._listener, self._handler = listener, handler
        self._idle = threading.Condition()
        self._busy = 0

    def serve(self) -> None:
        """Accepts connections until the listener is closed."""
        while True:
            try:
                connection, address = self._listener.accept()
            except ConnectionError:
                continue
            except OSError:
                return
            start(self._converse, connection, peer(address))

    def shut_down(self, limit: float) -> None:
        """Accepts nothing more and waits until no request is under way, at most ``limit`` s."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._idle:
            self._idle.wait_for(lambda: not self._busy, limit)

    def _converse(self, connection: socket.socket, client: str) -> None:
        with suppress(OSError, ValueError), connection, connection.makefile("rb") as stream:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while self._one(connection, stream, client):
                pass

    def _one(self, connection: socket.socket, stream: IO[bytes], client: str) -> bool:
        """Answers one request; says whether another may follow."""
        line = stream.readline(MAX_LINE).decode("latin-1").split()
        if len(line) != 3:  # the end, or nothing that is HTTP
            return False
        with self._idle:
            self._busy += 1
        try:
            headers = _headers(stream)
            request = _request(line[0], line[1], headers, _body(stream, headers), client)
            last = line[2] == "HTTP/1.0" or headers.get("connection", "").lower() == "close"
            response = self._handler(request)
            last = last or response.headers.get("Connection") == "close"
            connection.sendall(_encoded(request, response, last))
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()
        return not last


def _headers(stream: IO[bytes]) -> dict[str, str]:
    found = {}
    while (line := stream.readline(MAX_LINE)) not in (b"\r\n", b"\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        found[name.strip().lower()] = value.strip()
    return found


def _body(stream: IO[bytes], headers: Mapping[str, str]) -> bytes:
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= MAX_BODY or "transfer-encoding" in headers:
        raise ValueError("a body that is not served")
    return stream.read(length)


def _request(
    method: str, target: str, headers: Mapping[str, str], body: bytes, client: str
) -> Request:
    path, _, query = target.partition("?")
    values = parse_qs(query, keep_blank_values=True)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        values = {**values, **parse_qs(body.decode(), keep_blank_values=True)}
    return Request(method, path, {key: all_[0] for key, all_ in values.items()}, headers, client)


def _encoded(request: Request, response: Response, last: bool) -> bytes:
    body = response.body.encode("utf-8", "surrogateescape")
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'Status')}"]
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Date": time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime()),
        **response.headers,
        "Content-Length": str(len(body)),
    }
    if last:
        headers["Connection"] = "close"
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return head if request.method == "HEAD" else head + body


def host_name() -> str:
    """The host name of this UTS namespace, which is the pod's name."""
    return os.uname().nodename
