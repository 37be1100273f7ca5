"""Which node is the gateway of which pods, where to, and what is refused of policies."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest
from cluster_builders import namespace, new, pod

from testbed import cluster as clusters
from testbed.cluster import Cluster, egressgateways
from testbed.cluster.egress import ranges
from testbed.errors import InputError
from testbed.objects import EgressPolicy, from_manifest
from testbed.plan import egresscheck, egressgateway
from testbed.plan.model import NextHop, Route

HOST = "kubernetes.io/hostname"


def policy(name: str = "p", **spec: Any) -> EgressPolicy:
    """A policy for all pods and destinations, with n2 or n3 as its gateway."""
    nodes = {"matchExpressions": [{"key": HOST, "operator": "In", "values": ["n3", "n2"]}]}
    usual = {
        "selectors": [{"podSelector": {}}],
        "destinationCIDRs": ["0.0.0.0/0"],
        "egressGateway": {"nodeSelector": nodes, "egressIP": "192.168.0.50"},
    }
    found = from_manifest(
        {
            "apiVersion": "cilium.io/v2",
            "kind": "CiliumEgressGatewayPolicy",
            "metadata": {"name": name},
            "spec": {**usual, **spec},
        }
    )
    assert isinstance(found, EgressPolicy)
    return found


def gateway(*names: str, address: str | None = None) -> dict[str, Any]:
    term = {"key": HOST, "operator": "In", "values": list(names)}
    chosen = {"egressIP": address} if address else {}
    return {"nodeSelector": {"matchExpressions": [term]}, **chosen}


def cluster(*policies: EgressPolicy, dead: tuple[str, ...] = (), **options: Any) -> Cluster:
    """With the pods ``a`` on n1, labelled app=a, and ``b`` on n2 in namespace ``team``."""
    from dataclasses import replace

    pods = (
        pod("a", node="n1", labels={"app": "a"}),
        pod("b", node="n2", where="team", labels={"app": "b"}),
    )
    made = clusters.apply(new(**options), [namespace("team"), *pods, *policies])
    return replace(made, dead=frozenset(dead))


def chosen(found: Cluster) -> set[str]:
    return {one.key[1] for one, _ in egressgateways.routed(found)}


@pytest.mark.parametrize(
    ("dead", "seer", "name"),
    [
        ((), "n1", "n2"),
        (("n2",), "n1", "n3"),
        (("n2",), "n2", "n2"),  # to itself a node lives
        (("n1", "n2", "n3"), "n3", "n3"),
        (("n2", "n3"), "n1", None),
    ],
)
def test_the_first_living_node_by_name_is_the_gateway(
    dead: tuple[str, ...], seer: str, name: str | None
) -> None:
    made = cluster(policy(), dead=dead)
    found = egressgateways.gateway(made, policy(), made.node(seer))
    assert (found and found.name) == name


@pytest.mark.parametrize(
    ("selectors", "names"),
    [
        ([], set()),
        ([{"podSelector": {}}], {"a", "b"}),
        ([{"namespaceSelector": {}}], {"a", "b"}),
        ([{"podSelector": {"matchLabels": {"app": "a"}}}], {"a"}),
        ([{"podSelector": {"matchLabels": {"io.kubernetes.pod.namespace": "team"}}}], {"b"}),
        (
            [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team"}}}],
            {"b"},
        ),
        (
            [
                {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "team"}},
                    "podSelector": {"matchLabels": {"app": "a"}},
                }
            ],
            set(),
        ),
        ([{"podSelector": {}, "nodeSelector": {"matchLabels": {HOST: "n1"}}}], {"a"}),
    ],
)
def test_pods_are_chosen_by_labels(selectors: list[Any], names: set[str]) -> None:
    assert chosen(cluster(policy(selectors=selectors))) == names


def test_the_longest_prefix_counts_over_all_policies() -> None:
    wide = policy("wide", excludedCIDRs=["203.0.113.0/24"])
    near = policy("near", destinationCIDRs=["203.0.113.128/25", "0.0.0.0/0"])
    made = cluster(wide, near)
    found = egressgateways.destinations(made, made.pods["default", "a"])
    assert list(found.items()) == [
        (IPv4Network("203.0.113.128/25"), near),
        (IPv4Network("203.0.113.0/24"), None),
        (IPv4Network("0.0.0.0/0"), near),  # the first by name
    ]


def test_without_a_gateway_a_table_has_a_blackhole_only() -> None:
    made = cluster(policy(), dead=("n2", "n3"))
    (route,) = egressgateway.plan(made).namespaces["node/n1"].routes
    assert route == Route("0.0.0.0/0", kind="blackhole", table=2000, metric=2**32 - 1)


def test_when_a_gateway_dies_others_change_one_route() -> None:
    before, after = (
        egressgateway.plan(cluster(policy(), dead=dead)).namespaces["node/n1"]
        for dead in ((), ("n2",))
    )
    assert set(after.routes) - set(before.routes) == {
        Route("0.0.0.0/0", (NextHop("192.168.0.13", "egress", onlink=True),), table=2000)
    }
    assert before.routing_rules == after.routing_rules
    assert before.rules == after.rules


def test_without_an_address_the_gateways_own_is_taken() -> None:
    made = cluster(policy(egressGateway=gateway("n2")))
    part = egressgateway.plan(made).namespaces["node/n2"]
    assert not part.addresses
    assert "--to-source 192.168.0.12\n" in part.rules[-1].text


def test_without_a_policy_there_is_nothing() -> None:
    assert not egressgateway.plan(cluster()).namespaces


@pytest.mark.parametrize(
    ("egress", "reason"),
    [
        (gateway("n2", address="198.18.0.1"), "no address on the link of node n2"),
        (gateway("n2", address="192.168.0.255"), "no address on the link of node n2"),
        (gateway("n2", address="192.168.0.13"), "is the address of n3"),
        (gateway("n2", "n3", address="192.168.0.12"), "is the address of n2"),
        (gateway("n1", address="192.168.0.50"), "the address of policy other, too"),
    ],
)
def test_an_address_that_no_gateway_can_have_is_refused(egress: Any, reason: str) -> None:
    made = cluster(policy("other"), policy(egressGateway=egress))
    with pytest.raises(InputError, match=reason) as caught:
        egresscheck.check(made)
    assert "spec.egressGateway.egressIP" in str(caught.value)


def test_a_node_can_be_the_gateway_with_its_own_address() -> None:
    egresscheck.check(cluster(policy(egressGateway=gateway("n2", address="192.168.0.12"))))


def test_exempt_networks_are_networks() -> None:
    assert ranges("") == ()
    assert ranges("10.0.0.0/8, 192.0.2.1,10.0.0.0/8") == ("10.0.0.0/8", "192.0.2.1/32")
    for bad in ("10.0.0.1/8", "::/0", "10.0.0.0/8,", "x", "10.0.0.0/8 -j DROP"):
        with pytest.raises(InputError, match="egress_exempt"):
            ranges(bad)
