"""Ingress controllers in labs: protocols, certificates, attacks, failures; by real clients."""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from ingressattacks import ATTACKS
from ingresslab import NAMESPACES, Site, apply, echo, secret, site
from ingressproxy import certified, ingress
from labs import RunningLab, StartLab
from machine import until

from testbed.conformance import web
from testbed.errors import InputError
from testbed.objects import from_manifest

pytestmark = pytest.mark.e2e
RPC = "/grpc.health.v1.Health/Check"


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> tuple[str, RunningLab]:
    if not shutil.which(request.param, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{request.param} is not on this machine")
    lab = shared_lab(options=("--ingress", request.param, "--proxy", "iptables"))
    apply(lab, [*echo("a", [80], 2), *echo("b", [80])])
    return request.param, lab


@pytest.fixture
def asked(running: tuple[str, RunningLab]) -> Iterator[Site]:
    """The controller, with no Ingress left by another test, nor after this one."""
    with site(running[1], running[0]) as found:
        yield found
        left = [one for kind in ("ingresses", "secrets") for one in found.lab.objects(kind)]
        if left:
            found.lab.delete(left)


def service(asked: Site, host: str, path: str = "/", **given: Any) -> str | int:
    """The Service that answers, or the status."""
    answer = asked.browser.get(asked.address, host, path, **given)
    return str(json.loads(answer.body)["service"]) if answer.status == 200 else answer.status


def logs(running: tuple[str, RunningLab]) -> str:
    namespace = NAMESPACES[running[0]]
    pods = running[1].run("get", "pods", "-n", namespace, "-o", "name").stdout.split()
    return running[1].run("logs", "-n", namespace, pods[0].partition("/")[2]).stdout


def test_what_is_there(running: tuple[str, RunningLab], asked: Site) -> None:
    name, lab = running
    (controller,) = asked.lab.objects("services", NAMESPACES[name])
    assert controller["spec"]["externalTrafficPolicy"] == "Local"
    assert name in [one["metadata"]["name"] for one in asked.lab.objects("ingressclasses")]
    assert service(asked, "x.test") == 404
    asked.lab.apply([ingress("one", ("x.test", "/", "a"))])
    assert service(asked, "x.test") == "a"
    row = lab.run("get", "ing").stdout.splitlines()[1].split()
    assert row[:4] == ["one", "<none>", "x.test", asked.address]
    assert asked.address in lab.run("describe", "ing", "one").stdout
    assert name in lab.run("get", "ingressclasses").stdout
    (pod,) = asked.lab.objects("pods", NAMESPACES[name])
    processes = lab.run("exec", "-n", NAMESPACES[name], pod["metadata"]["name"], "--", "ps", "-ef")
    assert name in processes.stdout


def test_an_ingress_of_another_class_gets_no_address(asked: Site) -> None:
    other: dict[str, Any] = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass"}
    other |= {"metadata": {"name": "other"}, "spec": {"controller": "example.com/other"}}
    asked.lab.apply([other, ingress("one", ("x.test", "/", "a"), class_name="other")])
    assert service(asked, "x.test") == 404
    (one,) = asked.lab.objects("ingresses")
    assert one["status"] == {"loadBalancer": {}}
    asked.lab.delete([other])


def test_certificates_by_sni_and_http2_by_alpn(
    running: tuple[str, RunningLab], asked: Site
) -> None:
    for name, host in (("one", "x.test"), ("two", "y.test")):
        made = ingress(name, (host, "/", "a"), tls=[(host, f"cert-{name}")])
        asked.lab.apply([made, secret(f"cert-{name}", *certified((host,)))])
    asked.lab.apply([ingress("three", ("z.test", "/", "b"), tls=[("z.test", "broken")])])
    asked.lab.apply([secret("broken", certified(("z.test",))[0], certified(("w.test",))[1])])

    def names(host: str) -> tuple[str, ...]:
        return web.names(asked.browser.get(asked.address, host, sni=host).certificate)

    hosts = ("x.test", "y.test", "z.test", "nobody.test")
    assert [names(host) for host in hosts] == [
        ("x.test",), ("y.test",), ("ingress.local",), ("ingress.local",),
    ]  # fmt: skip
    assert "its private key is not that of its certificate" in logs(running)
    asked.lab.apply([secret("broken", *certified(("z.test",)))])
    assert names("z.test") == ("z.test",)
    assert service(asked, "x.test") == 308
    for option, version in (("--http2", "2"), ("--http1.1", "1.1")):
        argv = ["curl", "-sk", option, "-o", "/dev/null", "-w", "%{http_version} %{http_code}"]
        argv += ["--resolve", f"x.test:443:{asked.address}", "https://x.test/"]
        assert running[1].exec("external/client", *argv) == f"{version} 200"


def test_a_websocket_and_its_end(asked: Site) -> None:
    asked.lab.apply([ingress("one", ("x.test", "/", "a"))])
    key = base64.b64encode(os.urandom(16)).decode()
    head = {"Host": "x.test", "Upgrade": "websocket", "Connection": "Upgrade"}
    head |= {"Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    with asked.browser.connected(asked.address, 80) as wire, wire.makefile("rb") as read:
        wire.sendall(f"GET /ws HTTP/1.1\r\n{lines}\r\n".encode())
        assert b" 101 " in read.readline()
        while read.readline() != b"\r\n":
            pass
        asked.lab.apply([ingress("two", ("y.test", "/", "b"))])  # a reload in between
        for text in (b"hello", b"x" * 70_000):
            size = len(text)
            long = bytes([128 | size]) if size < 126 else b"\xff" + size.to_bytes(8, "big")
            wire.sendall(b"\x81" + long + bytes(4) + text)
            got = read.read(2)
            more = read.read(8) if got[1] == 127 else b""
            assert read.read(int.from_bytes(more, "big") or got[1]) == text


def test_grpc_to_the_pods(running: tuple[str, RunningLab], asked: Site) -> None:
    grpc: dict[str, Any] = {"image": "agnhost", "args": ["grpc-health-checking", "--port", "3000"]}
    made = echo("rpc", [80], **grpc)
    certificate, key = certified(("rpc.test",))
    notes = {"backend-protocol": "GRPC"}
    rule = ingress("rpc", ("rpc.test", "/", "rpc"), annotations=notes, tls=[("rpc.test", "rpc")])
    asked.lab.apply([*made, rule, secret("rpc", certificate, key)])
    code = (
        "import grpc, sys\n"
        "trusted = grpc.ssl_channel_credentials(sys.argv[1].encode())\n"
        "named = [('grpc.ssl_target_name_override', 'rpc.test')]\n"
        "with grpc.secure_channel(sys.argv[2] + ':443', trusted, named) as channel:\n"
        f"    print(channel.unary_unary({RPC!r})(b'', timeout=20).hex())\n"
    )
    argv = (sys.executable, "-c", code, certificate, asked.address)
    assert running[1].exec("external/client", *argv) == "0801\n"  # SERVING
    asked.lab.delete(made)


def test_attacks_are_refused_or_harmless(running: tuple[str, RunningLab], asked: Site) -> None:
    asked.lab.apply([ingress("victim", ("victim.test", "/", "b"))])
    made = []
    for number, attack in enumerate(ATTACKS):
        manifest = json.loads(json.dumps(attack.manifest).replace("attack", f"attack{number}"))
        with suppress(InputError):
            from_manifest(json.loads(json.dumps(manifest)))
            made.append(manifest)
    assert len(made) > len(ATTACKS) / 2
    asked.lab.apply(made)
    said = logs(running)
    for attack in ATTACKS:
        if attack.message and not attack.nginx and "attack" in str(made):
            assert attack.message in said, attack.name
    for one in made:
        host = one["spec"]["rules"][0]["host"]
        for path in ("/leak", "/leak/passwd", "/y"):
            answer = asked.browser.get(asked.address, host, path)
            assert b"pwned" not in answer.body
            assert answer.status in (200, 404), (one, path)
    assert service(asked, "victim.test", "/x") == "b"
    asked.delete(made)
    assert service(asked, "victim.test") == "b"


def test_the_api_may_go_away(running: tuple[str, RunningLab], asked: Site) -> None:
    asked.lab.apply([ingress("one", ("x.test", "/", "a"))])
    argv = ("sh", "-c", "kill -KILL $(pgrep -f 'testbed[.]api ')")
    running[1].run("exec", "node/n1", "--", *argv)
    assert service(asked, "x.test") == "a"
    asked.lab.apply([ingress("two", ("y.test", "/", "b"))])
    assert [service(asked, host) for host in ("x.test", "y.test")] == ["a", "b"]
    asked.delete([ingress("one", ("x.test", "/", "a"))])
    assert service(asked, "x.test") == 404


def test_the_proxy_may_die(running: tuple[str, RunningLab], asked: Site) -> None:
    name, lab = running
    asked.lab.apply([ingress("one", ("x.test", "/", "a"))])
    (pod,) = asked.lab.objects("pods", NAMESPACES[name])
    lab.run(
        "exec", "-n", NAMESPACES[name], pod["metadata"]["name"], "--",
        "sh", "-c", "kill -KILL $(ss -Hlntp 'sport = :80' | grep -o 'pid=[0-9]*' | cut -d= -f2)",
    )  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with suppress(OSError):
            if service(asked, "x.test") == "a":
                return
        time.sleep(0.1)
    pytest.fail("nobody answers any more")


def test_no_endpoint_is_503_and_the_first_one_is_served(asked: Site) -> None:
    none, some = echo("c", [80], 0), echo("c", [80], 1)
    asked.lab.apply([*none, ingress("one", ("x.test", "/", "c"))])
    assert service(asked, "x.test") == 503
    asked.lab.apply(some)
    until(lambda: service(asked, "x.test") == "c", "its pod is ready, and served")
    asked.lab.delete(some)
    assert service(asked, "x.test") == 503


def test_two_controllers_serve_a_change_at_once_and_either_does_alone(lab: StartLab) -> None:
    settings = ("lb=bgp", "ingress_replicas=2")
    options = ("--ingress", "haproxy", "--proxy", "nftables-flat")
    started = lab(topology="leafspine", cni="bgp", settings=settings, options=options)
    apply(started, echo("a", [80], 2))
    with site(started, "haproxy") as asked:
        pods = asked.lab.objects("pods", NAMESPACES["haproxy"])
        urls = [f"http://{pod['status']['podIP']}/" for pod in pods]
        assert len({pod["spec"]["nodeName"] for pod in pods}) == len(urls) == 2
        said = ("-s", "-w", "%{http_code} ", *("-o", "/dev/null") * 2)
        for number in range(5):
            host = f"x{number}.test"
            apply(started, [ingress(f"i{number}", (host, "/", "a"))])
            found = started.exec("node/n1", "curl", *said, "-H", f"Host: {host}", *urls)
            assert found == "200 200 "
        started.run("fail", "node", pods[0]["spec"]["nodeName"])

        def answered() -> bool:
            with suppress(OSError):
                return all(service(asked, "x0.test") == "a" for _ in range(20))
            return False

        until(answered, "the other one serves all", 60)
