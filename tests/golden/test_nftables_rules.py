"""What the nftables modes load for a few Services, whole, against files.

``UPDATE_GOLDEN=1 pytest tests/golden/test_nftables_rules.py`` writes the files anew.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.plan.model import Sysctl
from testbed.proxy.contract import Nft, ProxyNode, Step, modes
from testbed.proxy.program import NodeProgram

FOLDER = Path(__file__).parent / "proxy"
HERE, THERE = Endpoint("10.244.1.2", 8080, "n1"), Endpoint("10.244.2.2", 8080, "n2")
THIRD = Endpoint("10.244.2.3", 8080, "n2")


def _info(number: int, *, cluster_ip: str = "10.96.0", **more: object) -> ServicePortInfo:
    known: dict[str, object] = {"protocol": "TCP", "port": 80, **more}
    return ServicePortInfo(f"{cluster_ip}.{number}", **known)  # type: ignore[arg-type]


SERVICES: Mapping[ServicePortName, tuple[ServicePortInfo, tuple[Endpoint, ...]]] = {
    ServicePortName("default", "plain", "", "TCP"): (_info(1), (HERE, THERE)),
    ServicePortName("default", "dns", "dns", "UDP"): (
        _info(2, port=53, protocol="UDP", internal_policy_local=True),
        (HERE, THERE),
    ),
    ServicePortName("shop", "web", "http", "TCP"): (
        _info(
            3,
            node_port=30003,
            external_ips=("203.0.113.3",),
            load_balancer_vips=("198.51.100.3",),
            source_ranges=("192.168.0.0/24", "172.16.0.0/12"),
        ),
        (HERE, THERE),
    ),
    ServicePortName("shop", "near", "", "TCP"): (
        _info(4, node_port=30004, load_balancer_vips=("198.51.100.4",), external_policy_local=True),
        (HERE, THERE, THIRD),
    ),
    ServicePortName("shop", "far", "", "TCP"): (
        _info(5, node_port=30005, external_policy_local=True),
        (THERE,),
    ),
    ServicePortName("shop", "sticky", "", "TCP"): (
        _info(6, node_port=30006, affinity_seconds=10800),
        (HERE, THERE),
    ),
    ServicePortName("shop", "nobody", "", "TCP"): (
        _info(7, node_port=30007, external_ips=("203.0.113.7",)),
        (),
    ),
}
VIEW = ProxyView({n: i for n, (i, _) in SERVICES.items()}, {n: e for n, (_, e) in SERVICES.items()})


def _change() -> ProxyView:
    """An endpoint more, a Service less, one that has become reachable, an affinity that ended."""
    services, endpoints = dict(VIEW.services), dict(VIEW.endpoints)
    plain, web, nobody, sticky = (
        next(name for name in services if name.name == wanted)
        for wanted in ("plain", "web", "nobody", "sticky")
    )
    endpoints |= {plain: (HERE, THERE, THIRD), nobody: (HERE,)}
    services[sticky] = _info(6, node_port=30006)
    del services[web], endpoints[web]
    return ProxyView(services, endpoints)


def _text(steps: tuple[Step, ...]) -> str:
    parts = []
    for step in steps:
        if isinstance(step, Sysctl):
            continue
        assert isinstance(step, Nft)
        parts.append(step.text)
    return "# transaction\n" + "# transaction\n".join(parts)


@pytest.mark.parametrize("mode", ["nftables", "nftables-flat"])
def test_rules_are_these(mode: str) -> None:
    found = modes.get(mode)
    node = ProxyNode("n1", ("192.168.0.11", "192.168.1.11"), settings=found.settings)
    full, program = NodeProgram(found, node).update(VIEW)
    change, _ = program.update(_change())
    for name, steps in (("full", full), ("change", change)):
        file = FOLDER / f"{mode}-{name}.nft"
        if os.environ.get("UPDATE_GOLDEN"):
            FOLDER.mkdir(exist_ok=True)
            file.write_text(_text(steps))
        assert _text(steps) == file.read_text()


@pytest.mark.parametrize("mode", ["nftables", "nftables-flat"])
def test_the_same_view_needs_no_step(mode: str) -> None:
    found = modes.get(mode)
    node = ProxyNode("n1", ("192.168.0.11",), settings=found.settings)
    _, program = NodeProgram(found, node).update(VIEW)
    again = ProxyView(dict(VIEW.services), dict(VIEW.endpoints))
    assert program.update(again)[0] == ()
