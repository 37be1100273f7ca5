"""``/dial`` of netexec: asks another netexec, so that a test can have a pod do so.

Source: kubernetes ``test/images/agnhost/netexec/netexec.go``, ``dialHandler``.
"""

from __future__ import annotations

import json
import socket

from testbed.images.agnhost.web import Request, Response

TIME_LIMIT = 5.0
MAX_DATAGRAM = 2048


def dial(request: Request) -> Response:
    """Asks ``tries`` times, and returns all answers and all errors."""
    tries, what = request.value("tries") or "1", request.value("request")
    protocol = request.value("protocol").lower() or "http"
    if not tries.isdecimal():
        return Response(f'tries parameter is invalid. "{tries}"\n', 400)
    if not what:
        return Response("request parameter not specified.\n", 400)
    if protocol not in ("http", "udp"):
        return Response(f"unsupported protocol. {protocol}\n", 400)
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    try:
        host, port = request.value("host"), request.value("port")
        found = socket.getaddrinfo(host, int(port), type=kind)
    except (OSError, ValueError) as error:
        return Response(f"host and/or port param are invalid. {error}\n", 400)
    family, address = found[0][0], found[0][4]
    ask = _ask_udp if protocol == "udp" else _ask_http
    answers: dict[str, list[str]] = {}
    for _ in range(int(tries)):
        try:
            answer = ask(what, family, address)
            answers.setdefault("responses", []).append(answer)
        except OSError as error:
            answers.setdefault("errors", []).append(f"{protocol} dial failed. err:{error}")
    return Response(json.dumps(answers))


def _ask_http(what: str, family: int, address: tuple[object, ...]) -> str:
    import http.client

    connection = http.client.HTTPConnection(str(address[0]), int(str(address[1])), TIME_LIMIT)
    try:
        connection.request("GET", f"/{what}")
        return connection.getresponse().read().decode(errors="replace")
    except http.client.HTTPException as error:
        raise OSError(repr(error)) from error
    finally:
        connection.close()


def _ask_udp(what: str, family: int, address: tuple[object, ...]) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(TIME_LIMIT)
        client.connect(address)
        client.send(what.encode())
        return client.recv(MAX_DATAGRAM).decode(errors="replace")
