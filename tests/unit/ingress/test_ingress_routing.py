"""Routings: classes, merging, backends, certificates, and what is said about what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from ingressproxy import NOW, World, certified, ingress

from testbed.ingress import tls
from testbed.ingress.classes import default
from testbed.ingress.model import Endpoint, Routing, State
from testbed.ingress.routing import routing

OURS = ("k8s.io/ingress-nginx", "testbed/ingress")


@pytest.fixture
def world() -> World:
    """Services without endpoints, and a default class."""
    found = World()
    found.ingress_class("ours", "testbed/ingress", default=True)
    for name in ("a", "b", "c"):
        found.service(name, [80], endpoints=0)
    return found


def routed(world: World, **given: Any) -> Routing:
    return routing(world.state(), OURS, "nginx", NOW, **given)


def said(found: Routing) -> list[str]:
    return [str(problem) for problem in found.problems]


def paths(found: Routing, host: str) -> list[tuple[str, str, str]]:
    return [(one.kind, one.path, one.upstream) for one in found.sites[host].routes]


def test_the_order_of_routes(world: World) -> None:
    rules = [("x", path, "a") for path in ("/", "/a", "/a/b/", "/a%41")]
    world.add(ingress("one", *rules), ingress("two", ("x", "/a", "b"), kind="Exact"))
    assert paths(routed(world), "x") == [
        ("exact", "/a", "default_b_80"),
        ("prefix", "/a/b", "default_a_80"),
        ("prefix", "/aA", "default_a_80"),
        ("prefix", "/a", "default_a_80"),
        ("prefix", "", "default_a_80"),
    ]


def test_escapes_do_not_make_a_path_another_one(world: World) -> None:
    world.add(ingress("one", ("x", "/a", "a")), ingress("two", ("x", "/%61", "b")))
    found = routed(world)
    assert paths(found, "x") == [("prefix", "/a", "default_a_80")]
    assert said(found) == [
        "Ingress default/two: x/%61 is already that of default/one, which keeps it"
    ]


def test_an_expression_makes_all_of_a_hosts_paths_expressions(world: World) -> None:
    notes = {"rewrite-target": "/$1"}
    world.add(
        ingress("one", ("x", "/foo", "a"), ("x", "/foo/", "a"), ("y", "/foo", "a")),
        ingress("two", ("x", "/foo/(.+)", "b"), annotations=notes, kind="ImplementationSpecific"),
        ingress("three", ("x", "/odd;path", "c")),
    )
    found = routed(world)
    assert [one[:2] for one in paths(found, "x")] == [
        ("regex", "/foo/(.+)"),
        ("regex", "/foo/"),
        ("regex", "/foo"),
    ]
    assert [one[0] for one in paths(found, "y")] == ["prefix"]
    assert said(found) == [
        "Ingress default/three: path '/odd;path' has characters that are not allowed in a regular "
        "expression here; it is not served"
    ]


def test_default_backends(world: World) -> None:
    world.add(
        ingress("one", ("x", "/x", "a"), default="b"),
        ingress("two", ("y", "/", "a"), default="c"),
    )
    found = routed(world)
    assert paths(found, "x")[-1] == ("prefix", "", "default_b_80")
    assert paths(found, "y") == [("prefix", "", "default_a_80")]
    assert paths(found, "") == [("prefix", "", "default_b_80")]
    assert said(found) == ["Ingress default/two: the default backend is that of default/one"]


def test_a_wrong_annotation_refuses_the_ingress_and_no_other(world: World) -> None:
    bad = {"proxy-body-size": "much", "ssl-redirect": "true"}
    world.add(
        ingress("one", ("x", "/", "a"), annotations=bad),
        ingress("two", ("x", "/", "b"), annotations={"limit-rps": "5"}),
    )
    found = routed(world)
    assert paths(found, "x") == [("prefix", "", "default_b_80")]
    assert said(found) == [
        "Ingress default/one: annotation proxy-body-size: 'much' must be a size such as 8m, "
        "at most 1 PiB; it is not served",
        "Ingress default/two: annotation limit-rps is not known here and has no effect",
    ]


def test_annotations_that_a_controller_does_not_have(world: World) -> None:
    notes = {"use-regex": "true", "app-root": "/b"}
    world.add(ingress("one", ("x", "/a", "a"), annotations=notes))
    found = routed(world, understood={"app-root"})
    assert paths(found, "x") == [("prefix", "/a", "default_a_80")]
    assert found.sites["x"].app_root == "/b"
    message = "this controller does not have annotation use-regex; it has no effect"
    assert said(found) == [f"Ingress default/one: {message}"]


def test_ports_and_endpoints() -> None:
    world = World()
    world.ingress_class("ours", "testbed/ingress", default=True)
    ports = [{"name": "web", "port": 80}, {"name": "u", "port": 53, "protocol": "UDP"}]
    world.add({**_service("a"), "spec": {"ports": ports}})
    conditions = [{"ready": True}, {"ready": False, "serving": True, "terminating": True}, {}]
    world.add(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "a-1", "labels": {"kubernetes.io/service-name": "a"}},
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": [f"10.0.0.{9 - number}"], "conditions": one}
                for number, one in enumerate(conditions)
            ],
            "ports": [{"name": "web", "port": 8080}, {"name": "other", "port": 9}, {"name": "n"}],
        }
    )
    world.add(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "out"},
         "spec": {"type": "ExternalName", "externalName": "example.org"}},
    )  # fmt: skip
    made = [ingress(name, (name, "/", "a")) for name in ("named", "numbered", "udp", "out", "box")]
    backends = [one["spec"]["rules"][0]["http"]["paths"][0] for one in made]
    backends[0]["backend"]["service"]["port"] = {"name": "web"}
    backends[2]["backend"]["service"]["port"] = {"number": 53}
    backends[3]["backend"]["service"]["name"] = "out"
    backends[4]["backend"] = {"resource": {"kind": "Bucket", "name": "b"}}
    world.add(*made)
    found = routed(world)
    assert found.sites["named"].routes[0].upstream == "default_a_80"
    upstream = found.upstreams["default_a_80"]
    assert upstream.endpoints == (Endpoint("10.0.0.7", 8080), Endpoint("10.0.0.9", 8080))
    end = "; its requests are answered with 503"
    assert said(found) == [
        f"Ingress default/udp: Service 'a' has no TCP port 53{end}",
        f"Ingress default/out: Service 'out' is an ExternalName{end}",
        f"Ingress default/box: backends of kind 'Bucket'{end}",
    ]


def _service(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}}


@pytest.mark.parametrize(
    ("defaults", "chosen"), [([], None), (["a"], "a"), (["b"], "b"), (["a", "b"], "b")]
)
def test_the_newest_default_class(defaults: list[str], chosen: str | None) -> None:
    world = World()
    for name in ("a", "b"):
        world.ingress_class(name, f"{name}.test/x", default=name in defaults)
    found = default(world.state().classes)
    assert (found and found.metadata.name) == chosen


def test_classes() -> None:
    world = World()
    world.ingress_class("theirs", "example.com/other")
    world.ingress_class("mine", "k8s.io/ingress-nginx")
    world.service("a", [80], endpoints=0)
    old = {name: ingress(name, (name, "/", "a")) for name in ("usual", "mine", "theirs", "gone")}
    for name, made in old.items():
        named = "nginx" if name == "usual" else name
        made["metadata"]["annotations"] = {"kubernetes.io/ingress.class": named}
    world.add(*old.values(), ingress("nothing", ("nothing", "/", "a")))
    found = routed(world)
    assert set(found.sites) == {"", "usual", "mine"}
    assert said(found) == [
        "Ingress default/gone: there is no IngressClass 'gone'; nobody serves it",
        "Ingress default/nothing: it names no class and there is no default class; "
        "nobody serves it",
    ]


def locked() -> dict[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    lock = serialization.BestAvailableEncryption(b"x")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return {"tls.key": key.private_bytes(*form, lock).decode()}


def short() -> dict[str, str]:
    """A certificate with a key that OpenSSL's security level 2 refuses."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(NOW).not_valid_after(NOW + timedelta(days=30))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
    return {
        "tls.crt": builder.sign(key, hashes.SHA256()).public_bytes(form[0]).decode(),
        "tls.key": key.private_bytes(*form, serialization.NoEncryption()).decode(),
    }


CERTIFICATE, KEY = certified(("x",))
BROKEN = {
    "no-pem": ({"tls.crt": "hello"}, "tls.crt holds no certificate in PEM"),
    "empty": ({"tls.crt": "", "tls.key": ""}, "tls.crt holds no certificate in PEM"),
    "cut": ({"tls.crt": CERTIFICATE[:200]}, "tls.crt holds no certificate in PEM"),
    "no-key": ({"tls.key": CERTIFICATE}, "tls.key holds no private key in PEM, or a locked one"),
    "locked": (locked(), "tls.key holds no private key in PEM, or a locked one"),
    "other-key": (
        {"tls.key": certified(("y",))[1]},
        "its private key is not that of its certificate",
    ),
    "short-key": (short(), "a certificate's key is too short, or its signature too weak"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_certificates(world: World, name: str) -> None:
    data, message = BROKEN[name]
    data = {"tls.crt": CERTIFICATE, "tls.key": KEY, **data}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    world.add({**secret, "type": "kubernetes.io/tls", "stringData": data})
    world.add(ingress("one", ("x", "/", "a"), tls=[("x", "s")]))
    found = routed(world)
    assert (found.certificates, found.sites["x"].certificate) == ({}, "")
    assert found.sites["x"].routes[0].redirect
    own = "the controller's own certificate is served"
    start = "Ingress default/one: Secret 's' holds no certificate that can be served: "
    assert said(found) == [f"{start}{message}; {own}"]


@pytest.mark.parametrize(
    ("days", "begin", "message"),
    [(30, -1, ""), (3, -1, "expires on"), (-3, -9, "expired on"), (30, 5, "is not valid before")],
)
def test_dates_of_certificates(world: World, days: int, begin: int, message: str) -> None:
    world.secret("s", ["x"], days=days, begin=begin)
    world.add(ingress("one", ("x", "/", "a"), tls=[("x", "s")]))
    found = routed(world)
    assert found.sites["x"].certificate == "default_s"
    assert [message in one for one in said(found)] == [True] * bool(message)


def test_what_else_is_in_a_secret_is_not_written(world: World) -> None:
    junk = "}\nssl_engine evil;\n"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}
    data = {"tls.crt": junk + CERTIFICATE + junk, "tls.key": junk + KEY + junk}
    world.add({**secret, "type": "kubernetes.io/tls", "stringData": data})
    world.add(ingress("one", ("x", "/", "a"), tls=[("x", "s")]))
    found = routed(world)
    pem = found.certificates["default_s"].pem
    assert "evil" not in pem
    assert pem.count("-----BEGIN") == 2
    assert "PRIVATE" not in repr(found)


def test_hosts_of_tls(world: World) -> None:
    world.secret("s", ["x", "y"])
    made = ingress("one", ("x", "/", "a"), ("y", "/", "a"), ("z", "/", "a"))
    made["spec"]["tls"] = [{"secretName": "s"}, {"hosts": ["elsewhere"], "secretName": "s"}]
    world.add(made)
    found = routed(world)
    names = {host: site.certificate for host, site in found.sites.items()}
    assert names == {"": "", "x": "default_s", "y": "default_s", "z": ""}
    assert not found.sites["z"].routes[0].redirect
    message = "tls host 'elsewhere' is not a host of its rules; it has no effect"
    assert said(found) == [f"Ingress default/one: {message}"]


def test_own_certificates() -> None:
    one = tls.own(datetime(2030, 1, 1, tzinfo=UTC))
    assert one.name == "_own"
    assert one.pem != tls.own(NOW).pem


def test_a_namespace_does_not_see_anothers_services_and_secrets(world: World) -> None:
    world.secret("s", ["x"])
    made = ingress("one", ("x", "/", "a"), tls=[("x", "s")])
    made["metadata"]["namespace"] = "other"
    world.add(made)
    found = routed(world)
    assert (found.upstreams, found.certificates) == ({}, {})
    assert len(found.problems) == 2


def test_the_same_objects_make_the_same_routing(world: World) -> None:
    world.secret("s", ["x"])
    world.add(ingress("one", ("x", "/", "a"), tls=[("x", "s")]))
    state = world.state()
    turned = replace(state, services=dict(reversed(state.services.items())))
    assert isinstance(turned, State)
    assert routing(turned, OURS, "nginx", NOW) == routed(world)
