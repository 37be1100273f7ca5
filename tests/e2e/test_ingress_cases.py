"""The reference's Ingresses in a lab, asked from outside through the load balancer's address."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ingresslab import Site, apply, echo, secret, site, thing
from ingressproxy import certified
from labs import RunningLab, StartLab

from testbed.conformance import web

pytestmark = pytest.mark.e2e

SHARED = Path("/work/shared/conformance/ingress.json")
FOUND = json.loads(SHARED.read_text()) if SHARED.exists() else {}
GROUPS = sorted({tuple(case["ingress"]) for case in FOUND.get("cases", ())})
CLASSES = FOUND.get("ingress_classes", {})


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> tuple[str, RunningLab]:
    if not GROUPS:
        pytest.skip("the reference's cases are not on this machine")
    if not shutil.which(request.param, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{request.param} is not on this machine")
    lab = shared_lab(options=("--ingress", request.param, "--proxy", "iptables"))
    apply(lab, [*classes(), *backends(), *secrets()])
    return request.param, lab


@pytest.fixture(scope="module")
def asked(running: tuple[str, RunningLab]) -> Iterator[Site]:
    with site(running[1], running[0]) as found:
        yield found


def classes() -> Iterator[dict[str, Any]]:
    for name, one in CLASSES.items():
        made = thing(
            "networking.k8s.io/v1", "IngressClass", name, spec={"controller": one["controller"]}
        )
        default = str(one["default"]).lower()
        annotations = {"ingressclass.kubernetes.io/is-default-class": default}
        yield {**made, "metadata": {"name": name, "annotations": annotations}}


def backends() -> Iterator[dict[str, Any]]:
    """Every Service that the Ingresses name; pods for as many as a case says."""
    ports: dict[str, set[int]] = {}
    for one in FOUND["ingresses"].values():
        spec = one["spec"]
        named = [spec["defaultBackend"]] if "defaultBackend" in spec else []
        named += [path["backend"] for rule in spec["rules"] for path in rule["http"]["paths"]]
        for service in (backend["service"] for backend in named):
            ports.setdefault(service["name"], set()).add(service["port"]["number"])
    replicas = {k: v for case in FOUND["cases"] for k, v in case.get("replicas", {}).items()}
    for name, some in ports.items():
        yield from echo(name, some, replicas.get(name, 1))


def secrets() -> Iterator[dict[str, Any]]:
    for name, hosts in FOUND["tls_secrets"].items():
        yield secret(name, *certified(tuple(hosts)))


@pytest.mark.parametrize("group", GROUPS, ids="+".join)
def test_the_references_cases(
    running: tuple[str, RunningLab], asked: Site, group: tuple[str, ...]
) -> None:
    manifests = [FOUND["ingresses"][name] for name in group]
    if any(CLASSES.get(m["spec"].get("ingressClassName"), {}).get("controller") not in
           (None, "testbed/ingress") for m in manifests) and running[0] != "nginx":  # fmt: skip
        pytest.skip("of class nginx")
    cases = [case for case in FOUND["cases"] if tuple(case["ingress"]) == group]
    asked.lab.apply(manifests)
    try:
        wrong = {case["id"]: found for case in cases if (found := differs(asked, case))}
    finally:
        asked.lab.delete(manifests)
    assert not wrong


def differs(asked: Site, case: dict[str, Any]) -> str:
    """What is otherwise than a case says; empty if nothing is."""
    request, expected = case["request"], case["expect"]
    answer = asked.browser.get(
        asked.address, request["host"], request["path"], sni=request.get("sni")
    )
    found: dict[str, Any] = {"status": answer.status}
    said = json.loads(answer.body) if answer.status == 200 else {}
    if "service" in expected:
        found["service"] = said.get("service")
    if "upstream_path" in expected:
        found["upstream_path"] = said.get("path")
    if "location" in expected:
        found["location"] = answer.headers.get("location")
    if "secret" in expected:
        hosts = {tuple(v): k for k, v in FOUND["tls_secrets"].items()}
        found["secret"] = hosts.get(web.names(answer.certificate))
    return "" if found == expected else f"{found}, expected {expected}"


@pytest.mark.parametrize(
    "bad",
    [pytest.param(one["ingress"], id=one["id"]) for one in FOUND.get("invalid_ingresses", ())],
)
def test_bad_ingresses_are_refused_and_nothing_changes(
    running: tuple[str, RunningLab], bad: dict[str, Any]
) -> None:
    _, lab = running
    said = apply(lab, [thing("v1", "Secret", "beside", stringData={"a": "b"}), bad], code=2)
    assert "spec.rules[0]" in said
    assert lab.run("get", "ing", "-o", "name").stdout == ""
    assert "beside" not in lab.run("get", "secrets", "-o", "name").stdout
