"""What the scenarios of Services make of their programs' output; their labs and their order."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from scenarios import _services, endpoint_churn
from testbed import objects
from testbed.errors import InputError, LabError
from testbed.measure import campaignfile, knock, labs, load, servicelatency, session
from testbed.measure.contract import scenarios
from testbed.measure.load import Request

LOAD = """asking
1000000000 1001000000 ok web-1
1002000000 1002100000 refused -
1004000000 1005000000 ok web-2
1006000000 2006000000 timeout -
1008000000 10"""


def test_requests_are_read_but_for_a_torn_line() -> None:
    found = load.parse(LOAD)
    assert [one.outcome for one in found] == ["ok", "refused", "ok", "timeout"]
    assert found[0] == Request(1.0, 1.001, "ok", "web-1")
    assert load.last_failure(found) == 1.006
    assert load.last_failure(load.between(found, 0, 1.005)) == 1.002
    assert load.last_failure(found[:1]) is None
    assert load.last_answer(found, "web-2") == 1.004
    assert load.first_answer(found, "web-2") == 1.005
    assert load.first_answer(found, "web-3") is None


def test_between_is_by_the_beginning_and_sorted() -> None:
    found = [Request(3, 9, "ok", "a"), Request(1, 2, "ok", "a"), Request(2, 4, "ok", "a")]
    assert [one.begin for one in load.between(found, 1, 3)] == [1, 2]


def test_what_a_change_did_to_requests() -> None:
    requests = [
        Request(0.5, 0.6, "ok", "web-2"),
        Request(1.1, 1.2, "ok", "web-2"),
        Request(1.3, 1.4, "refused", "-"),
        Request(1.5, 1.6, "ok", "web-1"),
        Request(2.1, 2.2, "reset", "-"),
        Request(2.4, 2.6, "ok", "web-2"),
        Request(3.5, 3.6, "timeout", "-"),  # after the end
    ]
    readings = endpoint_churn.readings(requests, [1.0, 2.0, 3.0], "web-2", new=True)
    values = {one.metric.name: one.value for one in readings}
    assert values.pop("last-failure") == pytest.approx(0.3)  # not that of the return
    assert values.pop("last-answer") == pytest.approx(0.1)
    assert values.pop("first-answer") == pytest.approx(0.6)
    assert values == {
        "failed": 2, "failed-refused": 1, "failed-reset": 1, "failed-timeout": 0,
        "failed-unreachable": 0, "requests": 5,
    }  # fmt: skip


def test_a_change_that_nobody_noticed_is_zero_and_no_traffic_an_error() -> None:
    fine = [Request(n / 10, n / 10 + 0.01, "ok", "web-1") for n in range(30)]
    readings = endpoint_churn.readings(fine, [1.0, 2.0, 3.0], "web-2", new=False)
    values = {one.metric.name: one.value for one in readings}
    assert values["last-failure"] == values["failed"] == 0
    assert "last-answer" not in values
    with pytest.raises(LabError, match="no request was answered"):
        list(endpoint_churn.readings(fine[10:], [1.0, 2.0, 3.0], "web-2", new=False))


def test_what_clients_that_knock_print() -> None:
    text = "knocking\n10.96.1.1 2500000000\n10.96.1.2 3000000000\npause 0.0015\n"
    assert knock.parse(text) == ({"10.96.1.1": 2.5, "10.96.1.2": 3.0}, 0.0015)
    assert knock.parse("knocking\n") == ({}, 0.0)


def test_times_of_connects_and_requests_are_read() -> None:
    each = {"percentiles": {"50.0": 1e-4, "99.0": 2e-4}, "rate": 100.0, "count": 50}
    slow = {**each, "percentiles": {"50.0": 3e-4, "99.0": 4e-4}}
    connects, requests = servicelatency.parse(json.dumps({"connect": each, "request": slow}))
    assert (connects.percentiles[50.0], requests.percentiles[50.0]) == (1e-4, 3e-4)
    for text in ("", "{}", '{"connect": {}}', "[]"):
        with pytest.raises(ValueError, match="its output is no result"):
            servicelatency.parse(text)


@pytest.mark.parametrize("first", [None, IPv4Address("10.96.4.233")])
def test_padding_is_what_kubernetes_takes(first: IPv4Address | None) -> None:
    made = _services.padding(3, first)
    checked = [objects.from_manifest(one, "padding") for one in made]
    assert [one.kind for one in checked] == ["Service", "EndpointSlice"] * 3
    ends = [end["addresses"][0] for one in made[1::2] for end in one["endpoints"]]
    assert len(set(ends)) == 6
    asked = [one["spec"].get("clusterIP") for one in made[::2]]
    assert asked == ([None] * 3 if first is None else ["10.96.4.233", "10.96.4.234", "10.96.4.235"])


@pytest.mark.parametrize("size", [0, -1, 30_001, True, "many", 1.5])
def test_a_number_of_services_that_is_none(size: object) -> None:
    with pytest.raises(ValueError, match="no whole number from 1 to 30,000"):
        _services.size(size)


SCALE = """
proxy: [none, iptables, nftables]
repeat: 2
seed: 4
scenarios:
  pod-connect: {path: same-node}
  service-latency: {path: direct, endpoint: same-node}
  service-scale: {path: cluster-ip, services: [1, 20]}
"""


def test_each_size_has_a_lab_of_its_own_and_all_are_measured_in_turns(tmp_path: Path) -> None:
    begun = session.begin(campaignfile.loads(SCALE, "f"), tmp_path / "out")
    labs = {
        str(variant): sum(namespace == "bench" for namespace, _ in spec.cluster.services)
        for variant, spec in begun.specs.items()
    }
    assert labs == {
        "single vxlan none": 0,
        "single vxlan iptables": 2,
        "single vxlan iptables services=1": 0,  # they come when it runs
        "single vxlan iptables services=20": 0,
        "single vxlan nftables": 2,
        "single vxlan nftables services=1": 0,
        "single vxlan nftables services=20": 0,
    }
    names = [slot.scenario for slot in begun.slots if slot.block == 1]
    assert sorted(names) == ["pod-connect"] * 3 + ["service-latency"] * 2 + ["service-scale"] * 4
    lines = [str(slot) for slot in begun.slots if slot.scenario == "service-scale"]
    assert all(line.count("services=") == 1 for line in lines)
    first = next(slot for slot in begun.slots if slot.scenario == "service-scale")
    assert begun.point(first)["services"] == dict(first.variant.state)["services"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "proxy: none\nscenarios: {service-latency: }",
            "f:2: scenarios.service-latency: scenario se",
        ),
        ("proxy: [none, iptables]\nscenarios: {endpoint-churn: }", "nothing to measure in single"),
        ("scenarios: {service-scale: {services: 0}}", "f:1: scenarios.service-scale.services: 0 i"),
    ],
)
def test_services_without_a_proxy_mode_are_refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        labs.resolve(campaignfile.loads(text, "f"))
    assert str(caught.value).startswith(message)


def test_which_scenarios_need_a_proxy_mode() -> None:
    found = {name for name in scenarios.names() if scenarios.get(name).proxied}
    assert found >= {"service-latency", "service-scale", "service-programming", "endpoint-churn"}
    assert not found & {"pod-latency", "pod-connect", "pod-throughput", "outage", "link-failure"}
    assert scenarios.get("service-scale").states == ("services",)


def test_the_campaign_of_services_is_one() -> None:
    read = campaignfile.read(Path("scenarios/services.yaml"))
    assert labs.resolve(read)
