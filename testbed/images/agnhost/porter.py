"""``agnhost porter``: answers on the ports that environment variables name, with their values.

``SERVE_PORT_80=text`` (or ``SERVE_TCP_PORT_80``) answers every HTTP request on port 80 with the
text, ``SERVE_UDP_PORT_81`` every datagram, ``SERVE_SCTP_PORT_82`` every association where the
kernel has SCTP, and ``SERVE_TLS_PORT_443`` every HTTPS request, with the certificate in
``CERT_FILE`` and the key in ``KEY_FILE``.

Source: kubernetes ``test/images/agnhost/porter/porter.go``.
"""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from contextlib import suppress

from testbed.images.agnhost.common import (
    SCTP,
    boolean,
    bound,
    fatal,
    flags,
    listening,
    log,
    start,
)
from testbed.images.agnhost.web import Request, Response, Server

_VARIABLE = re.compile(r"SERVE_(?:(TCP|UDP|TLS|SCTP)_)?PORT_(\d+)")


def main(arguments: list[str]) -> None:
    """Serves until a signal."""
    parser = flags("porter")
    boolean(parser, "--json-response", False, "answer with the method and the value as JSON")
    options = parser.parse_args(arguments)
    for name, value in os.environ.items():
        found = _VARIABLE.fullmatch(name)
        if found is None:
            continue
        kind, port = found[1] or "TCP", int(found[2])
        if kind in ("TCP", "TLS"):
            start(_http(port, value, options.json_response, kind == "TLS").serve)
        elif kind == "UDP":
            start(_serve_udp, bound(socket.SOCK_DGRAM, port), value)
        else:
            _start_sctp(port, value)
        log(f"Started {kind} server on port {port}")
    threading.Event().wait()


def _http(port: int, value: str, as_json: bool, tls: bool) -> Server:
    def answer(request: Request) -> Response:
        if not as_json:
            return Response(value)
        body = json.dumps({"Method": request.method, "Body": value})
        return Response(body, headers={"Content-Type": "application/json"})

    listener = listening(port)
    return Server(_with_tls(listener) if tls else listener, answer)


def _with_tls(listener: socket.socket) -> socket.socket:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate, key = os.environ.get("CERT_FILE"), os.environ.get("KEY_FILE")
    if not certificate or not key:
        fatal("SERVE_TLS_PORT_… wants CERT_FILE and KEY_FILE")
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        fatal(f"{certificate}, {key}: {error}")
    # The handshake belongs to the connection's thread: a silent client must not stop the others.
    return context.wrap_socket(listener, server_side=True, do_handshake_on_connect=False)


def _serve_udp(server: socket.socket, value: str) -> None:
    while True:
        with suppress(ConnectionError):
            _, address = server.recvfrom(16)
            server.sendto(value.encode(), address)


def _start_sctp(port: int, value: str) -> None:
    try:
        start(_serve_sctp, listening(port, SCTP), value)
    except OSError as error:
        fatal(f"SCTP: failed to listen on port {port}: {error.strerror}")


def _serve_sctp(listener: socket.socket, value: str) -> None:
    while True:
        with suppress(ConnectionError):
            connection, _ = listener.accept()
            with connection:
                connection.sendall(value.encode())
