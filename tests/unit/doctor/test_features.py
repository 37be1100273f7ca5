"""The registry of features, without touching the kernel."""

from __future__ import annotations

import pytest

from testbed.cli.doctor import summary
from testbed.doctor import features, needs, probe
from testbed.doctor.features import Feature
from testbed.doctor.kernel import KERNEL
from testbed.doctor.probe import IN_VM
from testbed.doctor.verdict import verdicts
from testbed.errors import InputError, MissingError
from testbed.plan.contract import modes
from testbed.topology.limits import KEYS
from testbed.topology.load import names as topologies


def test_every_declared_need_is_a_known_feature() -> None:
    assert set(needs.needed_by()) <= set(features.names())


def test_parts_are_named_by_their_own_declarations() -> None:
    users = needs.needed_by()
    assert "CNI mode vxlan" in users["vxlan"]
    assert "CNI mode bgp" in users["bgpd"]
    assert "scenario pod-throughput" in users["iperf3"]
    assert {"image nginx", "ingress controller nginx"} <= set(users["nginx"])
    assert "ingress controller haproxy" in users["haproxy"]
    assert users["netem"] == tuple(f"link {key}" for key in KEYS if key not in ("rate", "limit"))
    assert "link rate" in users["tbf"]
    assert "topology sdn" in users["ovs-vswitchd"]
    assert "topology twozone" in users["tbf"]
    assert "topology leafspine" in users["bgpd"]
    assert "every lab" in users["netns"]


def test_every_part_is_judged() -> None:
    parts = needs.parts()
    assert {f"topology {name}" for name in topologies()} <= set(parts)
    assert {f"CNI mode {name}" for name in modes.names()} <= set(parts)
    assert {f"link {key}" for key in KEYS} <= set(parts)


def test_a_name_means_one_thing() -> None:
    assert not KERNEL.keys() & features.PROGRAMS.keys()


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
    assert str(caught.value).startswith("this machine lacks bgpd (BGP): not found on PATH; nft (")
    assert caught.value.hint == "Install what Debian has: apt-get install frr nftables"


def test_an_absent_kernel_feature_has_two_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(IN_VM, raising=False)
    assert features.remedies(["ipip", "sctp"]) == [
        "Boot a kernel with CONFIG_NET_IPIP and CONFIG_IP_SCTP, or run it in one: "
        "testbed vm -- testbed …"
    ]
    assert features.remedies(["netkit"]) == ["Boot a kernel with CONFIG_NETKIT (Linux 6.7)."]
    monkeypatch.setenv(IN_VM, "1")
    assert features.remedies(["ipip"]) == ["Boot a kernel with CONFIG_NET_IPIP."]


def test_nothing_is_said_of_the_kernel_where_the_tool_is_absent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(features, "PLACES", ("/nonexistent",))
    said = ["Install what Debian has: apt-get install iproute2 frr"]
    assert features.remedies(["netem", "bgpd", "tc"]) == said


def feature(name: str, present: bool) -> Feature:
    return Feature(name, present, "", (), "", "")


def test_what_becomes_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "program", lambda name: None if name == "bgpd" else name)
    absent = ("netem", "bgpd", "netkit")
    found = {n: feature(n, n not in absent) for n in features.names()}
    parts = {
        "every lab": ("netns",),
        "link rate": ("tbf", "tc"),
        "link loss": ("netem", "tc"),
        "CNI mode bgp": ("bgpd",),
        "CNI mode next": ("netkit",),
        "scenario both": ("netem", "bgpd"),
    }
    said = verdicts(parts, found, in_vm=False)
    assert [(v.way, v.absent) for v in said] == [
        ("here", ()),
        ("here", ()),
        ("vm", ("netem",)),
        ("packages", ("bgpd",)),
        ("kernel", ("netkit",)),
        ("vm", ("netem", "bgpd")),
    ]
    assert list(summary(said)) == [
        "Here: link rate",
        "With testbed vm -- testbed …: link loss; scenario both; absent: netem, bgpd",
        "  Install what Debian has: apt-get install frr",
        "With packages: CNI mode bgp; absent: bgpd",
        "  Install what Debian has: apt-get install frr",
        "With another kernel: CNI mode next; absent: netkit",
        "  Boot a kernel with CONFIG_NETKIT (Linux 6.7).",
    ]
    assert verdicts({"link loss": ("netem",)}, found, in_vm=True)[0].way == "kernel"


def test_what_modprobe_would_insert() -> None:
    said = (
        "insmod /lib/modules/6.1.0-18-amd64/kernel/net/ipv4/ip_tunnel.ko \n"
        "insmod /lib/modules/6.1.0-18-amd64/kernel/net/ipv4/ipip.ko.xz \n"
        "insmod /lib/modules/6.1.0-18-amd64/kernel/net/netfilter/xt_set-x.ko debug=1\n"
        "builtin veth\n"
    )
    assert probe.insmods(said) == {"ip_tunnel", "ipip", "xt_set_x"}
