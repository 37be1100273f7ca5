"""HTTP/2, WebSockets and gRPC through the controllers; reloads under load; many rules."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ingressproxy import Backend, Proxy, World, free, ingress, wait

from testbed.objects import EndpointSlice

pytestmark = pytest.mark.kernel
SECONDS = 60


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    if not shutil.which(request.param, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{request.param} is not on this machine")
    with Proxy(request.param) as found:
        yield found


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    found.ingress_class("ours", "testbed/ingress", default=True)
    yield found
    found.close()


def curl(proxy: Proxy, host: str, *options: str) -> str:
    """What curl prints of a request to a host over TLS."""
    place = f"{host}:{proxy.setting.https}"
    argv = ["curl", "-s", "-k", "--max-time", str(SECONDS), *options]
    argv += ["--connect-to", f"::127.0.0.1:{proxy.setting.https}", f"https://{place}/x"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def test_http2_by_alpn(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    world.add(ingress("one", ("x.test", "/", "a")))
    proxy.apply(world.state())
    shown = ("-o", "/dev/null", "-w", "%{http_version} %{http_code}")
    assert curl(proxy, "x.test", "--http2", *shown) == "2 200"
    assert curl(proxy, "x.test", "--http1.1", *shown) == "1.1 200"


def test_connections_to_endpoints_are_kept(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    accepted: list[Any] = []
    backend = world.backends["a"][0]
    get_request = backend.get_request

    def counted() -> Any:
        accepted.append(None)
        return get_request()

    backend.get_request = counted  # type: ignore[method-assign]
    world.add(ingress("one", ("x.test", "/", "a")))
    proxy.apply(world.state())
    connection = http.client.HTTPConnection("127.0.0.1", proxy.setting.http, SECONDS)
    for _ in range(20):
        connection.request("GET", "/", headers={"Host": "x.test"})
        assert connection.getresponse().read()
    connection.close()
    assert len(accepted) == 1


def test_grpc_is_http2_to_the_endpoint(proxy: Proxy, world: World) -> None:
    port = free()
    world.service("rpc", [80], endpoints=0)
    world.slice("rpc", 0, port, ["p80"])
    notes = {"backend-protocol": "GRPC"}
    world.add(ingress("one", ("x.test", "/", "rpc"), annotations=notes))
    proxy.apply(world.state())
    with endpoint_of_http2(port):
        grpc = ("-H", "Content-Type: application/grpc", "-H", "TE: trailers", "--data-binary", "a")
        said = curl(proxy, "x.test", "--http2", *grpc)
    assert said == f"HTTP/2.0 POST x.test:{proxy.setting.https} application/grpc"


class endpoint_of_http2:  # noqa: N801 - a context manager
    """An nginx that speaks nothing but HTTP/2 without TLS, and says what it was asked."""

    def __init__(self, port: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="rpc-")
        folder = self._folder.name
        temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in temporary)
        said = '"$server_protocol $request_method $http_host $http_content_type"'
        Path(folder, "nginx.conf").write_text(
            f"user root; daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port} http2;\n"
            f"default_type application/grpc; location / {{ return 200 {said}; }} }} }}\n"
        )
        argv = ["/usr/sbin/nginx", "-e", "stderr", "-c", f"{folder}/nginx.conf"]
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL)

    def __enter__(self) -> None:
        pid = Path(self._folder.name, "pid")
        wait(lambda: pid.exists() and bool(pid.read_text()), "nginx")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(SECONDS)
        self._folder.cleanup()


def test_websockets(proxy: Proxy, world: World) -> None:
    port = free()
    world.service("echo", [80], endpoints=0)
    world.slice("echo", 0, port, ["p80"])
    world.add(ingress("one", ("x.test", "/", "echo")))
    proxy.apply(world.state())
    url = f"ws://127.0.0.1:{proxy.setting.http}/socket"
    assert asyncio.run(talk(port, url)) == ["1: a", "2: b", "3: c"]


async def talk(port: int, url: str) -> list[str]:
    """What an endpoint at a port answers to three messages on a WebSocket at a URL."""
    from aiohttp import ClientSession, web

    async def echo(request: web.Request) -> web.WebSocketResponse:
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        count = 0
        async for message in answer:
            count += 1
            await answer.send_str(f"{count}: {message.data}")
        return answer

    application = web.Application()
    application.router.add_get("/socket", echo)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        async with (
            ClientSession(headers={"Host": "x.test"}) as session,
            session.ws_connect(url) as connection,
        ):
            found = []
            for text in "abc":
                await connection.send_str(text)
                found.append(await connection.receive_str())
            return found
    finally:
        await runner.cleanup()


def test_no_request_is_lost_by_reloads(proxy: Proxy, world: World) -> None:
    """Endpoints and Ingresses change under load; each request is a connection of its own."""
    world.service("a", [80], endpoints=3)
    world.add(ingress("one", ("x.test", "/", "a")))
    proxy.apply(world.state())
    stop, answers = threading.Event(), Counter[str]()
    clients = [threading.Thread(target=ask, args=(proxy, stop, answers)) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        for turn in range(10):
            away = f"a-{turn % 3}"
            left = [one for one in world.objects if one.metadata.name != away]
            assert sum(isinstance(one, EndpointSlice) for one in left) == 2
            world.add(ingress(f"more-{turn}", (f"m{turn}.test", "/", "a")))
            left.append(world.objects[-1])
            proxy.apply(World(left).state())
    finally:
        stop.set()
        for client in clients:
            client.join(SECONDS)
    assert answers.keys() == {"200"}
    assert answers["200"] > 50


def ask(proxy: Proxy, stop: threading.Event, answers: Counter[str]) -> None:
    """Asks on and on, and counts what comes back."""
    while not stop.is_set():
        try:
            answers[str(proxy.get("x.test", "/", body=b"a").status)] += 1
        except (OSError, http.client.HTTPException) as error:
            answers[repr(error)] += 1


def test_kept_connections_through_reloads(proxy: Proxy, world: World) -> None:
    """HAProxy answers whatever is sent on them; nginx closes idle ones, sent to or not."""
    world.service("a", [80])
    world.add(ingress("one", ("x.test", "/", "a")))
    proxy.apply(world.state())
    stop, answers = threading.Event(), Counter[str]()
    clients = [threading.Thread(target=keep, args=(proxy, stop, answers)) for _ in range(2)]
    for client in clients:
        client.start()
    try:
        for turn in range(6):
            world.add(ingress(f"more-{turn}", (f"m{turn}.test", "/", "a")))
            proxy.apply(world.state())
    finally:
        stop.set()
        for client in clients:
            client.join(SECONDS)
    allowed = {"200", "closed"} if "nginx" in proxy.controller.needs else {"200"}
    assert answers["200"] > 20
    assert answers.keys() <= allowed


def keep(proxy: Proxy, stop: threading.Event, answers: Counter[str]) -> None:
    """Asks on and on by one connection, and counts what comes back.

    ``closed`` is a connection that had answered before, and was closed without a byte of an answer:
    what clients send again by themselves (RFC 9110, 9.2.2; RFC 9112, 9.3.1).
    """
    connection = http.client.HTTPConnection("127.0.0.1", proxy.setting.http, SECONDS)
    reused = False
    while not stop.is_set():
        try:
            connection.request("GET", "/", headers={"Host": "x.test"})
            answer = connection.getresponse()
            answer.read()
            answers[str(answer.status)] += 1
            reused = not answer.will_close
        except (OSError, http.client.HTTPException) as error:
            lost = isinstance(error, ConnectionError) and reused
            answers["closed" if lost else repr(error)] += 1
            connection.close()
            reused = False
    connection.close()


def test_many_hosts_of_one_shape(proxy: Proxy, world: World) -> None:
    """Nginx has one server for them, with a map; each host still has what is its own."""
    for name in ("a", "b", "c"):
        world.service(name, [80])
    for number in range(300):
        rules = [(f"h{number}.test", "/", "abc"[number % 3]), (f"h{number}.test", "/x", "a")]
        world.add(ingress(f"i{number}", *rules))
    proxy.apply(world.state())
    for number in (0, 1, 2, 100, 299):
        assert proxy.get(f"H{number}.test:80", "/y").service == "abc"[number % 3]
        assert proxy.get(f"h{number}.test", "/x/y").service == "a"
        assert proxy.get(f"h{number}.test", "/", sni="h0.test").service == "abc"[number % 3]
    assert proxy.get("h300.test").status == 404
    text = Path(proxy.setting.folder, "nginx.conf")
    assert not text.exists() or text.read_text().count("    server {") == 3


def test_an_endpoint_that_is_gone_costs_no_request(proxy: Proxy, world: World) -> None:
    """Before anybody knows: its connections are refused, and the next endpoint is taken."""
    world.service("a", [80], endpoints=2)
    gone = world.backends["a"][0]
    gone.shutdown()
    gone.server_close()
    world.add(ingress("one", ("x.test", "/", "a")))
    proxy.apply(world.state())
    begin = time.monotonic()
    assert {proxy.get("x.test", body=b"a").status for _ in range(20)} == {200}
    assert time.monotonic() - begin < 10  # none waits a second before it is tried again


def test_a_broken_backend_is_502_or_503(proxy: Proxy, world: World) -> None:
    world.service("gone", [80])
    gone: Backend = world.backends["gone"][0]
    gone.shutdown()
    gone.server_close()
    world.add(ingress("one", ("x.test", "/", "gone")))
    proxy.apply(world.state())
    assert proxy.get("x.test").status in (502, 503)
