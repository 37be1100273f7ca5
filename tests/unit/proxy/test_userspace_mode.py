"""Proxy mode userspace: what the relay is told, and the rules that lead to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from randomviews import views

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.proxy.contract import IptablesRestore, ProxyNode, Step, modes
from testbed.proxy.program import NodeProgram
from testbed.proxy.relay import Backend, Place, Relay
from testbed.proxy.shell import render

MODE = modes.get("userspace")
NODE = ProxyNode("n1", ("192.168.0.11",))
WEB, DNS = ServicePortName("shop", "web", "", "TCP"), ServicePortName("shop", "dns", "", "UDP")
HERE, THERE = Endpoint("10.244.1.2", 8080, "n1"), Endpoint("10.244.2.2", 8080, "n2")


def test_a_load_and_a_change() -> None:
    web = ServicePortInfo(
        "10.96.0.7", 80, "TCP", node_port=30001, external_ips=("203.0.113.1",), affinity_seconds=60
    )
    dns = ServicePortInfo("10.96.0.8", 53, "UDP")
    view = ProxyView({WEB: web, DNS: dns}, {WEB: (HERE, THERE)})
    (relay, rules), program = NodeProgram(MODE, NODE).update(view)
    assert isinstance(relay, Relay)
    assert relay.backends == {
        "shop/web/TCP": Backend((("10.244.1.2", 8080), ("10.244.2.2", 8080)), 60),
        "shop/dns/UDP": Backend(()),
    }
    assert relay.places == {
        Place("TCP", "10.96.0.7", 80): "shop/web/TCP",
        Place("TCP", "203.0.113.1", 80): "shop/web/TCP",
        Place("TCP", "", 30001): "shop/web/TCP",
        Place("UDP", "10.96.0.8", 53): "shop/dns/UDP",
    }
    assert isinstance(rules, IptablesRestore)
    assert rules.text.count("-j DNAT --to-destination 192.168.0.11:20240-20247") == 8
    (step,), program = program.update(ProxyView({WEB: web}, {WEB: (THERE,)}))
    assert isinstance(step, Relay)
    assert step.backends == {"shop/web/TCP": Backend((("10.244.2.2", 8080),), 60)}
    assert not step.places
    assert (step.gone, step.gone_places) == (("shop/dns/UDP",), (Place("UDP", "10.96.0.8", 53),))


def test_a_load_as_commands() -> None:
    web = ServicePortInfo("10.96.0.7", 80, "TCP", node_port=30001)
    steps, _ = NodeProgram(MODE, NODE).update(ProxyView({WEB: web}, {WEB: (HERE,)}))
    text = render({"node/n1": steps})
    for line in ("add KUBE-PORTALS 10.96.0.7,tcp:80", "add KUBE-NODEPORT-TCP 30001"):
        assert f"\n{line}\n" in text
    assert text.index("create KUBE-PORTALS hash:ip,port") < text.index("iptables-restore")


def test_sctp_is_not_relayed() -> None:
    name = ServicePortName("shop", "calls", "", "SCTP")
    view = ProxyView({name: ServicePortInfo("10.96.0.9", 80, "SCTP")}, {name: (HERE,)})
    (relay, _), _ = NodeProgram(MODE, NODE).update(view)
    assert isinstance(relay, Relay)
    assert not relay.places


@pytest.mark.parametrize("seed", range(10))
def test_random_changes_lead_to_what_a_full_load_makes(seed: int) -> None:
    program, state = NodeProgram(MODE, NODE), State()
    for view in views(seed, steps=8):
        steps, program = program.update(view)
        state.apply(steps)
        whole = State()
        whole.apply(NodeProgram(MODE, NODE).update(view)[0])
        assert state == whole


@dataclass
class State:
    """What a relay knows."""

    backends: dict[str, Backend] = field(default_factory=dict)
    places: dict[Place, str] = field(default_factory=dict)

    def apply(self, steps: Iterable[Step]) -> None:
        for one in steps:
            if isinstance(one, Relay):
                self.backends |= one.backends
                self.places |= one.places
                for name in one.gone:
                    del self.backends[name]
                for place in one.gone_places:
                    del self.places[place]
