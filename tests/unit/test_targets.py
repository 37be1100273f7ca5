"""What can fail in a lab, by its name."""

from __future__ import annotations

import pytest

from testbed import spec
from testbed.errors import InputError
from testbed.plan import targets
from testbed.plan.model import Daemon, NamespacePlan, Plan
from testbed.topology.model import Host, Interface, Link, Topology

LEAFSPINE = spec.resolve("leafspine", cni="vxlan")


def pair(*links: Link) -> Topology:
    ends = tuple(Interface(f"e{i}", f"10.0.{i}.1/24", i) for i in range(len(links)))
    names = dict.fromkeys(name for link in links for name in (link.a, link.b))
    return Topology("pair", tuple(Host(name, "node", ends) for name in names), (), links)


def test_a_link_has_its_ends_names_in_either_order() -> None:
    (link,) = targets.links(LEAFSPINE.topology, "l1-sp2")
    assert {link.a, link.b} == {"l1", "sp2"}
    assert targets.links(LEAFSPINE.topology, "sp2-l1") == (link,)


def test_names_may_have_dashes() -> None:
    link = Link("a-b", "x", "c-d-e", "y")
    assert targets.links(pair(link), "c-d-e-a-b") == (link,)


def test_parallel_links_fail_together() -> None:
    links = (Link("a", "x0", "b", "y0"), Link("b", "y1", "a", "x1"))
    assert targets.links(pair(*links), "a-b") == links


def test_any_host_can_be_partitioned() -> None:
    names = [targets.namespace(LEAFSPINE.topology, name) for name in ("n1", "l1", "client")]
    assert names == ["node/n1", "router/l1", "external/client"]


def test_a_daemon_is_that_of_a_host_or_of_all_switches() -> None:
    own = Daemon("ovsdb-server", ("ovsdb-server",))
    plan = LEAFSPINE.plan + Plan({"fabric": NamespacePlan(daemons=(own,))})
    assert targets.daemon(plan, "fabric/ovsdb-server") == ("fabric", own)
    host, daemon = targets.daemon(plan, "l1/bgpd")
    assert (host, daemon.name) == ("l1", "bgpd")


@pytest.mark.parametrize(
    ("kind", "target", "message"),
    [
        ("link", "l1-sp3", "unknown link of leafspine 'l1-sp3'\n  Did you mean 'l1-sp"),
        ("node", "s1", "unknown host of leafspine 's1'"),
        ("daemon", "l1/bgp", "unknown daemon 'l1/bgp'\n  Did you mean 'l1/bgpd'?"),
        ("rack", "1", "unknown kind of failure 'rack'"),
    ],
)
def test_what_a_lab_does_not_have(kind: str, target: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        targets.check(kind, target, LEAFSPINE.topology, LEAFSPINE.plan)
    assert str(caught.value).startswith(message)


def test_a_lab_without_daemons() -> None:
    single = spec.resolve("single", cni="vxlan")
    with pytest.raises(InputError, match="no daemon 'n1/bgpd': this lab has no daemons"):
        targets.check("daemon", "n1/bgpd", single.topology, single.plan)
