"""The events and impairments of a campaign file, and in which order events happen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import InputError
from testbed.measure import campaign as campaigns
from testbed.measure import campaignfile, labs, session
from testbed.measure.events import Event, seconds, steps

EVENTS = """
topology: leafspine
cni: bgp
seconds: 4
events:
  - {at: 500ms, link: l1-sp1, for: 1s}
  - {at: 1, partition: n2, for: 500ms}
  - {at: 2s, kill: l1/bgpd}
scenarios: {outage: }
"""


@pytest.mark.parametrize(
    ("value", "found"),
    [("500ms", 0.5), ("1.5s", 1.5), ("20us", 2e-5), ("2min", 120.0), (3, 3.0), (0.25, 0.25)],
)
def test_times(value: Any, found: float) -> None:
    assert seconds(value) == pytest.approx(found)


@pytest.mark.parametrize("value", ["", "fast", "-1s", "1h", True, None, "1e3", "inf"])
def test_what_is_no_time(value: Any) -> None:
    with pytest.raises(ValueError, match="no time such as 500ms"):
        seconds(value)


def test_events_are_read() -> None:
    assert campaignfile.loads(EVENTS, "f").events == (
        Event(0.5, "link", "l1-sp1", 1.0),
        Event(1.0, "partition", "n2", 0.5),
        Event(2.0, "kill", "l1/bgpd"),
    )


def test_events_and_impairments_survive_the_way_through_json() -> None:
    read = campaignfile.loads(EVENTS + "impairments: [{}, {delay: 20ms, loss: 1%}]", "f")
    assert read.impairments == {"none": {}, "delay=20ms loss=1%": {"delay": "20ms", "loss": "1%"}}
    assert campaignfile.loads(json.dumps(read.to_dict()), "g") == read


def test_steps_are_in_the_order_of_time_and_healing_comes_first() -> None:
    events = (
        Event(1.0, "link", "a-b", 1.0),
        Event(0.5, "partition", "n1"),
        Event(2.0, "kill", "n1/bgpd", 1.0),
        Event(2.0, "link", "a-b", 0.5),
    )
    found = [(step.at, step.number, step.fails) for step in steps(events)]
    assert found == [
        (0.5, 2, True),
        (1.0, 1, True),
        (2.0, 1, False),
        (2.0, 3, True),
        (2.0, 4, True),
        (2.5, 4, False),
        (3.0, 3, False),
    ]


def wrong_event(text: str) -> str:
    return (
        f"seconds: 3\ntopology: leafspine\ncni: bgp\nevents:\n  - {text}\nscenarios: {{outage: }}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("events: 3", "f:1: events: must be a list"),
        ("events:\n  - link", "f:2: events[0]: must be a mapping"),
        (wrong_event("{at: 1s, lnk: l1-sp1}"), "f:5: events[0].lnk: unknown key 'lnk'\n  Did you"),
        (wrong_event("{link: l1-sp1}"), "f:5: events[0]: an event has `at` and one of link, part"),
        (wrong_event("{at: 1s}"), "f:5: events[0]: an event has `at` and one of"),
        (wrong_event("{at: 1s, link: l1-sp1, kill: l1/bgpd}"), "f:5: events[0]: an event has `at`"),
        (wrong_event("{at: soon, link: l1-sp1}"), "f:5: events[0].at: 'soon' is no time such as"),
        (wrong_event("{at: 1s, for: 0, link: l1-sp1}"), "f:5: events[0].for: must be longer than"),
        (
            wrong_event("{at: 1s, link: l1-sp1}\n  - {at: 2s, link: l1-sp1}"),
            "f:6: events[1]: link l1-sp1 has failed at that time by another event",
        ),
        (
            wrong_event("{at: 3s, link: l1-sp1}"),
            "f:5: events[0]: begins at 3 s, when the sample is over (seconds: 3)",
        ),
        (
            wrong_event("{at: 1s, link: l1-l2}"),
            "f:5: events[0]: unknown link of leafspine 'l1-l2' (in leafspine bgp none)\n  Did you",
        ),
        (wrong_event("{at: 1s, partition: n9}"), "f:5: events[0]: unknown host of leafspine 'n9'"),
        (wrong_event("{at: 1s, kill: l1/bgp}"), "f:5: events[0]: unknown daemon 'l1/bgp' (in leaf"),
        (
            wrong_event("{at: 1s, kill: n1/bgpd}").replace("bgp\n", "[bgp, vxlan]\n"),
            "f:5: events[0]: unknown daemon 'n1/bgpd' (in leafspine vxlan none)",
        ),
        ("events:\n" + "  - {at: 1, link: x}\n" * 10, "f:1: events: at most 9 events"),
        ("scenarios:\n  outage:", "f:2: scenarios.outage: scenario outage needs events\n  Give a"),
        ("impairments: {delay: 1ms}", "f:1: impairments: must be a list of mappings of settings"),
        ("impairments: [delay]", "f:1: impairments[0]: must be a mapping"),
        ("impairments: []", "f:1: impairments: must not be empty"),
        ("impairments: [{}, {}]", "f:1: impairments: {} is named twice"),
        ("impairments:\n- {}\n- {rate: [1]}", "f:3: impairments[1].rate: must be a text or a num"),
        ("impairments:\n- {rate: fast}", "f:2: impairments[0].rate: invalid value 'fast'"),
        ("impairments:\n- {rat: 1G}", "f:2: impairments[0].rat: unknown setting 'rat'"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        labs.resolve(campaigns.override(campaignfile.loads(text, "f"), {}, [], {}))
    assert str(caught.value).startswith(message)


def test_each_impairment_is_a_lab_with_its_own_settings(tmp_path: Path) -> None:
    text = """
settings: {nodes: 2, mtu: 1400}
impairments: [{}, {rate: 1Gbit}]
repeat: 1
scenarios: {pod-connect: {path: same-node}}
"""
    begun = session.begin(campaignfile.loads(text, "f"), tmp_path / "out")
    found = {variant.impairment: spec.topology.links for variant, spec in begun.specs.items()}
    assert {name: {link.limits.rate for link in links} for name, links in found.items()} == {
        "none": {None},
        "rate=1Gbit": {1e9},
    }
    assert {link.mtu for links in found.values() for link in links} == {1400}
    points = [begun.point(slot) for slot in begun.slots]
    assert {point["impairment"] for point in points} == {"none", "rate=1Gbit"}
    assert {str(slot).split()[5] for slot in begun.slots} == {"pod-connect", "rate=1Gbit"}


def test_without_the_axis_there_is_no_column(tmp_path: Path) -> None:
    text = "repeat: 1\nscenarios: {pod-connect: {path: same-node}}"
    begun = session.begin(campaignfile.loads(text, "f"), tmp_path / "out")
    assert all("impairment" not in begun.point(slot) for slot in begun.slots)
