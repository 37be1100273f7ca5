"""agnhost's processes on the loopback interface."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from testbed.images.agnhost.common import duration
from testbed.images.catalogue import resolve

Start = Callable[..., "subprocess.Popen[str]"]


def _argv(*args: str) -> list[str]:
    argv = resolve("agnhost", ["/agnhost"], args)
    assert argv is not None
    return argv


def _free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(process: subprocess.Popen[str], *texts: str) -> None:
    """Reads the log until it has had each of the texts."""
    missing = set(texts)
    assert process.stderr is not None
    for line in process.stderr:
        missing -= {text for text in missing if text in line}
        if not missing:
            return
    raise AssertionError(f"exit code {process.wait()} before {missing}")


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def run(*args: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            _argv(*args),
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def netexec(start: Start) -> tuple[int, int]:
    web, udp = _free_port(), _free_port(socket.SOCK_DGRAM)
    process = start("netexec", f"--http-port={web}", "--udp-port", str(udp))
    _wait_for(process, "Started HTTP server", "Started UDP server")
    return web, udp


def _get(
    port: int, path: str, headers: Mapping[str, str] = {}, method: str = "GET"
) -> tuple[int, str]:
    """Status and body, of where it redirects to if it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        location = answer.getheader("Location")
        return _get(port, location) if location else (answer.status, answer.read().decode())
    finally:
        connection.close()


def _ask_udp(port: int, data: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect(("127.0.0.1", port))
        client.send(data.encode())
        return client.recv(2048).decode()


HOST = os.uname().nodename


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/echo?msg=a%20b", 200, "a b"),
        ("/echo?msg=teapot&code=418", 418, "teapot"),
        ("/echo?msg=x&code=y", 200, "argument 'code' must be an integer or empty, got \"y\"\n"),
        ("/hostname", 200, HOST),
        ("/hostName", 200, HOST),
        ("/healthz", 200, ""),
        ("/redirect?location=/hostname", 200, HOST),
        ("/dial?host=127.0.0.1&port=1", 400, "request parameter not specified.\n"),
        ("/dial?host=x&request=y&protocol=icmp", 400, "unsupported protocol. icmp\n"),
    ],
)
def test_netexec_answers(netexec: tuple[int, int], path: str, status: int, body: str) -> None:
    assert _get(netexec[0], path) == (status, body)


def test_netexec_tells_who_asked(netexec: tuple[int, int]) -> None:
    web, udp = netexec
    assert _get(web, "/clientip")[1].startswith("127.0.0.1:")
    assert _ask_udp(udp, "clientip").startswith("127.0.0.1:")
    assert _get(web, "/")[1].startswith("NOW: 20")
    assert _get(web, "/header?key=x-test", headers={"X-Test": "yes"})[1] == "yes"
    assert json.loads(_get(web, "/header", headers={"X-Test": "yes"})[1])["X-Test"] == ["yes"]


def test_netexec_over_udp(netexec: tuple[int, int]) -> None:
    udp = netexec[1]
    assert _ask_udp(udp, "hostname\n") == HOST
    assert _ask_udp(udp, "echo Hello World") == "hello world"


def test_netexec_runs_commands(netexec: tuple[int, int]) -> None:
    command = urllib.parse.quote("echo out; echo err >&2; exit 3")
    status, body = _get(netexec[0], f"/shell?cmd={command}")
    assert (status, json.loads(body)) == (200, {"output": "out\nerr\n", "error": "exit status 3"})
    assert json.loads(_get(netexec[0], "/shell?shellCommand=true")[1]) == {}


@pytest.mark.parametrize("protocol", ["http", "udp"])
def test_netexec_asks_others(netexec: tuple[int, int], protocol: str) -> None:
    port = netexec[protocol == "udp"]
    path = f"/dial?host=127.0.0.1&port={port}&request=hostname&protocol={protocol}&tries=3"
    assert json.loads(_get(netexec[0], path)[1]) == {"responses": [HOST] * 3}


def test_netexec_reports_those_who_do_not_answer(netexec: tuple[int, int]) -> None:
    path = f"/dial?host=127.0.0.1&port={_free_port()}&request=hostname&tries=2"
    answer = json.loads(_get(netexec[0], path)[1])
    assert len(answer["errors"]) == 2
    assert "refused" in answer["errors"][0]
    assert "responses" not in answer


def test_netexec_serves_many_at_once(netexec: tuple[int, int]) -> None:
    web = netexec[0]
    with ThreadPoolExecutor(20) as pool:
        start = time.monotonic()
        answers = list(pool.map(lambda _: _get(web, "/shell?cmd=sleep+0.3"), range(20)))
        assert time.monotonic() - start < 3
    assert {status for status, _ in answers} == {200}


def test_a_connection_carries_several_requests(netexec: tuple[int, int]) -> None:
    with socket.create_connection(("127.0.0.1", netexec[0]), 5) as client:
        for _ in range(3):
            client.sendall(b"GET /echo?msg=x HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(4096).endswith(b"\r\n\r\nx")
        client.sendall(b"GET /echo?msg=y HTTP/1.0\r\n\r\n")
        assert client.recv(4096).endswith(b"y")
        assert client.recv(1) == b""


@pytest.mark.parametrize(
    "garbage", [b"\r\n", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_garbage_ends_a_connection_and_not_the_server(
    netexec: tuple[int, int], garbage: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", netexec[0]), 5) as client:
        client.sendall(garbage)
        assert client.recv(4096) == b""
    assert _get(netexec[0], "/hostname")[0] == 200


@pytest.mark.parametrize(
    ("query", "code", "answered"),
    [("", 0, False), ("?code=7", 7, False), ("?code=5&timeout=2s&wait=100ms", 5, True)],
)
def test_netexec_ends_when_told(start: Start, query: str, code: int, answered: bool) -> None:
    port = _free_port()
    process = start("netexec", "--http-port", str(port), "--udp-port=-1")
    _wait_for(process, "Started HTTP server")
    try:
        assert _get(port, f"/exit{query}") == (200, "")
        assert answered
    except (http.client.HTTPException, ConnectionError):
        assert not answered
    assert process.wait(5) == code


def test_netexec_without_udp_is_not_healthy(start: Start) -> None:
    port = _free_port()
    _wait_for(start("netexec", f"--http-port={port}", "--udp-port=-1"), "Started HTTP server")
    assert _get(port, "/healthz")[0] == 412


def test_a_taken_port_ends_it_with_a_word(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("serve-hostname", f"--port={port}")
        assert process.wait(5) == 1
        assert process.stderr is not None
        assert f"listen on port {port}: Address already in use" in process.stderr.read()


def test_serve_hostname_over_http(start: Start) -> None:
    port = _free_port()
    _wait_for(start("serve-hostname", "--port", str(port)), "Serving on port")
    assert _get(port, "/anything") == (200, HOST)


def test_serve_hostname_over_tcp_and_udp(start: Start) -> None:
    port = _free_port()
    process = start("serve-hostname", "--http=false", "--tcp", "--udp", f"--port={port}")
    _wait_for(process, "Serving on port")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        assert client.recv(1024).decode() == HOST
    assert _ask_udp(port, "x") == HOST


def test_serve_hostname_wants_http_off_for_tcp(start: Start) -> None:
    assert start("serve-hostname", "--tcp").wait(5) == 1


def test_porter_serves_what_the_environment_says(start: Start) -> None:
    web, udp = _free_port(), _free_port(socket.SOCK_DGRAM)
    env = {f"SERVE_PORT_{web}": "one", f"SERVE_UDP_PORT_{udp}": "two", "SERVE_PORT_X": "no"}
    process = start("porter", env=env)
    _wait_for(process, f"server on port {web}", f"server on port {udp}")
    assert _get(web, "/") == (200, "one")
    assert _ask_udp(udp, "x") == "two"


def test_porter_as_json(start: Start) -> None:
    port = _free_port()
    process = start("porter", "--json-response", env={f"SERVE_TCP_PORT_{port}": "one"})
    _wait_for(process, f"server on port {port}")
    assert json.loads(_get(port, "/", method="POST")[1]) == {"Method": "POST", "Body": "one"}


def _connect(*args: str) -> tuple[int, str]:
    done = subprocess.run(
        _argv("connect", *args), capture_output=True, text=True, timeout=20, check=False
    )
    return done.returncode, done.stderr


def test_connect_succeeds_in_silence(netexec: tuple[int, int]) -> None:
    web, udp = netexec
    assert _connect(f"127.0.0.1:{web}", "--timeout=3s") == (0, "")
    assert _connect(f"127.0.0.1:{udp}", "--protocol", "udp", "--timeout", "3s") == (0, "")


def test_connect_says_refused() -> None:
    assert _connect(f"127.0.0.1:{_free_port()}") == (1, "REFUSED\n")
    closed = _free_port(socket.SOCK_DGRAM)
    assert _connect(f"127.0.0.1:{closed}", "--protocol=udp", "--timeout=3s") == (1, "REFUSED\n")


def test_connect_says_timeout() -> None:
    """A listener whose queue is full drops what comes, and a silent UDP port answers nothing."""
    with socket.socket() as listener, socket.socket(type=socket.SOCK_DGRAM) as silent:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        silent.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        assert _connect(f"127.0.0.1:{port}", "--timeout", "300ms") == (1, "TIMEOUT\n")
        udp = f"127.0.0.1:{silent.getsockname()[1]}"
        assert _connect(udp, "--protocol=udp", "--timeout=300ms") == (1, "TIMEOUT\n")
        for filler in fillers:
            filler.close()


@pytest.mark.parametrize(
    ("destination", "beginning"),
    [
        ("127.0.0.1", "UNKNOWN: address 127.0.0.1: missing port in address"),
        ("::1:80", "UNKNOWN: address ::1:80: too many colons in address"),
        ("127.0.0.1:no-such-service", "DNS: "),
        ("255.255.255.255:80", "OTHER: "),
    ],
)
def test_connect_tells_other_failures_apart(destination: str, beginning: str) -> None:
    code, said = _connect(destination, "--timeout=3s")
    assert code == 1
    assert said.startswith(beginning)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 2), (signal.SIGINT, 1)])
def test_pause_ends_by_a_signal(start: Start, number: int, code: int) -> None:
    process = start("pause")
    assert process.stdout is not None
    assert process.stdout.readline() == "Paused\n"
    process.send_signal(number)
    assert process.wait(5) == code


def test_an_unknown_subcommand_lists_the_known_ones(start: Start) -> None:
    process = start("netexce")
    assert process.wait(5) == 1
    assert process.stderr is not None
    assert "serve-hostname" in process.stderr.read()


def test_it_starts_fast() -> None:
    """A probe starts it each time: it imports little, and nothing that is not Python's own."""
    python, *rest = _argv("connect", "127.0.0.1:1")
    argv = [python, "-X", "importtime", *rest]
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stderr
    found = {line.rpartition("|")[2].strip() for line in said.splitlines() if "|" in line}
    assert found & {"testbed.images.agnhost.common"}
    slow = {"asyncio", "ssl", "http", "json", "logging", "subprocess", "email"}
    assert not found & slow
    own = {name.partition(".")[0] for name in found if "." in name}
    assert own <= {*sys.stdlib_module_names, "testbed"}


@pytest.mark.parametrize(
    ("text", "seconds"), [("3s", 3), ("1m30s", 90), ("250ms", 0.25), ("1.5h", 5400), ("0", 0)]
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "3", "s", "3 s", "-1s", "1d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        duration(text)
