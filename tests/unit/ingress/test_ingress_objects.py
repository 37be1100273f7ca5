"""Ingresses, IngressClasses and Secrets: typed objects, defaults, and bad ones."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.cli import ingresstext
from testbed.cluster import apply, delete, held
from testbed.cluster.model import Options
from testbed.cluster.new import new
from testbed.errors import InputError
from testbed.objects import (
    Ingress,
    IngressBackend,
    IngressClass,
    IngressPath,
    IngressTls,
    Secret,
    from_manifest,
    parse,
)
from testbed.topology.load import load as load_topology

CASES = yaml.safe_load(Path(__file__).with_name("ingress_errors.yaml").read_text())
SHARED = Path("/work/shared/conformance/ingress.json")
VERSIONS = {"Ingress": "networking.k8s.io/v1", "IngressClass": "networking.k8s.io/v1"}


def text(case: dict[str, Any]) -> str:
    """The object of a case, a field a line, so that messages have telling lines."""
    kind = case.get("kind", "Ingress")
    metadata = {"name": "x", "annotations": case.get("annotations", {})}
    fields = {k: v for k, v in case.items() if k in ("type", "spec", "data")}
    head = f"apiVersion: {VERSIONS.get(kind, 'v1')}\nkind: {kind}\n"
    lines = {"metadata": metadata, **fields}
    return head + "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text(CASES[name]), "f.yaml")
    assert str(caught.value) == CASES[name]["message"]


@pytest.mark.skipif(not SHARED.exists(), reason="the reference's cases are not on this machine")
def test_invalid_ingresses_of_the_reference() -> None:
    for case in json.loads(SHARED.read_text())["invalid_ingresses"]:
        with pytest.raises(InputError):
            from_manifest(case["ingress"])


@pytest.mark.skipif(not SHARED.exists(), reason="the reference's cases are not on this machine")
def test_valid_ingresses_of_the_reference() -> None:
    for manifest in json.loads(SHARED.read_text())["ingresses"].values():
        found = from_manifest(manifest)
        assert isinstance(found, Ingress)
        assert from_manifest(found.manifest).manifest == found.manifest


def made(kind: str, **fields: Any) -> Any:
    version = VERSIONS.get(kind, "v1")
    metadata = {"name": "x", **fields.pop("metadata", {})}
    return from_manifest({"apiVersion": version, "kind": kind, "metadata": metadata, **fields})


BACKEND = {"service": {"name": "web", "port": {"name": "http"}}}


def test_ingress() -> None:
    resource = {"resource": {"apiGroup": "x.test", "kind": "Bucket", "name": "b"}}
    paths = [
        {"path": "/a", "pathType": "Exact", "backend": BACKEND},
        {"pathType": "ImplementationSpecific", "backend": resource},
    ]
    found = made(
        "Ingress",
        spec={
            "ingressClassName": "nginx",
            "defaultBackend": {"service": {"name": "d", "port": {"number": 80}}},
            "rules": [{"host": "*.a.test", "http": {"paths": paths}}, {"host": "b.test"}],
            "tls": [{"hosts": ["a.test"], "secretName": "s"}, {}],
        },
    )
    assert isinstance(found, Ingress)
    assert (found.class_name, found.by_annotation) == ("nginx", False)
    assert found.default_backend == IngressBackend("d", 80)
    assert [rule.host for rule in found.rules] == ["*.a.test", "b.test"]
    assert found.rules[0].paths == (
        IngressPath("/a", "Exact", IngressBackend("web", "http")),
        IngressPath("", "ImplementationSpecific", IngressBackend("", 0, "Bucket/b")),
    )
    assert found.rules[1].paths == ()
    assert found.tls == (IngressTls(("a.test",), "s"), IngressTls((), ""))


def test_the_class_by_the_deprecated_annotation() -> None:
    metadata = {"annotations": {"kubernetes.io/ingress.class": "nginx"}}
    found = made("Ingress", metadata=metadata, spec={"defaultBackend": BACKEND})
    assert (found.class_name, found.by_annotation) == ("nginx", True)
    assert made("Ingress", spec={"defaultBackend": BACKEND}).class_name is None


def test_ingress_class() -> None:
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
    parameters = {"kind": "K", "name": "n", "apiGroup": "a.b"}
    spec = {"controller": "a.b/c", "parameters": parameters}
    found = made("IngressClass", metadata={"annotations": annotations}, spec=spec)
    assert isinstance(found, IngressClass)
    assert (found.controller, found.default) == ("a.b/c", True)
    assert found.manifest["spec"]["parameters"] == {**parameters, "scope": "Cluster"}
    assert not made("IngressClass", spec=spec).default


def test_secret() -> None:
    data = {"a": base64.b64encode(b"\x00one").decode() + "\n", "b": ""}
    found = made("Secret", data=data, stringData={"b": "two"})
    assert isinstance(found, Secret)
    assert (found.type, found.data) == ("Opaque", {"a": b"\x00one", "b": b"two"})
    assert "stringData" not in found.manifest
    assert "two" not in repr(found)


def test_a_cluster_keeps_them() -> None:
    cluster = new(load_topology("single", {}), Options())
    given = [
        made("Ingress", spec={"defaultBackend": BACKEND}),
        made("IngressClass", spec={"controller": "a.b/c"}),
        made("Secret", data={}),
    ]
    cluster = apply(cluster, given)
    keys = [(item.kind, item.metadata.key) for item in given]
    assert [held(cluster, *key) for key in keys] == given
    assert held(apply(cluster, []), "IngressClass", ("", "x")) == given[1]
    cluster = delete(cluster, [(kind, *key) for kind, key in keys])
    assert [held(cluster, *key) for key in keys] == [None, None, None]
    with pytest.raises(InputError, match=r"ingressclass 'x' not found$"):
        delete(cluster, [("IngressClass", "", "x")])


@pytest.mark.parametrize(
    ("rules", "cell"),
    [
        ([], "*"),
        (["", "a.b"], "a.b"),
        (["a", "b", "c"], "a,b,c"),
        (["a", "b", "c", "", "d"], "a,b,c + 2 more..."),
        (["a", "b", "", "c"], "a,b,c"),
    ],
)
def test_hosts_as_kubectl_prints_them(rules: list[str], cell: str) -> None:
    assert ingresstext.hosts({"spec": {"rules": [{"host": host} for host in rules]}}) == cell


def test_rules_as_described() -> None:
    resource = {"resource": {"kind": "K", "name": "n"}}
    paths = [
        {"path": "/a", "pathType": "Exact", "backend": BACKEND},
        {"pathType": "ImplementationSpecific", "backend": resource},
    ]
    spec = {
        "rules": [{"host": "x.test", "http": {"paths": paths}}, {"host": "empty.test"}],
        "tls": [{"hosts": ["x.test"], "secretName": "s"}, {"hosts": ["y"]}],
    }
    assert list(ingresstext.rules(spec)) == [
        "Default backend:    <default>",
        "TLS:",
        "  s terminates x.test",
        "  SNI routes y",
        "Rules:",
        "  Host    Path  Backends",
        "  ----    ----  --------",
        "  x.test",
        "          /a    web:http",
        "                APIGroup: <none>, Kind: K, Name: n",
    ]
    assert list(ingresstext.rules({"defaultBackend": BACKEND}))[-1] == "  *     *     web:http"
