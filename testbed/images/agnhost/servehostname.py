"""``agnhost serve-hostname``: the host name over HTTP, or over TCP and UDP.

As in the real one, ``--tcp`` and ``--udp`` want ``--http=false``.

Source: kubernetes ``test/images/agnhost/serve-hostname/serve_hostname.go``.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from testbed.images.agnhost.common import boolean, bound, fatal, flags, listening, log, peer, start
from testbed.images.agnhost.web import Request, Response, Server, host_name


def main(arguments: list[str]) -> None:
    """Serves until a signal."""
    parser = flags("serve-hostname")
    boolean(parser, "--tcp", False, "serve raw over TCP")
    boolean(parser, "--udp", False, "serve raw over UDP")
    boolean(parser, "--http", True, "serve HTTP")
    boolean(parser, "--close", False, "close the connection after each HTTP request")
    parser.add_argument("--port", type=int, default=9376)
    options = parser.parse_args(arguments)
    if options.http and (options.tcp or options.udp):
        fatal("Can't server TCP/UDP mode and HTTP mode at the same time")
    if options.tcp:
        start(_serve_tcp, listening(options.port))
    if options.udp:
        start(_serve_udp, bound(socket.SOCK_DGRAM, options.port))
    if options.http:
        server = Server(listening(options.port), lambda request: _answer(request, options.close))
        start(server.serve)
    log(f"Serving on port {options.port}.")
    threading.Event().wait()


def _answer(request: Request, close: bool) -> Response:
    log(f"HTTP request from {request.client}")
    return Response(host_name(), headers={"Connection": "close"} if close else {})


def _serve_tcp(listener: socket.socket) -> None:
    while True:
        with suppress(ConnectionError):
            connection, address = listener.accept()
            log(f"TCP request from {peer(address)}")
            with connection:
                connection.sendall(host_name().encode())


def _serve_udp(server: socket.socket) -> None:
    while True:
        with suppress(ConnectionError):
            _, address = server.recvfrom(16)
            log(f"UDP request from {peer(address)}")
            server.sendto(host_name().encode(), address)
