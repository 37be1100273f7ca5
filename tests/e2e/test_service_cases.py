"""The packet flows of kube-proxy's own tests, by real connections on labs.

They are in a folder of reference data that is not part of the project; without it the tests are
skipped. Addresses are mapped to those of a lab: ``testnode`` is n1, other nodes are n2.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from labs import RunningLab, StartLab
from servicetraffic import ADDRESSES, LOCAL, NODE, PODS, REMOTE, SECOND, Flow, check, prepare
from servicetraffic import service as manifest

pytestmark = pytest.mark.e2e

FILE = Path(__file__).parents[3] / "shared" / "conformance" / "service.json"
SCENARIOS: list[dict[str, Any]] = json.loads(FILE.read_text())["scenarios"] if FILE.exists() else []
MODES = ("iptables",)
SOURCES = {"10.0.0.2": "pod", "192.168.0.2": "node", "127.0.0.1": "localhost"}
NODES = {"192.168.0.2": NODE, "192.168.1.2": SECOND, "127.0.0.1": "127.0.0.1"}


class Case:
    """A scenario on a lab.

    Args:
        scenario: As it is in the file.
        number: Keeps the addresses of one case apart from another's.
    """

    def __init__(self, scenario: dict[str, Any], number: int) -> None:
        self._scenario = scenario
        self._address: dict[str, str] = dict(NODES)
        self._port: dict[int, int] = {80: 80}
        self._server: dict[str, str] = {}
        self.manifest = "\n---\n".join(
            self._service(one, 10 * number + i) for i, one in enumerate(scenario["services"])
        )

    def _service(self, one: dict[str, Any], number: int) -> str:
        (port,) = one["ports"]
        spec: dict[str, Any] = {k: one[k] for k in one if k.endswith("TrafficPolicy")}
        spec["clusterIP"] = self._map(one["clusterIP"], f"10.96.20.{number + 1}")
        if "nodePort" in port or "loadBalancerIPs" in one:
            spec["type"] = "LoadBalancer" if "loadBalancerIPs" in one else "NodePort"
        if "nodePort" in port:
            spec["nodePort"] = self._port[port["nodePort"]] = 30100 + number
        for address in one.get("externalIPs", ()):
            spec["externalIPs"] = [self._map(address, f"203.0.113.{number + 100}")]
        for address in one.get("loadBalancerIPs", ()):
            spec["loadBalancerIP"] = self._map(address, f"198.51.100.{number + 100}")
        return manifest(f"case-{number}", [self._endpoint(e) for e in one["endpoints"]], **spec)

    def _map(self, theirs: str, ours: str) -> str:
        self._address[theirs] = ours
        return ours

    def _endpoint(self, one: dict[str, Any]) -> dict[str, Any]:
        here = one.get("node") == "testnode"
        if one["ip"] not in self._server:
            free = [s for s in (LOCAL if here else REMOTE) if s not in self._server.values()]
            self._server[one["ip"]] = free[0]
        states = {key: one[key] for key in ("ready", "serving", "terminating") if key in one}
        address = ADDRESSES[self._server[one["ip"]]]
        node = {"nodeName": "n1" if here else "n2"} if "node" in one else {}
        return {"addresses": [address], "conditions": states, **node}

    def flows(self) -> list[Flow]:
        """Its flows."""
        return [self._flow(one) for one in self._scenario["flows"] if not self._odd(one)]

    def _odd(self, one: dict[str, Any]) -> bool:
        """Whether node ports are asked for by ranges at an address that only this test knows."""
        ranges = self._scenario["options"]["nodePortAddresses"]
        return bool(ranges) and one["dst"] == "192.168.1.2"

    def _flow(self, one: dict[str, Any]) -> Flow:
        expected, source = one["expect"], SOURCES.get(one["src"], "client")
        found = (end.partition(":")[0] for end in expected.get("endpoints", ()))
        servers = tuple(self._server[address] for address in found)
        masquerade = expected.get("masquerade")
        if source == "client" and not masquerade and not set(servers) <= set(LOCAL):
            masquerade = None  # Flannel masquerades what comes from outside to another node's pods
        return Flow(
            f"{self._scenario['id']}: {one['name']}",
            source,
            self._address[one["dst"]],
            self._port[one["dport"]],
            servers,
            masquerade,
            "silent" if expected["action"] == "drop" else "refused",
        )


def cases(options: dict[str, Any]) -> list[Case]:
    found = [scenario for scenario in SCENARIOS if scenario["options"].items() >= options.items()]
    return [Case(scenario, number) for number, scenario in enumerate(found)]


def lab_of(start: StartLab, mode: str, some: list[Case], **asked: Any) -> RunningLab:
    if not some:
        pytest.skip(f"{FILE} is not there")
    manifests = ("\n---\n".join([PODS, *(case.manifest for case in some)]),)
    running = start(
        manifests=manifests,
        options=("--proxy", mode),
        **{**asked, "settings": ("nodes=2", *asked.get("settings", ()))},
    )
    prepare(running)
    return running


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cni", ["vxlan", "bgp"])
def test_flows(lab: StartLab, mode: str, cni: str) -> None:
    some = cases({"localDetector": True, "localhostNodePorts": True})
    running = lab_of(lab, mode, some, cni=cni)
    assert not check(running, [flow for case in some for flow in case.flows()])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({"localDetector": False}, ("detect_local=false",)),
        (
            {"localhostNodePorts": False},
            ("nodeport_addresses=192.168.0.0/24,192.168.1.0/24", "localhost_nodeports=false"),
        ),
    ],
    ids=["no local detector", "nodeport-addresses"],
)
def test_flows_with_options(
    lab: StartLab, mode: str, options: dict[str, Any], settings: tuple[str, ...]
) -> None:
    some = cases(options)
    running = lab_of(lab, mode, some, settings=settings)
    assert not check(running, [flow for case in some for flow in case.flows()])
