"""Rules of the routing policy database and tables of their own, and rules that are taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from testbed.plan.model import (
    Address,
    IptablesRules,
    NamespacePlan,
    NextHop,
    Route,
    RoutingRule,
    Veth,
    Vxlan,
)

pytestmark = pytest.mark.kernel

LINK = Veth("n1-eth0", "n2-eth0", "node/n2", "02:00:00:00:00:02", 1500, mac="02:00:00:00:00:01")
BASE = NamespacePlan(links=(LINK,), addresses=(Address("n1-eth0", "192.168.0.11/24"),))
OTHER = NamespacePlan(addresses=(Address("n2-eth0", "192.168.0.12/24"),))
TUNNEL = Vxlan("egress", 2, 8473, "192.168.0.11", "n1-eth0", "0e:e9:c0:a8:00:0b", 1450)
CHAIN = "*nat\n:OWN - [0:0]\n{rules}COMMIT\n"
HOOK = IptablesRules(
    "hook",
    "*nat\n:OWN - [0:0]\n-I POSTROUTING 1 -j OWN\nCOMMIT\n",
    "*nat\n-D POSTROUTING -j OWN\n-F OWN\n-X OWN\nCOMMIT\n",
)
FIRST = IptablesRules(
    "rules", CHAIN.format(rules="-A OWN -d 192.0.2.1/32 -j ACCEPT\n"), CHAIN.format(rules="")
)
SECOND = replace(FIRST, text=CHAIN.format(rules="-A OWN -d 192.0.2.2/32 -j ACCEPT\n"))
ADDED = NamespacePlan(
    links=(TUNNEL,),
    routes=(
        Route("0.0.0.0/0", kind="blackhole", table=2000, metric=2**32 - 1),
        Route("0.0.0.0/0", (NextHop("192.168.0.12", "egress", onlink=True),), table=2000),
    ),
    routing_rules=(
        RoutingRule(2000, mark=0x2000),
        RoutingRule(2000, destination="10.0.0.0/8"),
        RoutingRule(2001, "10.244.1.2/32", "203.0.113.0/24", 2000),
    ),
    rules=(HOOK, FIRST),
)


def shown(kernel: Any) -> tuple[Any, ...]:
    lines = ("ip rule", "ip route show table all", "ip -d link show type vxlan")
    return tuple(kernel.ask("node/n1", line) for line in lines)


def test_rules_lead_to_tables(kernel: Any) -> None:
    kernel.become(node_n1=BASE, node_n2=OTHER)
    before = shown(kernel)
    kernel.become(node_n1=BASE + ADDED, node_n2=OTHER)
    found = [rule for rule in kernel.ask("node/n1", "ip rule") if rule["priority"] in (2000, 2001)]
    keys = ("priority", "src", "dst", "dstlen", "fwmark", "fwmask", "table")
    assert [tuple(rule.get(key) for key in keys) for rule in found] == [
        (2000, "all", None, None, "0x2000", "0x2000", "main"),
        (2000, "all", "10.0.0.0", 8, None, None, "main"),
        (2001, "10.244.1.2", "203.0.113.0", 24, None, None, "2000"),
    ]
    routes = kernel.ask("node/n1", "ip route show table 2000")
    assert [(r.get("type"), r.get("gateway"), r.get("metric")) for r in routes] == [
        (None, "192.168.0.12", None),
        ("blackhole", None, 2**32 - 1),
    ]
    kernel.become(node_n1=BASE, node_n2=OTHER)
    assert shown(kernel) == before


def test_iptables_rules_go_when_their_owner_does(kernel: Any) -> None:
    def rules() -> list[str]:
        text: str = kernel.say("node/n1", "iptables-save -t nat")
        return [line for line in text.splitlines() if "OWN" in line]

    kernel.become(node_n1=BASE, node_n2=OTHER)
    kernel.become(node_n1=BASE + ADDED, node_n2=OTHER)
    assert rules()[1:] == ["-A POSTROUTING -j OWN", "-A OWN -d 192.0.2.1/32 -j ACCEPT"]
    kernel.become(node_n1=BASE + replace(ADDED, rules=(HOOK, SECOND)), node_n2=OTHER)
    assert rules()[1:] == ["-A POSTROUTING -j OWN", "-A OWN -d 192.0.2.2/32 -j ACCEPT"]
    kernel.become(node_n1=BASE, node_n2=OTHER)
    assert not rules()
