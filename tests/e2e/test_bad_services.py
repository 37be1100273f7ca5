"""Bad Services: Kubernetes' own verdict, and nothing of it in the lab or in a node's rules.

Each is applied together with a good one, which is not there afterwards either.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from labs import RunningLab, StartLab
from servicetraffic import PODS as SERVERS
from servicetraffic import Flow, check, prepare, service

pytestmark = pytest.mark.e2e

TAKEN_ADDRESS, TAKEN_PORT = "10.96.40.1", 30140
PRESENT = service(
    "present", ["local-0"], clusterIP=TAKEN_ADDRESS, type="NodePort", nodePort=TAKEN_PORT
)
GOOD = service("good", ["local-1"], clusterIP="10.96.40.2")
NAME = "a DNS-1035 label must consist of lower case alphanumeric characters or '-'"
NODE_PORTS = "The range of valid ports is 30000-32767"


def _service(name: str = "bad", **spec: Any) -> dict[str, Any]:
    spec = {"ports": [{"port": 80}], **spec}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def _node_port(port: int) -> dict[str, Any]:
    return _service(type="NodePort", ports=[{"port": 80, "nodePort": port}])


def _slice(count: int, name: str = "bad-1", **metadata: Any) -> dict[str, Any]:
    ends = [
        {"addresses": [f"10.245.{i // 250}.{i % 250 + 1}"], "nodeName": "n2"} for i in range(count)
    ]
    labels = {"kubernetes.io/service-name": "many"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "labels": labels, **metadata},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080}],
        "endpoints": ends,
    }


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "name": (_service("Web_1"), f'metadata.name: Invalid value: "Web_1": {NAME}'),
    "quotes": (_service('a"; flush ruleset #'), NAME),
    "space": (_service("a b"), f'metadata.name: Invalid value: "a b": {NAME}'),
    "newline": (_service("a\n-A INPUT -j DROP"), NAME),
    "no name": (_service(""), "metadata.name: Required value"),
    "name of a port": (
        _service(ports=[{"name": "a\n}", "port": 80}]),
        'spec.ports[0].name: Invalid value: "a\\n}": a lowercase RFC 1123 label must consist of',
    ),
    "port zero": (
        _service(ports=[{"port": 0}]),
        "spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive",
    ),
    "node port below the range": (
        _node_port(29999),
        f"spec.ports[0].nodePort: Invalid value: 29999: provided port is not in the valid range. "
        f"{NODE_PORTS}",
    ),
    "node port above the range": (_node_port(32768), NODE_PORTS),
    "node port that is taken": (
        _node_port(TAKEN_PORT),
        f"spec.ports[0].nodePort: Invalid value: {TAKEN_PORT}: provided port is already allocated",
    ),
    "cluster IP that is taken": (
        _service(clusterIP=TAKEN_ADDRESS),
        f'spec.clusterIPs: Invalid value: ["{TAKEN_ADDRESS}"]: failed to allocate IP '
        f"{TAKEN_ADDRESS}: provided IP is already allocated",
    ),
    "cluster IP outside the range": (
        _service(clusterIP="10.244.1.9"),
        "the provided IP (10.244.1.9) is not in the valid range. The range of valid IPs is "
        "10.96.0.0/12",
    ),
    "cluster IP that is none": (
        _service(clusterIP="10.96.0.1\n}"),
        'spec.clusterIPs[0]: Invalid value: "10.96.0.1\\n}": must be a valid IP address',
    ),
    "external name that is none": (
        _service(type="ExternalName", externalName="fd00::1"),
        'spec.externalName: Invalid value: "fd00::1": a lowercase RFC 1123 subdomain must consist',
    ),
    "external name with a newline": (
        _service(type="ExternalName", externalName="a.b\nerrors"),
        'spec.externalName: Invalid value: "a.b\\nerrors": a lowercase RFC 1123 subdomain must',
    ),
    "thousands of endpoints": (
        _slice(1001),
        "endpoints: Too many: 1001: must have at most 1000 items",
    ),
    "name of a slice": (_slice(1, 'a"b'), 'metadata.name: Invalid value: "a\\"b"'),
}


@pytest.fixture(scope="module", params=["iptables", "nftables-flat"])
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    options = ("--proxy", request.param)
    manifests = (SERVERS, PRESENT)
    found = shared_lab(manifests=manifests, options=options, settings=("nodes=2",))
    prepare(found)
    return found


def state(lab: RunningLab) -> list[Any]:
    """All that Services come to: the objects, and every rule of a node."""
    kinds = ("services", "endpoints", "endpointslices")
    found = [json.loads(lab.run("get", kind, "-A", "-o", "json").stdout)["items"] for kind in kinds]
    rules = "nft list ruleset; iptables-save; iptables-legacy-save"
    shown = lab.exec("node/n1", "sh", "-c", f"exec 2>/dev/null; {rules}; true")
    lines = (line for line in shown.splitlines() if not line.startswith("#"))
    return [*found, [re.sub(r"\[\d+:\d+\]|packets \d+ bytes \d+", "", line) for line in lines]]


@pytest.fixture(scope="module")
def before(running: RunningLab) -> list[Any]:
    """The state before the tests."""
    return state(running)


@pytest.mark.usefixtures("before")
@pytest.mark.parametrize("kind", BAD)
def test_it_is_refused(running: RunningLab, kind: str) -> None:
    bad, message = BAD[kind]
    text = f"{GOOD}\n---\n{yaml.safe_dump(bad)}"
    done = running.run("apply", "-f", "-", text=text, code=2)
    assert done.stdout == ""
    assert message in done.stderr
    assert done.stderr.count("testbed: ") == 1
    assert "Traceback" not in done.stderr


def test_nothing_of_it_is_there(running: RunningLab, before: list[Any]) -> None:
    """Runs after all of the above, whichever of them were chosen."""
    assert state(running) == before


def test_a_service_that_nobody_serves_is_good_and_refuses(running: RunningLab) -> None:
    """Without a selector, and without endpoints."""
    running.run("apply", "-f", "-", text=yaml.safe_dump(_service("empty", clusterIP="10.96.40.3")))
    flows = [Flow("nobody", source, "10.96.40.3", 80) for source in ("pod", "node", "client")]
    assert not check(running, flows)
    running.run("delete", "service", "empty")


def test_an_external_name_of_digits_is_a_name(running: RunningLab, before: list[Any]) -> None:
    """``ValidateService`` wants a DNS name, and ``10.0.0.1`` is one: no rule comes of it."""
    digits = _service("digits", type="ExternalName", externalName="10.0.0.1")
    running.run("apply", "-f", "-", text=yaml.safe_dump(digits))
    assert "10.0.0.1" in running.run("get", "service", "digits").stdout
    assert state(running)[-1] == before[-1]
    running.run("delete", "service", "digits")


def test_a_slice_may_have_a_thousand_endpoints(running: RunningLab, before: list[Any]) -> None:
    many = [_service("many", clusterIP="10.96.40.4"), _slice(1000, "many-1")]
    running.run("apply", "-f", "-", text=yaml.safe_dump_all(many))
    shown = running.run("get", "endpointslices", "many-1", "-o", "json").stdout
    assert len(json.loads(shown)["endpoints"]) == 1000
    assert any("10.245.3.250" in line for line in state(running)[-1])
    running.run("delete", "service", "many")
    running.run("delete", "endpointslice", "many-1")
    assert sorted(state(running)[-1]) == sorted(before[-1])
