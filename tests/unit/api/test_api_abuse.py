"""Clients that behave badly: the server goes on for all others, and what it holds is bounded."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from api_builders import pod, store
from api_server import Running

from testbed.api import guard
from testbed.api.store import Store

Serve = Callable[..., Running]
WATCH = b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def answer(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    with connection, connection.makefile("rb") as stream:
        return stream.read()


def memory() -> int:
    """Bytes of this process that are in memory."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * 4096


@pytest.mark.parametrize(
    "request_",
    [
        b"\r\n\r\n\x00\x01\x02 garbage\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 300,  # TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET /api HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (1 << 20),
        b"GET /" + b"a" * (1 << 20),
        b"GET /api HTTP/1.1\r\n" + b"".join(b"X%d: y\r\n" % n for n in range(5000)) + b"\r\n",
    ],
    ids=["bytes", "word", "tls", "version", "colon", "length", "header", "line", "headers"],
)
def test_what_is_no_request_gets_a_status_and_the_end(serve: Serve, request_: bytes) -> None:
    running = serve()
    connection = running.connect()
    with suppress(ConnectionError):  # it may have closed already
        connection.sendall(request_)
    try:
        head, _, body = answer(connection).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400") or head.startswith(b"HTTP/1.0 400")
        assert json.loads(body)["kind"] == "Status"
    except ConnectionError:
        pass  # it was closed with input unread, which TCP tells as a reset
    assert running.get("/healthz") == (200, "ok")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/pods?fieldSelector=" + "a" * 20000,
        "/api/v1/pods?labelSelector=" + "a," * 20000,
        "/api/v1/pods?labelSelector=" + "(" * 5000,
        "/api/v1/pods?continue=" + "%5B" * 20000,
        "/api/v1/namespaces/%00/pods/%ff%fe",
        "/api/v1/namespaces/..%2f..%2f/pods",
        "/api/v1/pods?limit=-5&timeoutSeconds=-7",
        "//api//v1///pods",
    ],
)
def test_odd_paths_and_parameters_have_an_answer(serve: Serve, path: str) -> None:
    running = serve()
    status, _ = running.get(path)
    assert status in {200, 400, 404}
    assert running.get("/api/v1/pods")[0] == 200


def test_a_body_is_not_read_into_memory(serve: Serve) -> None:
    running = serve()
    connection = running.connect()
    connection.sendall(b"POST /api/v1/pods HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n")
    before = memory()
    with suppress(OSError):  # refused, as it should be
        for _ in range(2000):
            connection.sendall(b"x" * 65536)
    connection.close()
    assert memory() - before < 32 << 20
    assert running.get("/healthz")[0] == 200


def test_a_door_has_so_much_room_and_not_more(serve: Serve) -> None:
    running = serve(room=20)
    inside = [running.connect() for _ in range(20)]
    for connection in inside:
        connection.sendall(WATCH)
        assert connection.recv(12) == b"HTTP/1.1 200"
    head, _, body = answer(running.connect()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 429")
    assert json.loads(body)["reason"] == "TooManyRequests"
    for connection in inside:
        connection.close()
    for _ in range(100):  # as many connections as it takes to be told that they are gone
        if answer_of(running) == 200:
            break
    assert answer_of(running) == 200
    assert running.door.inside <= 1


def answer_of(running: Running) -> int:
    return running.get("/healthz")[0]


def test_thousands_of_connections_leave_the_server_as_it_was(serve: Serve) -> None:
    running = serve(room=50)
    before = memory()
    for _ in range(1000):
        running.connect().close()
    for _ in range(100):
        if answer_of(running) == 200:
            break
    assert answer_of(running) == 200
    assert memory() - before < 32 << 20


def test_who_does_not_finish_a_request_is_shown_out(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(guard.LIMITS, "keepalive_timeout", 0.3)
    running = serve()
    silent, slow = running.connect(), running.connect()
    slow.sendall(b"GET /api/v1/pods HTTP/1.1\r\nX-A: ")
    assert answer(silent) == b""
    assert answer(slow) == b""
    assert running.get("/healthz")[0] == 200


def big(version: int) -> dict[str, object]:
    return pod("big", version, status={"message": "x" * 100_000})


def test_a_watcher_that_never_reads_costs_nothing(serve: Serve) -> None:
    """The server tells 60 MB to a client that reads none of it, and to one that reads all."""
    held = store("a")
    held.collections["pods"].most_bytes = 2 << 20
    running = serve(held)
    deaf = [running.connect() for _ in range(20)]
    for connection in deaf:
        connection.sendall(WATCH)
        assert connection.recv(12) == b"HTTP/1.1 200"
    before = memory()
    with running.watch("/api/v1/pods?watch=1&resourceVersion=101") as events:
        for version in range(102, 702):
            running.change(lambda s, v=version: s.put("pods", big(v)))
            assert next(events)["object"]["metadata"]["resourceVersion"] == str(version)
    assert memory() - before < 32 << 20
    connection = deaf[0]
    told = [json.loads(line) for line in body(connection)]
    assert (told[-1]["type"], told[-1]["object"]["code"]) == ("ERROR", 410)
    for connection in deaf:
        connection.close()


def body(connection: socket.socket) -> list[bytes]:
    """The lines of a watch that ends."""
    with connection.makefile("rb") as stream:
        return [line for line in stream.read().splitlines() if line.startswith(b"{")]


def test_a_client_that_does_not_read_is_given_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "PATIENCE", 0.3)
    held = store(*(f"p{number}" for number in range(30)))
    for number in range(30):
        held.put("pods", pod(f"p{number}", 200 + number, status={"message": "x" * 1_000_000}))
    running = serve(held)
    connection = running.connect()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.sendall(b"GET /api/v1/pods HTTP/1.1\r\nHost: x\r\n\r\n")
    assert running.get("/healthz")[0] == 200
    with running.watch("/api/v1/pods?watch=1&resourceVersion=229&timeoutSeconds=2") as events:
        assert list(events) == []  # two seconds of doing something else
    with pytest.raises(ConnectionResetError):
        answer(connection)


def test_a_defect_is_a_status_too(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    running = serve()

    def broken(_: Store) -> None:
        del running.api.store.collections["pods"]

    running.change(broken)
    status, found = running.get("/api/v1/pods")
    assert (status, found["reason"]) == (500, "InternalError")
    assert running.get("/api/v1/nodes")[0] == 200
