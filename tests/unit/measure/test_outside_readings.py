"""What the scenarios from outside the cluster make of requests, and what they ask the lab for."""

from __future__ import annotations

import pytest

from scenarios import _outside, loadbalancer_failover
from testbed import objects
from testbed.cluster.announcers import answering
from testbed.measure import campaignfile
from testbed.measure.load import Request

REQUESTS = [
    Request(0.9, 0.91, "ok", "w"),
    Request(1.1, 2.0, "timeout", "-"),
    Request(1.2, 1.21, "ok", "w"),  # another node, by ECMP
    Request(3.4, 4.3, "timeout", "-"),
    Request(3.6, 3.62, "ok", "w"),
    Request(5.5, 5.51, "ok", "w"),
]


def test_a_gap_ends_with_the_beginning_of_the_last_request_that_failed() -> None:
    found = {
        one.metric.name: one.value
        for one in loadbalancer_failover.readings("failure", REQUESTS, 1.0, 5.0)
    }
    assert found["failure-gap"] == pytest.approx(2.4)
    assert found["failure-silence"] == pytest.approx(3.62 - 1.21)
    assert found["failure-failed"] == 2


def test_without_a_failure_there_is_no_gap() -> None:
    found = {
        one.metric.name: one.value
        for one in loadbalancer_failover.readings("return", REQUESTS, 5.0, 6.0)
    }
    assert found["return-gap"] == found["return-failed"] == 0
    assert found["return-silence"] == pytest.approx(0.51)


@pytest.mark.parametrize(
    ("start", "end", "well"), [(0, 1, True), (1, 3, False), (3.5, 6, True), (4, 5, False)]
)
def test_steady_is_where_there_are_requests_and_all_are_answered(
    start: float, end: float, well: bool
) -> None:
    assert loadbalancer_failover.steady(REQUESTS, start, end) is well


@pytest.mark.parametrize("count", [2, 3, 7, 12])
def test_the_node_that_dies_has_not_the_pod(count: int) -> None:
    nodes = [f"n{number}" for number in range(1, count + 1)]
    address = _outside.far_from(nodes)
    for some in (nodes, nodes[: count // 2 + 1]):  # all on one link, or the first rack
        assert answering({address: some}, some)[address] == "n1"
    found = objects.parse(loadbalancer_failover.scenario.manifest(nodes), "m")
    specs = {one.metadata.name: one.manifest["spec"] for one in found if one.kind == "Pod"}
    assert specs["failover"]["nodeName"] == nodes[-1]


def test_the_campaign_of_load_balancers_has_each_protocol() -> None:
    campaign = campaignfile.read(campaignfile.DEFAULT.parent / "loadbalancer.yaml")
    assert list(campaign.impairments) == ["lb=l2", "lb=bgp", "lb=bgp bfd=true"]
    assert len(campaign.points()) == 3
