"""gRPC probes against a server of gRPC's own library, and agnhost's health service against it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
import pytest

from testbed.images.catalogue import resolve
from testbed.kubelet import grpcprobe
from testbed.kubelet.readiness import GOOD, Answer

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"
SECONDS = 5.0
Behaviour = Callable[[bytes, grpc.ServicerContext], bytes]


def ask(port: int, service: str = "", seconds: float = SECONDS) -> Answer:
    def made() -> socket.socket:
        link = socket.socket()
        link.setblocking(False)
        return link

    return asyncio.run(grpcprobe.check(("127.0.0.1", port), service, seconds, made))


class Server:
    """A server of grpcio's; it does what it is told."""

    def __init__(self) -> None:
        self.behaviour: Behaviour = lambda request, context: SERVING
        self.requests: list[tuple[bytes, dict[str, str]]] = []
        self._server = grpc.server(ThreadPoolExecutor(4))
        handler = grpc.unary_unary_rpc_method_handler(self._answer)
        generic = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})
        self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _answer(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        self.requests.append((request, {k: str(v) for k, v in context.invocation_metadata()}))
        return self.behaviour(request, context)

    def end(self) -> None:
        self._server.stop(0).wait()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.end()


@pytest.mark.parametrize("service", ["", "a.B", "x" * 300])
def test_a_service_that_serves_is_good(server: Server, service: str) -> None:
    assert ask(server.port, service) == GOOD
    ((request, headers),) = server.requests
    length = len(service)
    varint = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    assert request == (b"\x0a" + varint + service.encode() if service else b"")
    assert headers["user-agent"].startswith("kube-probe/1.34")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", "UNKNOWN"), (NOT_SERVING, "NOT_SERVING"), (b"\x08\x03", "SERVICE_UNKNOWN"),
        (b"\x12\x02ab\x08\x02", "NOT_SERVING"), (b"\x08\x09", "9"),
    ],
)  # fmt: skip
def test_any_other_status_is_bad(server: Server, answer: bytes, status: str) -> None:
    server.behaviour = lambda request, context: answer
    assert ask(server.port) == Answer(False, f'service unhealthy (responded with "{status}")')


def test_codes_of_grpc_are_bad_with_their_words(server: Server) -> None:
    def missing(request: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "unknown service: 100 %, ünd")
        return b""

    server.behaviour = missing
    said = "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
    assert ask(server.port) == Answer(False, f"{said}: 100 %, ünd")


def test_a_server_without_health_says_so() -> None:
    bare = grpc.server(ThreadPoolExecutor(1))
    port = bare.add_insecure_port("127.0.0.1:0")
    bare.start()
    answer = ask(port)
    bare.stop(0).wait()
    assert answer.good is False
    assert answer.said.startswith("error: this server does not implement the grpc health protocol")


def test_who_is_too_late_is_bad(server: Server) -> None:
    released = threading.Event()

    def slow(request: bytes, context: grpc.ServicerContext) -> bytes:
        released.wait(SECONDS)
        return SERVING

    server.behaviour = slow
    assert ask(server.port, seconds=0.3).said == "timeout: health rpc did not complete within 0.3s"
    released.set()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    answer = ask(port)
    assert answer.good is False
    assert "Connection refused" in answer.said


@pytest.mark.parametrize(
    "said",
    [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0" * 100, b"\xff" * 100_000],
    ids=["closed", "HTTP/1.1", "zeros", "much"],
)
def test_what_is_no_grpc_is_bad(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            link, _ = listener.accept()
            with link, suppress(OSError):
                link.sendall(said)

        thread = threading.Thread(target=serve)
        thread.start()
        answer = ask(listener.getsockname()[1])
        thread.join()
    assert answer.good is False
    assert answer.said


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


@pytest.fixture
def agnhost() -> Iterator[tuple[int, int]]:
    """The ports of a running ``agnhost grpc-health-checking``: gRPC's and that of HTTP."""
    port, http = _free(), _free()
    args = ["grpc-health-checking", f"--port={port}", f"--http-port={http}", "--service=a.B"]
    argv = resolve("agnhost", (), args)
    assert argv is not None
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.02)
    yield port, http
    process.terminate()
    process.wait()


def test_agnhost_says_what_it_is_told_to_say(agnhost: tuple[int, int]) -> None:
    """To grpcio's client, and to the probe."""
    port, http = agnhost
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        check = channel.unary_unary(grpcprobe.PATH)
        for path, expected in (("serving", SERVING), ("not-serving", NOT_SERVING)):
            with urllib.request.urlopen(f"http://127.0.0.1:{http}/make-{path}") as response:
                assert response.status == 200
            for _ in range(3):
                assert check(b"\x0a\x03a.B", timeout=SECONDS) == expected
            assert (ask(port, "a.B") == GOOD) is (expected == SERVING)
        with pytest.raises(grpc.RpcError) as missing:
            check(b"", timeout=SECONDS)
        assert missing.value.code() == grpc.StatusCode.NOT_FOUND
        with pytest.raises(grpc.RpcError) as unknown:
            channel.unary_unary("/grpc.health.v1.Health/Nothing")(b"", timeout=SECONDS)
        assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "code = NotFound desc = unknown service" in ask(port, "other").said
