"""``agnhost netexec``: HTTP and UDP servers whose answers tell who asked and who answered.

HTTP (``--http-port``, 8080):

- ``/``: ``NOW: `` and the time;
- ``/clientip``: the sender's address and port;
- ``/echo?msg=TEXT[&code=STATUS]``: the text;
- ``/hostname``, ``/hostName``: the host name;
- ``/header[?key=NAME]``: a header of the request, or all of them as JSON;
- ``/healthz``: 200 once the UDP server runs, 412 before and without it;
- ``/dial?host=&port=&request=[&protocol=http|udp][&tries=N]``: asks another netexec and returns
  JSON with ``responses`` and ``errors``;
- ``/shell?cmd=COMMAND``: runs it with /bin/sh and returns JSON with ``output`` and ``error``;
- ``/redirect?location=URL[&code=STATUS]``;
- ``/exit[?code=N][&timeout=DURATION][&wait=DURATION]``, ``/shutdown``: ends the server.

UDP (``--udp-port``, 8081; -1 for none): ``hostname``, ``echo TEXT``, ``clientip``. As in the real
one, the text comes back in lower case.

Source: kubernetes ``test/images/agnhost/netexec/netexec.go``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
from contextlib import suppress

from testbed.images.agnhost.common import (
    bound,
    duration,
    flags,
    listening,
    log,
    peer,
    start,
)
from testbed.images.agnhost.dial import dial
from testbed.images.agnhost.web import Handler, Request, Response, Server, host_name

MAX_DATAGRAM = 2048

_udp_ready = threading.Event()


def main(arguments: list[str]) -> None:
    """Serves until it is told to exit."""
    parser = flags("netexec")
    parser.add_argument("--http-port", type=int, default=8080)
    parser.add_argument("--udp-port", type=int, default=8081)
    parser.add_argument("--sctp-port", type=int, default=-1)
    options = parser.parse_args(arguments)
    if options.sctp_port != -1:
        log("SCTP is not served here")
    if options.udp_port != -1:
        start(_serve_udp, bound(socket.SOCK_DGRAM, options.udp_port))
        log(f"Started UDP server on port {options.udp_port}")
    server = Server(listening(options.http_port), lambda request: _route(server, request))
    log(f"Started HTTP server on port {options.http_port}")
    server.serve()
    threading.Event().wait()  # the thread that shuts down ends the process


def _route(server: Server, request: Request) -> Response:
    query = "&".join(f"{key}={value}" for key, value in request.query.items())
    log(f"{request.method} {request.path}" + (f"?{query}" if query else ""))
    if request.path == "/exit":
        return _exit(server, request)
    return ROUTES.get(request.path, _root)(request)


def _root(_: Request) -> Response:
    return Response(f"NOW: {time.strftime('%Y-%m-%d %H:%M:%S %z %Z')}")


def _echo(request: Request) -> Response:
    code = request.value("code")
    if not code:
        return Response(request.value("msg"))
    if not _is_integer(code):
        return Response(f"argument 'code' must be an integer or empty, got \"{code}\"\n")
    return Response(request.value("msg"), int(code))


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()


def _header(request: Request) -> Response:
    key = request.value("key")
    if key:
        return Response(request.headers.get(key.lower(), ""))
    headers = {name.title(): [value] for name, value in request.headers.items()}
    return Response(json.dumps(headers))


def _health(_: Request) -> Response:
    return Response() if _udp_ready.is_set() else Response(status=412)


def _redirect(request: Request) -> Response:
    code = request.value("code") or "302"
    if not _is_integer(code):
        return Response(f"argument 'code' must be an integer or empty, got \"{code}\"\n")
    return Response("", int(code), {"Location": request.value("location")})


def _shell(request: Request) -> Response:
    command = request.value("shellCommand") or request.value("cmd")
    argv = ["/bin/sh", "-c", command]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    answer = {}
    if done.stdout:
        answer["output"] = done.stdout.decode(errors="replace")
    if done.returncode > 0:
        answer["error"] = f"exit status {done.returncode}"
    elif done.returncode < 0:
        answer["error"] = f"signal: {-done.returncode}"
    return Response(json.dumps(answer))


def _exit(server: Server, request: Request) -> Response:
    """Ends at once, without an answer, or answers and ends within ``timeout``."""
    times = {}
    for name in ("timeout", "wait"):
        text = request.value(name)
        try:
            times[name] = duration(text) if text else 0.0
        except ValueError:
            message = f"argument '{name}' must be a valid golang duration or empty"
            return Response(f'{message}, got "{text}"\n')
    code = request.value("code") or "0"
    if not _is_integer(code):
        return Response(f"argument 'code' must be an integer [0-127] or empty, got \"{code}\"\n")
    time.sleep(times["wait"])
    if not times["timeout"]:
        os._exit(int(code))
    start(_end, server, times["timeout"], int(code))
    return Response(headers={"Connection": "close"})


def _end(server: Server, limit: float, code: int) -> None:
    server.shut_down(limit)
    os._exit(code)


def _shut_down(_: Request) -> Response:
    os._exit(0)


ROUTES: dict[str, Handler] = {
    "/": _root,
    "/clientip": lambda request: Response(request.client),
    "/dial": dial,
    "/echo": _echo,
    "/header": _header,
    "/healthz": _health,
    "/hostname": lambda _: Response(host_name()),
    "/hostName": lambda _: Response(host_name()),
    "/redirect": _redirect,
    "/shell": _shell,
    "/shutdown": _shut_down,
}


def _serve_udp(server: socket.socket) -> None:
    _udp_ready.set()
    while True:
        with suppress(OSError):  # an ICMP error of an earlier answer
            data, address = server.recvfrom(MAX_DATAGRAM)
            answer = _udp_answer(data.decode(errors="replace").strip().lower(), peer(address))
            if answer is not None:
                server.sendto(answer.encode(), address)


def _udp_answer(text: str, client: str) -> str | None:
    """The answer to a datagram; None for no answer."""
    if text == "hostname":
        return host_name()
    if text.startswith("echo "):
        return text.partition(" ")[2]
    if text == "clientip":
        return client
    if text:
        log(f"Unknown UDP command received from {client}: {text}")
    return None
