"""Addresses and nodes of pods: which they get, and why they get none."""

from __future__ import annotations

import pytest
from cluster_builders import apply, delete, deployment, new, placed, pod

from testbed.cluster import Cluster
from testbed.errors import InputError
from testbed.objects import Object

SMALL = {"pod_cidr": "10.1.0.0/24", "node_cidr_mask_size": 29}  # 5 pods a node


def test_pods_get_the_lowest_free_address_after_the_gateways() -> None:
    cluster = apply(new(1), pod("a"), pod("b"))
    assert placed(cluster) == ["a n1 10.244.1.2", "b n1 10.244.1.3"]


def test_an_address_that_was_given_back_is_given_again() -> None:
    cluster = apply(new(1), pod("a"), pod("b"), pod("c"))
    cluster = delete(cluster, ("Pod", "default", "b"))
    assert placed(apply(cluster, pod("d")))[-1] == "d n1 10.244.1.3"


def test_pods_spread_over_the_nodes_in_order() -> None:
    cluster = apply(new(3), *(pod(f"p{i}") for i in range(4)))
    assert [one.split()[1] for one in placed(cluster)] == ["n1", "n2", "n3", "n1"]


def test_a_deployment_spreads_by_itself_first() -> None:
    crowded = apply(new(3), *(pod(f"p{i}", node="n1") for i in range(5)))
    cluster = apply(crowded, deployment("web", 3))
    assert sorted(b.node for b in cluster.pods.values() if b.owner) == ["n1", "n2", "n3"]


def test_then_the_emptiest_node_is_preferred() -> None:
    crowded = apply(new(3), pod("a", node="n1"), pod("b", node="n2"))
    cluster = apply(crowded, deployment("web", 1))
    assert [b.node for b in cluster.pods.values() if b.owner] == ["n3"]


def test_node_selector() -> None:
    there = {"kubernetes.io/hostname": "n3"}
    assert placed(apply(new(3), pod("a", selector=there))) == ["a n3 10.244.3.2"]


def test_zone_selector() -> None:
    cluster = new(2, topology="twozone")
    zones = {n.name: n.labels["topology.kubernetes.io/zone"] for n in cluster.nodes}
    there = {"topology.kubernetes.io/zone": "b"}
    chosen = apply(cluster, deployment("web", 4, nodeSelector=there))
    assert {zones[b.node] for b in chosen.pods.values()} == {"b"}


def test_the_address_asked_for_decides_the_node() -> None:
    assert placed(apply(new(3), pod("a", address="10.244.2.9"))) == ["a n2 10.244.2.9"]


def test_an_address_asked_for_is_kept_free_for_it() -> None:
    cluster = apply(new(1), pod("a"), pod("b"), pod("c", address="10.244.1.2"))
    assert placed(cluster) == ["a n1 10.244.1.3", "b n1 10.244.1.4", "c n1 10.244.1.2"]


def test_a_full_node_is_passed_by() -> None:
    cluster = apply(new(2, **SMALL), *(pod(f"p{i}", node="n1") for i in range(5)))
    cluster = apply(cluster, deployment("web", 5))
    assert [b.node for b in cluster.pods.values() if b.owner] == ["n2"] * 5


def test_a_share_has_room_for_as_many_as_it_says() -> None:
    cluster = apply(new(1, **SMALL), *(pod(f"p{i}", node="n1") for i in range(5)))
    assert [one.split()[2] for one in placed(cluster)] == [f"10.1.0.{i}" for i in range(10, 15)]


FULL = [pod(f"p{i}", node="n1") for i in range(5)]
ERRORS: list[tuple[str, Cluster, list[Object], str]] = [
    (
        "unknown node",
        new(3),
        [pod("a", node="n11")],
        "unknown node 'n11'\n  Did you mean 'n1'? Known: n1, n2, n3.",
    ),
    (
        "no node matches",
        new(3),
        [pod("a", selector={"disk": "ssd"})],
        "no node fits pod 'a': 0/3 nodes match its nodeSelector and have an address left\n"
        "  Take more nodes (--set nodes=N), a larger pod_cidr, or another nodeSelector.",
    ),
    (
        "all full",
        new(1, **SMALL),
        [*FULL, pod("a")],
        "no node fits pod 'a': 0/1 nodes match its nodeSelector and have an address left\n"
        "  Take more nodes (--set nodes=N), a larger pod_cidr, or another nodeSelector.",
    ),
    (
        "the named node is full",
        new(2, **SMALL),
        [*FULL, pod("a", node="n1")],
        "node n1 has no address left in 10.1.0.8/29 (5 pods fit)\n"
        "  Take more nodes, or --set a larger pod_cidr with a smaller node_cidr_mask_size.",
    ),
    (
        "address in nobody's range",
        new(2),
        [pod("a", address="10.244.9.9")],
        "address 10.244.9.9 is in no node's range\n  Ranges: n1 10.244.1.0/24, n2 10.244.2.0/24.",
    ),
    (
        "the gateway's address",
        new(1),
        [pod("a", address="10.244.1.1")],
        "address 10.244.1.1 is in no node's range\n  Ranges: n1 10.244.1.0/24.",
    ),
    (
        "the broadcast address",
        new(1),
        [pod("a", node="n1", address="10.244.1.255")],
        "address 10.244.1.255 is not one for pods of node n1, which has 10.244.1.0/24\n"
        "  Ask for an address of the node's share from its third on, or leave it out.",
    ),
    (
        "address of another node",
        new(2),
        [pod("a", node="n1", address="10.244.2.9")],
        "address 10.244.2.9 is not one for pods of node n1, which has 10.244.1.0/24\n"
        "  Ask for an address of the node's share from its third on, or leave it out.",
    ),
    (
        "taken",
        new(2),
        [pod("a", address="10.244.1.9"), pod("b", address="10.244.1.9")],
        "address 10.244.1.9 is taken by another pod",
    ),
]


@pytest.mark.parametrize(
    ("cluster", "objects", "message"), [e[1:] for e in ERRORS], ids=[e[0] for e in ERRORS]
)
def test_no_place(cluster: Cluster, objects: list[Object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        apply(cluster, *objects)
    place, _, said = str(caught.value).partition(": spec: ")
    assert said == message
    assert place == objects[-1].source.file
