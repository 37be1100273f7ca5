"""The packet flows of kube-proxy's own tests (``service.json``), by real connections on labs.

They are in a folder of reference data that is not part of the project; where it is absent there
are no groups. Addresses are mapped to those of a lab: ``testnode`` is n1, which has two addresses
as it has (``two-addresses.yaml``), other nodes are n2.

Scenarios with the same options are a :class:`Group` and share one lab. Where the reference says
that a mode answers otherwise than the file, which is about iptables, :data:`DIFFERENT` has it.

As a program it tries one proxy mode, for places where pytest is not, like a virtual machine::

    python tests/servicecases.py ipvs [CNI]

It prints JSON: of each group what is not as it should be, ``{"options …": [message …]}``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from labs import RunningLab, StartLab
from servicetraffic import ADDRESSES, LOCAL, NODE, PODS, REMOTE, Flow, check, prepare
from servicetraffic import service as manifest

from testbed.go import build

FILE = Path(__file__).parents[2] / "shared" / "conformance" / "service.json"
REAL = "kube-proxy"
TOPOLOGY = str(Path(__file__).with_name("two-addresses.yaml"))
SECOND = "192.168.1.11"
SOURCES = {"10.0.0.2": "pod", "192.168.0.2": "node", "127.0.0.1": "localhost"}
NODES = {"192.168.0.2": NODE, "192.168.1.2": SECOND, "127.0.0.1": "127.0.0.1"}

ABSENT = "needs kube-proxy: python -m testbed.go.build kube-proxy"
MODES = (
    "iptables",
    "nftables",
    "nftables-flat",
    *(
        pytest.param(
            mode,
            marks=pytest.mark.skipif(not (build.find(REAL) or build.compiler()), reason=ABSENT),
        )
        for mode in ("kube-proxy-iptables", "kube-proxy-nftables")
    ),
)
"""The proxy modes that need no virtual machine and know all that the file asks for."""

PRIMARY_ONLY = "node ports are at the node's first address only, and not at 127.0.0.1"
NOT_ON_LOCALHOST = "node ports are not at 127.0.0.1"
DIFFERENT: dict[str, dict[str, str]] = {
    # pkg/proxy/nftables/proxier.go: ``--nodeport-addresses`` is ``primary`` by default, and
    # addresses of loopback are left out
    "nftables": {"192.168.1.2": PRIMARY_ONLY, "127.0.0.1": PRIMARY_ONLY},
    # pkg/proxy/ipvs/proxier.go, syncProxyRules: node ports are virtual servers at the addresses
    # of the node, but those of loopback are left out (``if !ip.IsLoopback()``)
    "ipvs": {"127.0.0.1": NOT_ON_LOCALHOST},
}
"""Kind of mode → destination of node ports, as the file has it → why nobody answers there."""


def kind_of(mode: str) -> str:
    """What a mode answers like: ``iptables``, ``nftables`` or ``ipvs``."""
    return mode.removeprefix("kube-proxy-").removesuffix("-flat")


@dataclass(frozen=True)
class Group:
    """Scenarios that share a lab.

    Attributes:
        name: For people.
        options: Of the scenarios, as the file has them.
        settings: ``--set`` of the lab.
        iptables_only: Further ones, which other modes neither have nor need.
    """

    name: str
    options: tuple[tuple[str, Any], ...]
    settings: tuple[str, ...] = ()
    iptables_only: tuple[str, ...] = ()

    def scenarios(self) -> list[dict[str, Any]]:
        """Its scenarios; none if the file is not there."""
        if not FILE.exists():
            return []
        every = json.loads(FILE.read_text())["scenarios"]
        return [one for one in every if one["options"].items() >= dict(self.options).items()]

    def settings_for(self, mode: str) -> tuple[str, ...]:
        """``--set`` of a lab with a mode."""
        return self.settings + (self.iptables_only if kind_of(mode) == "iptables" else ())


GROUPS = (
    Group("defaults", (("localDetector", True), ("localhostNodePorts", True))),
    Group("no local detector", (("localDetector", False),), ("detect_local=false",)),
    Group(
        "nodeport-addresses",
        (("localhostNodePorts", False),),
        ("nodeport_addresses=192.168.0.0/24,192.168.1.0/24",),
        ("localhost_nodeports=false",),
    ),
)


class Case:
    """A scenario on a lab.

    Args:
        scenario: As it is in the file.
        number: Keeps the addresses of one case apart from another's.
        mode: The lab's proxy mode.
    """

    def __init__(self, scenario: dict[str, Any], number: int, mode: str) -> None:
        self._scenario, self._mode = scenario, mode
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
        """Its flows, as the mode is to answer them."""
        return [self._flow(one) for one in self._scenario["flows"]]

    def _flow(self, one: dict[str, Any]) -> Flow:
        expected, source = one["expect"], SOURCES.get(one["src"], "client")
        found = (end.partition(":")[0] for end in expected.get("endpoints", ()))
        servers = tuple(self._server[address] for address in found)
        masquerade = expected.get("masquerade")
        if source == "client" and not masquerade and not set(servers) <= set(LOCAL):
            masquerade = None  # Flannel masquerades what comes from outside to another node's pods
        if kind_of(self._mode) == "ipvs" and self._is_local(one):
            # pkg/proxy/ipvs/proxier.go, syncEndpoint: the node's own, whoever asks
            servers = tuple(one for one in servers if one in LOCAL) or servers
        if reason := self._different(one["dst"]):
            servers = ()
        return Flow(
            f"{self._scenario['id']}: {one['name']}" + (f" ({reason})" if reason else ""),
            source,
            self._address[one["dst"]],
            self._port[one["dport"]],
            servers,
            masquerade,
            "silent" if expected["action"] == "drop" and not reason else "refused",
        )

    def _is_local(self, one: dict[str, Any]) -> bool:
        """Whether a flow goes to an external address or node port with the policy ``Local``."""
        return any(
            service.get("externalTrafficPolicy") == "Local"
            and (
                one["dst"] in (*service.get("loadBalancerIPs", ()), *service.get("externalIPs", ()))
                or one["dport"] == service["ports"][0].get("nodePort")
            )
            for service in self._scenario["services"]
        )

    def _different(self, destination: str) -> str:
        """Why nobody answers in this mode; empty if the file is right."""
        reason = DIFFERENT.get(kind_of(self._mode), {}).get(destination, "")
        ranges = self._scenario["options"]["nodePortAddresses"]
        return "" if reason == PRIMARY_ONLY and ranges and destination in SECONDS else reason


SECONDS = ("192.168.1.2",)
"""The addresses of ``testnode`` that node ports have if ``nodePortAddresses`` asks for them."""


def cases(group: Group, mode: str) -> list[Case]:
    """The scenarios of a group."""
    return [Case(scenario, number, mode) for number, scenario in enumerate(group.scenarios())]


def wrong(start: StartLab, group: Group, mode: str, cni: str) -> list[str]:
    """Tries all scenarios of a group on one lab; what is not as it should be.

    Args:
        start: Starts the lab, and ends it some time.
        group: The group; it must have scenarios.
        mode: The proxy mode.
        cni: The CNI mode.
    """
    some = cases(group, mode)
    running = start(
        topology=TOPOLOGY,
        cni=cni,
        manifests=["\n---\n".join([PODS, *(case.manifest for case in some)])],
        options=("--proxy", mode),
        settings=group.settings_for(mode),
    )
    prepare(running, second=SECOND)
    return check(running, [flow for case in some for flow in case.flows()])


def main(argv: Sequence[str]) -> int:
    """Prints what is wrong with a mode; the exit code is 1 if something is."""
    mode, cni = argv[0], argv[1] if len(argv) > 1 else "vxlan"
    found = {group.name: _alone(group, mode, cni) for group in GROUPS if group.scenarios()}
    print(json.dumps(found, indent=1))
    return 0 if found and not any(found.values()) else 1


def _alone(group: Group, mode: str, cni: str) -> list[str]:
    labs: list[RunningLab] = []

    def start(
        topology: str,
        cni: str,
        manifests: Sequence[str],
        options: Sequence[str],
        settings: Sequence[str],
    ) -> RunningLab:
        chosen = [word for setting in settings for word in ("--set", setting)]
        labs.append(RunningLab(["-t", topology, "--cni", cni, *chosen, *options], manifests))
        return labs[-1]

    try:
        return wrong(start, group, mode, cni)
    finally:
        for running in labs:
            running.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
