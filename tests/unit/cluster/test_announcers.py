"""Which nodes answer for load balancers' addresses."""

from __future__ import annotations

import pytest
from cluster_builders import apply, new
from service_builders import endpoint_slice, service

from testbed.cluster.announcers import answering, eligible
from testbed.cluster.discovery import discover

NODES = ("n1", "n2", "n3")
VIP = "198.51.100.1"


def ends(policy: str, *found: tuple[str, bool, bool]) -> dict[str, tuple[str, ...]]:
    """Eligible nodes of one Service with endpoints as (node, ready, serving)."""
    items = [
        {
            "addresses": [f"10.244.9.{i}"],
            "nodeName": node,
            "conditions": {"ready": ready, "serving": serving},
        }
        for i, (node, ready, serving) in enumerate(found, 1)
    ]
    balanced = service(type="LoadBalancer", selector=None, externalTrafficPolicy=policy)
    return eligible(discover(apply(new(3), balanced, endpoint_slice("s", "web", *items))), NODES)


@pytest.mark.parametrize(
    ("policy", "found", "nodes"),
    [
        ("Cluster", [("n2", True, True)], NODES),
        ("Cluster", [("n2", False, True)], NODES),  # it still serves while it ends
        ("Cluster", [("n2", False, False)], None),
        ("Cluster", [], None),
        ("Local", [("n3", True, True), ("n1", True, True), ("n2", False, False)], ("n1", "n3")),
        ("Local", [("elsewhere", True, True)], None),
    ],
)
def test_nodes_with_usable_endpoints_may_answer(
    policy: str, found: list[tuple[str, bool, bool]], nodes: tuple[str, ...] | None
) -> None:
    assert ends(policy, *found) == ({} if nodes is None else {VIP: nodes})


def test_one_node_answers_and_only_its_addresses_move_when_it_dies() -> None:
    may = {f"198.51.100.{i}": NODES for i in range(1, 91)}
    before = answering(may, NODES)
    counts = [list(before.values()).count(node) for node in NODES]
    assert min(counts) > 10  # spread over all of them
    after = answering(may, ("n1", "n3"))
    assert {a for a in may if before[a] != after[a]} == {a for a in may if before[a] == "n2"}
    assert answering(may, ()) == {}
    assert answering({VIP: ("n2",)}, NODES) == {VIP: "n2"}
