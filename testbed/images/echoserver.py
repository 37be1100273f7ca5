"""A server whose answers say what it was asked, and who answers: image ``echoserver``.

It runs alone inside a pod (``python3 -I -S echoserver.py``), on port ``HTTP_PORT`` (3000). Any path
is answered with JSON: ``path`` (with its query), ``host``, ``method``, ``proto``, ``headers`` (name
→ values), and ``namespace``, ``ingress``, ``service``, ``pod`` from the variables ``NAMESPACE``,
``INGRESS_NAME``, ``SERVICE_NAME``, ``POD_NAME``; two paths are others:

- ``/status/404``: that status;
- ``/ws``: a WebSocket (RFC 6455) that sends each message back.

SIGTERM ends it at once, as it does the real one.

Source: kubernetes-sigs ``ingress-controller-conformance/images/echoserver/echoserver.go``, and
gateway-api ``conformance/echo-basic/echo-basic.go`` for the two paths.
"""

import base64
import contextlib
import hashlib
import json
import os
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_KEY_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3
_CLOSE, _PING, _PONG = 8, 9, 10
_MOST = 1 << 20  # bytes of a message
_NAMES = {
    "namespace": "NAMESPACE",
    "ingress": "INGRESS_NAME",
    "service": "SERVICE_NAME",
    "pod": "POD_NAME",
}


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is sent whole, or not at all

    def answer(self) -> None:
        """Answers a request, whatever its method."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        first, _, rest = self.path.partition("?")[0].removeprefix("/").partition("/")
        if first == "ws" and self.headers.get("Upgrade", "").lower() == "websocket":
            self._web_socket()
            return
        status = int(rest) if first == "status" and rest.isdecimal() and len(rest) == 3 else 200
        body = json.dumps(self._said()).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815

    def _said(self) -> dict[str, object]:
        headers: dict[str, list[str]] = {}
        for name, value in self.headers.items():
            headers.setdefault("-".join(w.capitalize() for w in name.split("-")), []).append(value)
        host = headers.pop("Host", [""])[0]
        asked = {"path": self.path, "host": host, "method": self.command}
        names = {key: os.environ.get(variable, "") for key, variable in _NAMES.items()}
        return {**asked, "proto": self.request_version, "headers": headers, **names}

    def _web_socket(self) -> None:
        """Sends back each frame until the other side closes."""
        self.close_connection = True
        key = self.headers.get("Sec-WebSocket-Key", "") + _KEY_SUFFIX
        accept = base64.b64encode(hashlib.sha1(key.encode(), usedforsecurity=False).digest())
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept.decode())
        self.end_headers()
        self.wfile.flush()
        while (frame := self._frame()) is not None:
            kind, payload = frame
            if kind != _PONG:
                self._send(kind + (_PONG - _PING) * (kind == _PING), payload)
            if kind & 15 == _CLOSE:
                return

    def _frame(self) -> "tuple[int, bytes] | None":
        """The next frame: its first byte, and its payload."""
        head = self.rfile.read(2)
        if len(head) < 2 or not head[1] & 128:  # a client's frames are masked
            return None
        size = head[1] & 127
        if size > 125:
            size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
        if size > _MOST:
            return None
        mask = self.rfile.read(4)
        payload = self.rfile.read(size)
        return head[0], bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))

    def _send(self, kind: int, payload: bytes) -> None:
        size = len(payload)
        head = bytes([kind | 128, size]) if size < 126 else bytes([kind | 128, 127])
        self.wfile.write(head + (size.to_bytes(8, "big") if size > 125 else b"") + payload)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    """Has room for many who connect at once."""

    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self) -> None:
        """Binds, without a look into DNS for the own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.bind(self.server_address)

    def handle_error(self, *_: object) -> None:
        """A client that goes away is no error."""


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        port = int(os.environ.get("HTTP_PORT") or 3000)
        Server(("0.0.0.0", port), Handler).serve_forever()  # noqa: S104 - in a pod of its own
