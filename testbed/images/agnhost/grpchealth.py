"""``agnhost grpc-health-checking``: the health service of gRPC, without TLS.

``grpc.health.v1.Health/Check`` of ``--service`` says SERVING, and NOT_SERVING after
``--delay-unhealthy-sec`` or after a request to ``/make-not-serving`` at ``--http-port``, until one
to ``/make-serving``; of any other service it says NOT_FOUND. Other calls are not implemented.

The one subcommand that needs a package: HTTP/2 is h2's work.

Source: kubernetes ``test/images/agnhost/grpc-health-checking/grpc-health-checking.go``.
"""

from __future__ import annotations

import site
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from testbed.images.agnhost.common import flags, listening, log, start
from testbed.images.agnhost.web import Request, Response, Server

if TYPE_CHECKING:
    from h2.connection import H2Connection

PATH = "/grpc.health.v1.Health/Check"
_SERVING, _NOT_SERVING = 1, 2
_NOT_FOUND, _UNIMPLEMENTED = 5, 12
_LONGEST = 65536  # bytes of a request

Headers = list[tuple[str, str]]


def main(arguments: list[str]) -> None:
    """Serves until a signal."""
    site.main()  # the interpreter starts without it, and without it there are no packages
    parser = flags("grpc-health-checking")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--http-port", type=int, default=8080)
    parser.add_argument("--delay-unhealthy-sec", type=int, default=-1)
    parser.add_argument("--service", default="")
    options = parser.parse_args(arguments)
    health = Health(options.service, options.delay_unhealthy_sec)
    start(Server(listening(options.http_port), health.switch).serve)
    log(f"Http server starting to listen on :{options.http_port}")
    listener = listening(options.port)
    log(f"gRPC server starting to listen on :{options.port}")
    while True:
        with suppress(ConnectionError):
            start(_converse, listener.accept()[0], health)


class Health:
    """What the service says of itself.

    Args:
        service: Its name.
        delay: Seconds until it is not well any more; negative for never.
    """

    def __init__(self, service: str, delay: float) -> None:
        self._service, self._delay = service, delay
        self._began = time.monotonic()
        self._forced: bool | None = None

    def switch(self, request: Request) -> Response:
        """Has it say something else from now on."""
        wanted = {"/make-not-serving": True, "/make-serving": False}.get(request.path)
        if wanted is None:
            return Response("404 page not found\n", 404)
        log("Mark as unhealthy" if wanted else "Mark as healthy")
        self._forced = wanted
        return Response(f"{time.monotonic() - self._began}s")

    def answer(self, path: str, body: bytes) -> tuple[int, str, bytes]:
        """Code, message and body of the answer to a call."""
        if path != PATH:
            return _UNIMPLEMENTED, f"unknown method {path}", b""
        log("Serving the Check request for health check")
        if _service(body) != self._service.encode():
            return _NOT_FOUND, "unknown service", b""
        late = 0 <= self._delay <= time.monotonic() - self._began
        status = _NOT_SERVING if self._forced or late else _SERVING
        return 0, "", b"\0\0\0\0\x02\x08" + bytes([status])


def _service(body: bytes) -> bytes:
    """The field 1 of the one message of a request; names of up to 127 bytes."""
    message = body[5:]
    return message[2 : 2 + message[1]] if message[:1] == b"\x0a" and len(message) > 1 else b""


def _converse(link: socket.socket, health: Health) -> None:
    from h2.config import H2Configuration
    from h2.connection import H2Connection
    from h2.exceptions import ProtocolError

    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    calls: dict[int, tuple[str, bytearray]] = {}
    with suppress(OSError, ProtocolError), link:
        link.sendall(connection.data_to_send())
        while data := link.recv(_LONGEST):
            for event in connection.receive_data(data):
                _take(connection, calls, event, health)
            link.sendall(connection.data_to_send())


def _take(
    connection: H2Connection, calls: dict[int, tuple[str, bytearray]], event: Any, health: Health
) -> None:
    from h2 import events

    if isinstance(event, events.RequestReceived):
        headers = {str(name): str(value) for name, value in event.headers or ()}
        calls[event.stream_id or 0] = headers.get(":path", ""), bytearray()
    elif isinstance(event, events.DataReceived) and event.stream_id in calls:
        calls[event.stream_id][1].extend(event.data or b"")
        if len(calls[event.stream_id][1]) > _LONGEST:
            connection.reset_stream(event.stream_id)
            del calls[event.stream_id]
        connection.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
    elif isinstance(event, events.StreamEnded) and event.stream_id in calls:
        path, body = calls.pop(event.stream_id)
        _reply(connection, event.stream_id, *health.answer(path, bytes(body)))
    elif isinstance(event, events.StreamReset):
        calls.pop(event.stream_id or 0, None)


def _reply(connection: H2Connection, stream: int, code: int, said: str, body: bytes) -> None:
    first = [(":status", "200"), ("content-type", "application/grpc")]
    last = [("grpc-status", str(code)), ("grpc-message", said)]
    if not body:
        connection.send_headers(stream, [*first, *last], end_stream=True)
        return
    connection.send_headers(stream, first)
    connection.send_data(stream, body)
    connection.send_headers(stream, last, end_stream=True)
