"""The values of ``--set`` for topologies."""

from __future__ import annotations

import pytest

from testbed.errors import InputError
from testbed.topology import settings
from testbed.topology.load import load


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("rate", "1Gbit", 1e9),
        ("rate", "100Mbit", 1e8),
        ("rate", "2.5gbit", 2.5e9),
        ("rate", "1e9", 1e9),
        ("rate", "64kbit/s", 64e3),
        ("rate", "10G", 1e10),
        ("delay", "20ms", 0.02),
        ("delay", "50us", 50e-6),
        ("delay", "0.5s", 0.5),
        ("delay", "0.001", 0.001),
        ("loss", "1%", 0.01),
        ("loss", "0.25", 0.25),
        ("loss", "100%", 1.0),
        ("reorder", "25%", 0.25),
        ("duplicate", "1e-3", 0.001),
        ("corrupt", "0.1%", 0.001),
        ("jitter", "2s", 2.0),
        ("distribution", "normal", "normal"),
        ("limit", "100000", 100_000),
        ("n1-s1.delay", "20ms", 0.02),
        ("mtu", "576", 576),
        ("mtu", "65535", 65535),
        ("nodes", "200", 200),
        ("externals", "0", 0),
        ("colour", "blue", "blue"),
        ("depth", "3", 3),
        ("factor", "1.5", 1.5),
    ],
)
def test_a_value_is_read_in_si_units(key: str, text: str, value: object) -> None:
    assert settings.parse({key: text}, [key]) == {key: pytest.approx(value)}


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("rate", "fast"),
        ("rate", "-1Gbit"),
        ("rate", "0"),
        ("rate", "10Tbit"),
        ("delay", "1h"),
        ("delay", "-1ms"),
        ("delay", "11s"),
        ("loss", "1"),
        ("loss", "101%"),
        ("loss", "-1%"),
        ("reorder", "2"),
        ("corrupt", "often"),
        ("jitter", "2.1s"),
        ("distribution", "gaussian"),
        ("limit", "0"),
        ("limit", "10ms"),
        ("n1-s1.delay", "long"),
        ("mtu", "575"),
        ("mtu", "65536"),
        ("mtu", "1500.0"),
        ("nodes", "0"),
        ("nodes", "201"),
        ("nodes", ""),
        ("nodes", "three"),
    ],
)
def test_a_wrong_value_names_its_key_and_says_how(key: str, text: str) -> None:
    with pytest.raises(InputError, match=rf"^--set: {key}: invalid value") as caught:
        settings.parse({key: text}, [key])
    assert caught.value.hint.startswith("Write a ")


def test_an_unknown_key_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="unknown setting 'ndoes'") as caught:
        settings.parse({"ndoes": "3"}, ["nodes", "rate"])
    assert "Did you mean 'nodes'?" in caught.value.hint
    assert "pod_cidr" in caught.value.hint


def test_the_clusters_settings_pass_untouched() -> None:
    given = {"nodes": "2", "pod_cidr": "anything", "service_cidr": "x"}
    assert settings.split_settings(given) == (
        {"nodes": "2"},
        {"pod_cidr": "anything", "service_cidr": "x"},
    )
    assert settings.parse(given, ["nodes"]) == {"nodes": 2}


def test_an_unknown_key_of_a_link_lists_those_of_links() -> None:
    with pytest.raises(InputError, match="unknown setting of a link 'dely'") as caught:
        settings.parse({"n1-s1.dely": "20ms"}, ["nodes"])
    assert "Did you mean 'delay'?" in caught.value.hint
    assert "nodes" not in caught.value.hint


def test_all_switches_become_of_the_kind_that_is_asked_for() -> None:
    for name in ("single", "edge"):
        found = load(name, {"switches": "openvswitch"}).switches
        assert {switch.kind for switch in found} == {"openvswitch"}


def test_bridges_in_the_place_of_open_vswitches_may_not_form_rings() -> None:
    with pytest.raises(InputError, match="closes a loop of switches"):
        load("sdn", {"switches": "bridge"})
