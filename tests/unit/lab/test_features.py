"""The registry of features, without touching the kernel."""

from __future__ import annotations

import pytest

from testbed.errors import InputError, MissingError
from testbed.lab import features, probe


def test_every_declared_need_is_a_known_feature() -> None:
    assert set(features.needed_by()) <= set(features.names())


def test_parts_are_named_by_their_own_declarations() -> None:
    users = features.needed_by()
    assert "CNI mode vxlan" in users["vxlan"]
    assert "CNI mode bgp" in users["bgpd"]
    assert "scenario pod-throughput" in users["iperf3"]
    assert "image nginx" in users["nginx"]
    assert "link delay and loss" in users["netem"]
    assert "every lab" in users["netns"]


def test_a_name_means_one_thing() -> None:
    assert not features.KERNEL.keys() & features.PROGRAMS.keys()


def test_every_kernel_feature_has_a_probe() -> None:
    probes = {*probe.NAMESPACES, *probe._probes()}
    assert probes == set(features.KERNEL)
    assert set(probe.MODULES) <= probes


def test_an_unknown_feature_is_refused() -> None:
    with pytest.raises(InputError, match="unknown feature 'ipsv'"):
        features.probe(["ipsv"])


def test_an_absent_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(features, "PLACES", ("/nonexistent",))
    found = features.probe(["bgpd", "nft"])
    assert {name: feature.present for name, feature in found.items()} == {
        "bgpd": False,
        "nft": False,
    }
    assert found["bgpd"].remedy.endswith("apt-get install frr")
    with pytest.raises(MissingError) as caught:
        features.require(["bgpd", "nft"])
    assert caught.value.exit_code == 3
    for word in ("bgpd", "nft", "apt-get install frr", "apt-get install nftables"):
        assert word in str(caught.value)


def test_what_modprobe_would_insert() -> None:
    said = (
        "insmod /lib/modules/6.1.0-18-amd64/kernel/net/ipv4/ip_tunnel.ko \n"
        "insmod /lib/modules/6.1.0-18-amd64/kernel/net/ipv4/ipip.ko.xz \n"
        "insmod /lib/modules/6.1.0-18-amd64/kernel/net/netfilter/xt_set-x.ko debug=1\n"
        "builtin veth\n"
    )
    assert probe.insmods(said) == {"ip_tunnel", "ipip", "xt_set_x"}
