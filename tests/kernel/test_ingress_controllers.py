"""Ingress on real nginx and real HAProxy: the reference's cases and our own, by real requests."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from ingressproxy import Proxy, World, ingress

from testbed.ingress.model import Problem

pytestmark = pytest.mark.kernel

SHARED = Path("/work/shared/conformance/ingress.json")
CASES = json.loads(SHARED.read_text()) if SHARED.exists() else {"cases": [], "ingresses": {}}
GROUPS = sorted({tuple(case["ingress"]) for case in CASES["cases"]})


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    if not shutil.which(request.param, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{request.param} is not on this machine")
    with Proxy(request.param) as found:
        yield found


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    found.ingress_class("nginx", "k8s.io/ingress-nginx")
    found.ingress_class("ours", "testbed/ingress", default=True)
    yield found
    found.close()


def is_nginx(proxy: Proxy) -> bool:
    return "nginx" in proxy.controller.needs


@pytest.mark.skipif(not GROUPS, reason="the reference's cases are not on this machine")
@pytest.mark.parametrize("group", GROUPS, ids="+".join)
def test_the_references_cases(proxy: Proxy, world: World, group: tuple[str, ...]) -> None:
    manifests = [CASES["ingresses"][name] for name in group]
    if not is_nginx(proxy) and any(m["spec"].get("ingressClassName") for m in manifests):
        pytest.skip("of class nginx")
    cases = [case for case in CASES["cases"] if tuple(case["ingress"]) == group]
    replicas = {k: v for case in cases for k, v in case.get("replicas", {}).items()}
    world.services_of(manifests, replicas)
    for name, hosts in CASES["tls_secrets"].items():
        world.secret(name, hosts)
    world.add(*manifests)
    proxy.apply(world.state())
    wrong = {case["id"]: found for case in cases if (found := differs(proxy, case))}
    assert not wrong


def differs(proxy: Proxy, case: dict[str, Any]) -> str:
    """What is otherwise than a case says; empty if nothing is."""
    request, expected = case["request"], case["expect"]
    answer = proxy.get(request["host"], request["path"], sni=request.get("sni"))
    found: dict[str, Any] = {"status": answer.status}
    if "service" in expected:
        found["service"] = answer.service
    if "upstream_path" in expected and answer.status == 200:
        found["upstream_path"] = answer.said["path"]
    if "location" in expected:
        found["location"] = answer.headers.get("location")
    if "secret" in expected:
        hosts = {tuple(v): k for k, v in CASES["tls_secrets"].items()}
        found["secret"] = hosts.get(answer.names)
    return "" if found == expected else f"{found}, expected {expected}"


def served(proxy: Proxy, host: str, path: str = "/", **given: Any) -> str | int:
    """The Service that answers, or the status."""
    answer = proxy.get(host, path, **given)
    return answer.service or answer.status


def test_hosts_and_paths(proxy: Proxy, world: World) -> None:
    for name in ("a", "b", "c", "d", "e", "f"):
        world.service(name, [80])
    world.add(
        ingress("one", ("x.test", "/foo", "a"), ("x.test", "/foo/bar/", "b"), ("", "/all", "c")),
        ingress("two", ("x.test", "/foo", "d"), kind="Exact"),
        ingress("three", ("*.x.test", "/", "e"), default="f"),
        ingress("four", ("s.test", "/a/", "a"), ("s.test", "/b/c/", "b"), kind="Exact"),
        ingress("five", ("s.test", "/b", "c")),
    )
    found = proxy.apply(world.state())
    assert found.problems == ()
    asked = {
        ("x.test", "/foo"): "d", ("X.TEST:8080", "/foo/"): "a", ("x.test", "/foo/x?y"): "a",
        ("x.test", "/foo/bar"): "b", ("x.test", "/foo/bar/z"): "b", ("x.test", "/foo/barz"): "a",
        ("x.test", "/fo%6f/bar"): "b", ("x.test", "/FOO"): 404, ("x.test", "/"): 404,
        ("x.test", "/all"): 404, ("y.x.test", "/all"): "e", ("z.y.x.test", "/all"): "c",
        ("s.test", "/a"): 404, ("s.test", "/a/"): "a", ("s.test", "/a/x"): 404,
        ("s.test", "/b/c"): "c", ("s.test", "/b/c/"): "b", ("s.test", "/b/c/d"): "c",
        ("other", "/all/x"): "c", ("other", "/"): "f", ("10.0.0.1", "/allx"): "f",
    }  # fmt: skip
    assert {key: served(proxy, *key) for key in asked} == asked


def test_long_paths(proxy: Proxy, world: World) -> None:
    """Around 255 bytes, which is all that nginx has for a path that is no expression."""
    for name in ("a", "b", "c"):
        world.service(name, [80])
    sizes = (249, 250, 251, 254, 255, 256, 257, 513)
    made = {size: "/" + "é".join("x" * 30 for _ in range(40)) for size in sizes}
    paths = {size: text.encode()[:size].decode(errors="ignore") for size, text in made.items()}
    for size, path in paths.items():
        host, quoted = f"x{size}.test", quote(path)
        world.add(ingress(f"p{size}", (host, quoted, "a"), (host, "/x", "c")))
        world.add(ingress(f"e{size}", (host, quoted + "/deep/", "b"), kind="Exact"))
    assert proxy.apply(world.state()).problems == ()
    for size, path in paths.items():
        host, quoted = f"x{size}.test", quote(path)
        asked = {
            quoted: "a", f"{quoted}/": "a", f"{quoted}/deep": "a", f"{quoted}/deep/": "b",
            f"{quoted}/deep/er": "a", f"{quoted}y": 404, quote(path[:-1]): 404, "/x/y": "c",
            "/xx": 404,
        }  # fmt: skip
        assert {one: served(proxy, host, one) for one in asked} == asked, size


def test_the_oldest_wins(proxy: Proxy, world: World) -> None:
    world.service("old", [80])
    world.service("new", [80])
    world.add(ingress("one", ("x.test", "/a", "old")), ingress("two", ("x.test", "/a/", "new")))
    found = proxy.apply(world.state())
    said = "x.test/a/ is already that of default/one, which keeps it"
    assert found.problems == (Problem(("default", "two"), said),)
    assert served(proxy, "x.test", "/a") == served(proxy, "x.test", "/a/b") == "old"


def test_what_cannot_be_found_is_503(proxy: Proxy, world: World) -> None:
    world.service("empty", [80], endpoints=0)
    world.service("other", [81])
    rules = [("x.test", "/none", "none"), ("x.test", "/empty", "empty"), ("x.test", "/p", "other")]
    world.add(ingress("one", *rules))
    found = proxy.apply(world.state())
    assert [problem.message for problem in found.problems] == [
        "there is no Service 'none'; its requests are answered with 503",
        "Service 'other' has no TCP port 80; its requests are answered with 503",
    ]
    assert [served(proxy, "x.test", path) for _, path, _ in rules] == [503, 503, 503]


def test_all_endpoints_are_used(proxy: Proxy, world: World) -> None:
    world.service("many", [80], endpoints=5)
    world.add(ingress("one", ("x.test", "/", "many")))
    proxy.apply(world.state())
    ports = Counter(proxy.get("x.test").said["port"] for _ in range(50))
    assert len(ports) == 5
    assert min(ports.values()) >= 5


def test_certificates_by_sni(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    world.secret("one", ["one.test"])
    world.secret("wild", ["*.wild.test"])
    world.secret("old", ["old.test"], days=-3)
    world.secret("other", ["else.test"])
    hosts = [("one.test", "one"), ("x.wild.test", "wild"), ("*.wild.test", "wild")]
    hosts += [("old.test", "old"), ("wrong.test", "other"), ("absent.test", "absent")]
    world.add(ingress("one", *((host, "/", "a") for host, _ in hosts), tls=hosts))
    found = proxy.apply(world.state())
    own = "the controller's own certificate is served"
    assert [problem.message.partition(" on ")[0] for problem in found.problems] == [
        "Secret 'old' expired",
        f"Secret 'other' is not for host 'wrong.test'; {own}",
        f"Secret 'absent' does not exist; {own}",
    ]
    asked = {
        "one.test": ("one.test",), "x.wild.test": ("*.wild.test",), "y.wild.test": ("*.wild.test",),
        "old.test": ("old.test",), "wrong.test": ("ingress.local",),
        "absent.test": ("ingress.local",), "z.y.wild.test": ("ingress.local",),
    }  # fmt: skip
    assert {host: proxy.get(host, sni=host).names for host in asked} == asked
    answer = proxy.get("one.test", sni="one.test")
    assert answer.said["headers"]["x-forwarded-proto"] == "https"


def test_http_goes_to_https(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    world.secret("s", ["tls.test", "off.test"])
    tls = [("tls.test", "s")]
    off, force = {"ssl-redirect": "false"}, {"force-ssl-redirect": "true"}
    world.add(
        ingress("one", ("tls.test", "/", "a"), tls=tls),
        ingress("off", ("off.test", "/", "a"), tls=[("off.test", "s")], annotations=off),
        ingress("force", ("force.test", "/", "a"), annotations=force),
        ingress("plain", ("plain.test", "/", "a")),
    )
    proxy.apply(world.state())
    for host, status in (("tls.test", 308), ("force.test", 308), ("off.test", 200)):
        answer = proxy.get(f"{host}:80", "/x?y=%20z")
        assert answer.status == status
        if status == 308:
            assert answer.headers["location"] == f"https://{host}/x?y=%20z"
        assert proxy.get(host, sni=host).status == 200
    assert proxy.get("plain.test").status == 200
    proxy.apply(world.state(), ssl_redirect=False)
    assert proxy.get("tls.test").status == 200
    assert proxy.get("force.test").status == 308


def test_app_root(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    notes = {"app-root": "/app?x=%41"}
    world.add(ingress("one", ("x.test", "/", "a"), annotations=notes))
    proxy.apply(world.state())
    answer = proxy.get("x.test")
    assert (answer.status, answer.headers["location"]) == (302, "http://x.test/app?x=%41")
    assert proxy.get("x.test", "/app").said["path"] == "/app"


def test_sizes_of_bodies(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    world.add(
        ingress("small", ("x.test", "/", "a"), annotations={"proxy-body-size": "1k"}),
        ingress("any", ("y.test", "/", "a"), annotations={"proxy-body-size": "0"}),
        ingress("usual", ("z.test", "/", "a")),
    )
    proxy.apply(world.state())
    sizes = [("x.test", 1024, 200), ("x.test", 1025, 413), ("y.test", 3 << 20, 200)]
    sizes += [("z.test", 1 << 20, 200), ("z.test", (1 << 20) + 1, 413)]
    for host, size, status in sizes:
        assert proxy.get(host, body=b"x" * size).status == status, (host, size)


def test_who_may_come(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    notes = {"whitelist-source-range": "127.0.0.2, 127.1.0.0/16"}
    world.add(ingress("one", ("x.test", "/", "a"), annotations=notes))
    proxy.apply(world.state())
    sources = {"127.0.0.1": 403, "127.0.0.2": 200, "127.1.2.3": 200, "127.2.0.1": 403}
    assert {s: proxy.get("x.test", source=s).status for s in sources} == sources


def test_canaries(proxy: Proxy, world: World) -> None:
    for name in ("main", "canary", "none"):
        world.service(name, [80], endpoints=0 if name == "none" else 1)

    def canary(name: str, host: str, service: str = "canary", **notes: str) -> None:
        given = {"canary": "true", **{k.replace("_", "-"): v for k, v in notes.items()}}
        world.add(ingress(f"c-{name}", (host, "/", service), annotations=given))

    for host in ("header", "value", "flag", "cookie", "chance", "all", "nobody", "empty"):
        world.add(ingress(host, (host, "/", "main")))
    canary("header", "header", canary_by_header="X-Try", canary_weight="0")
    canary("value", "value", canary_by_header="X-Try", canary_by_header_value="include")
    canary("flag", "flag", canary_by_header="X-Try", canary_by_header_value="-f /etc/passwd")
    canary("cookie", "cookie", canary_by_cookie="try", canary_weight="100")
    canary("chance", "chance", canary_weight="25")
    canary("all", "all", canary_weight="7", canary_weight_total="7")
    canary("nobody", "nobody", canary_weight="0")
    canary("empty", "empty", "none", canary_weight="100")
    canary("alone", "alone", canary_weight="100")
    found = proxy.apply(world.state())
    said = "canary of alone/: there is no such host"
    assert found.problems == (Problem(("default", "c-alone"), said),)
    always, never = {"X-Try": "always"}, {"x-try": "never"}
    assert served(proxy, "header", headers=always) == "canary"
    assert served(proxy, "header", headers=never) == served(proxy, "header") == "main"
    assert served(proxy, "value", headers={"X-Try": "include"}) == "canary"
    assert served(proxy, "value", headers=always) == served(proxy, "value") == "main"
    assert served(proxy, "flag", headers={"X-Try": "-f /etc/passwd"}) == "canary"
    assert served(proxy, "flag", headers={"X-Try": "-f"}) == "main"
    assert served(proxy, "cookie", headers={"Cookie": "a=b; try=never"}) == "main"
    assert served(proxy, "cookie", headers={"Cookie": "try=always"}) == "canary"
    assert served(proxy, "cookie", headers={"Cookie": "xtry=never"}) == "canary"
    assert [served(proxy, host) for host in ("all", "nobody", "empty")] == [
        "canary",
        "main",
        "main",
    ]
    shares = Counter(served(proxy, "chance") for _ in range(400))
    assert 60 <= shares["canary"] <= 140  # 4.6 standard deviations


def test_affinity_by_cookie(proxy: Proxy, world: World) -> None:
    world.service("many", [80], endpoints=4)
    notes = {"affinity": "cookie", "session-cookie-name": "route", "session-cookie-path": "/x"}
    notes |= {"session-cookie-max-age": "60", "session-cookie-samesite": "Lax"}
    world.add(ingress("one", ("x.test", "/", "many"), annotations=notes))
    proxy.apply(world.state())
    first = [proxy.get("x.test") for _ in range(20)]
    assert len({answer.said["port"] for answer in first}) > 1
    for answer in first[:4]:
        cookie, *attributes = answer.cookies[0].split("; ")
        assert cookie.startswith("route=")
        wanted = {"path=/x", "max-age=60", "samesite=lax", "httponly"}
        assert wanted <= {one.lower() for one in attributes}
        again = [proxy.get("x.test", headers={"Cookie": f"a=b; {cookie}"}) for _ in range(8)]
        assert {one.said["port"] for one in again} == {answer.said["port"]}
        assert not any(one.cookies for one in again)


def test_other_classes_are_left_alone(proxy: Proxy, world: World) -> None:
    world.service("a", [80])
    world.ingress_class("theirs", "example.com/other")
    world.add(
        ingress("theirs", ("theirs.test", "/", "a"), class_name="theirs"),
        ingress("gone", ("gone.test", "/", "a"), class_name="gone"),
        ingress("ours", ("ours.test", "/", "a")),
    )
    found = proxy.apply(world.state())
    said = "there is no IngressClass 'gone'; nobody serves it"
    assert found.problems == (Problem(("default", "gone"), said),)
    hosts = {"theirs.test": 404, "gone.test": 404, "ours.test": 200}
    assert {host: proxy.get(host).status for host in hosts} == hosts
