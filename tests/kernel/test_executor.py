"""The executor makes what the plan says, as iproute2 sees it, and takes it away again."""

from __future__ import annotations

import os
import re
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import LabError
from testbed.plan.impairment import Impairment
from testbed.plan.model import (
    Address,
    Bridge,
    Fdb,
    IptablesRules,
    NamespacePlan,
    Neighbour,
    NextHop,
    Port,
    Route,
    Sysctl,
    Veth,
    Vxlan,
)
from testbed.topology.limits import Limits

pytestmark = pytest.mark.kernel

MAC = "0a:58:0a:f4:01:{:02x}".format
N1_LINK = Veth("n1-eth0", "n2-eth0", "node/n2", MAC(0x12), 1500, mac=MAC(0x11))
N1 = NamespacePlan(links=(N1_LINK,), addresses=(Address("n1-eth0", "192.168.0.11/24"),))
N2 = NamespacePlan(addresses=(Address("n2-eth0", "192.168.0.12/24"),))
BRIDGE = Bridge("cni0", MAC(1), 1450)
PORT = Veth("veth1", "eth0", "pod/a", MAC(2), 1450, master="cni0", hairpin=True)
CALI = Veth("cali1", "eth0", "pod/b", MAC(3), 1400, mac="ee:ee:ee:ee:ee:ee")
VXLAN = Vxlan("flannel.1", 1, 8472, "192.168.0.11", "n1-eth0", MAC(4), 1450)
POD = NamespacePlan(
    addresses=(Address("eth0", "10.244.1.2/24"),),
    routes=(Route("0.0.0.0/0", (NextHop("10.244.1.1", "eth0"),)),),
)
ADDED = NamespacePlan(
    links=(BRIDGE, VXLAN, PORT, CALI),
    addresses=(
        Address("cni0", "10.244.1.1/24"),
        Address("flannel.1", "10.244.1.0/32"),
        Address("n1-eth0", "192.168.7.1/31", "link"),
    ),
    neighbours=(
        Neighbour("flannel.1", "10.244.2.0", MAC(5)),
        Neighbour("n1-eth0", "192.168.0.99", MAC(6)),
    ),
    fdb=(Fdb("flannel.1", MAC(5), "192.168.0.12"),),
    routes=(
        Route("0.0.0.0/0", (NextHop(device="n1-eth0"),), scope="link"),
        Route("10.244.2.0/24", (NextHop("10.244.2.0", "flannel.1", onlink=True),)),
        Route("10.244.3.0/24", kind="blackhole", protocol=4),
        Route("10.244.4.5/32", (NextHop(device="cali1"),), scope="link"),
        Route(
            "10.0.0.0/16",
            (NextHop("192.168.0.12", "n1-eth0"), NextHop("192.168.0.13")),
            source="192.168.0.11",
        ),
    ),
)


def with_all(kernel: Any) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    kernel.become(node_n1=N1 + ADDED, node_n2=N2, pod_a=POD, pod_b=NamespacePlan())


def some(found: dict[str, Any], *keys: str) -> tuple[Any, ...]:
    return tuple(found.get(key) for key in keys)


def test_links(kernel: Any) -> None:
    with_all(kernel)
    shown = ("address", "mtu", "master")
    assert some(kernel.link("node/n1", "cni0"), *shown) == (MAC(1), 1450, None)
    assert some(kernel.link("node/n1", "cali1"), *shown) == ("ee:ee:ee:ee:ee:ee", 1400, None)
    assert some(kernel.link("node/n1", "veth1"), *shown[1:]) == (1450, "cni0")
    assert some(kernel.link("node/n2", "n2-eth0"), *shown) == (MAC(0x12), 1500, None)
    assert some(kernel.link("pod/a", "eth0"), *shown) == (MAC(2), 1450, None)
    assert some(kernel.link("pod/b", "eth0"), *shown) == (MAC(3), 1400, None)


def test_every_link_is_up(kernel: Any) -> None:
    with_all(kernel)
    devices = {"node/n1": ("cni0", "flannel.1", "veth1", "cali1"), "pod/a": ("lo", "eth0")}
    for namespace, names in devices.items():
        for name in names:
            assert "UP" in kernel.link(namespace, name)["flags"]


def test_a_vxlan_device(kernel: Any) -> None:
    with_all(kernel)
    link = kernel.link("node/n1", "flannel.1")
    assert some(link, "address", "mtu") == (MAC(4), 1450)
    told = some(link["linkinfo"]["info_data"], "id", "local", "link", "port", "learning")
    assert told == (1, "192.168.0.11", "n1-eth0", 8472, False)


def test_only_the_port_that_wants_it_is_a_hairpin(kernel: Any) -> None:
    kernel.become(
        node_n1=NamespacePlan(
            links=(BRIDGE, PORT, Veth("veth2", "eth0", "pod/b", MAC(7), 1450, master="cni0"))
        ),
        pod_a=NamespacePlan(),
        pod_b=NamespacePlan(),
    )
    ports = {port["ifname"]: port["hairpin"] for port in kernel.ask("node/n1", "bridge -d link")}
    assert ports == {"veth1": True, "veth2": False}


def test_addresses(kernel: Any) -> None:
    with_all(kernel)
    found = {
        one["local"]: some(one, "prefixlen", "scope", "broadcast", "label")
        for link in kernel.ask("node/n1", "ip address")
        for one in link["addr_info"]
    }
    assert found == {
        "192.168.0.11": (24, "global", "192.168.0.255", "n1-eth0"),
        "192.168.7.1": (31, "link", None, "n1-eth0"),
        "10.244.1.1": (24, "global", "10.244.1.255", "cni0"),
        "10.244.1.0": (32, "global", None, "flannel.1"),
    }


def test_routes(kernel: Any) -> None:
    with_all(kernel)
    for device in ("n1-eth0", "cali1"):
        wait_for_operational_state(kernel, device)  # until then routes are flagged linkdown
    keys = ("type", "gateway", "dev", "scope", "protocol", "prefsrc", "flags")
    found = {r["dst"]: r for r in kernel.ask("node/n1", "ip -d route") if r["protocol"] != "kernel"}
    several = found.pop("10.0.0.0/16")
    assert {to: some(route, *keys) for to, route in found.items()} == {
        "default": ("unicast", None, "n1-eth0", "link", "boot", None, []),
        "10.244.2.0/24": (
            "unicast",
            "10.244.2.0",
            "flannel.1",
            "global",
            "boot",
            None,
            ["onlink"],
        ),
        "10.244.3.0/24": ("blackhole", None, None, "global", "static", None, []),
        "10.244.4.5": ("unicast", None, "cali1", "link", "boot", None, []),
    }
    assert several["prefsrc"] == "192.168.0.11"
    ways = [some(hop, "gateway", "dev") for hop in several["nexthops"]]
    assert ways == [("192.168.0.12", "n1-eth0"), ("192.168.0.13", "n1-eth0")]


def test_permanent_entries(kernel: Any) -> None:
    with_all(kernel)
    found = {n["dst"]: some(n, "dev", "lladdr", "state") for n in kernel.ask("node/n1", "ip neigh")}
    assert found == {
        "10.244.2.0": ("flannel.1", MAC(5), ["PERMANENT"]),
        "192.168.0.99": ("n1-eth0", MAC(6), ["PERMANENT"]),
    }
    (entry,) = kernel.ask("node/n1", "bridge fdb show dev flannel.1")
    assert some(entry, "mac", "dst", "flags", "state") == (
        MAC(5),
        "192.168.0.12",
        ["self"],
        "permanent",
    )


def test_it_carries_packets(kernel: Any) -> None:
    with_all(kernel)
    kernel.say("pod/a", "ping -c 1 -W 2 10.244.1.1")
    kernel.say("node/n1", "ping -c 1 -W 2 192.168.0.12")


SNAPSHOT = ("ip -d link", "ip address", "ip -d route show table all", "ip neigh", "bridge fdb")


def snapshot(kernel: Any, namespace: str) -> list[Any]:
    """What is there, without the timers of bridges and addresses."""
    return [kernel.ask(namespace, line) for line in SNAPSHOT]


def lines(kernel: Any, namespace: str) -> list[str]:
    """The same without interfaces' numbers, the order, and MACs that the kernel chooses."""
    shown = ("ip -br address", *SNAPSHOT[2:])
    found = [line for command in shown for line in kernel.say(namespace, command).splitlines()]
    return sorted(re.sub(r"@\S+", "", line) for line in found if "veth1 master" not in line)


def wait_for_operational_state(kernel: Any, device: str = "n1-eth0") -> None:
    """The kernel tells of a carrier a little after it is there (RFC 2863's state)."""
    end = time.monotonic() + 5
    while kernel.link("node/n1", device)["operstate"] != "UP":
        assert time.monotonic() < end
        time.sleep(0.005)


def test_what_was_added_goes_without_a_trace(kernel: Any) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    wait_for_operational_state(kernel)
    before = snapshot(kernel, "node/n1")
    with_all(kernel)
    assert snapshot(kernel, "node/n1") != before
    kernel.become(node_n1=N1, node_n2=N2)
    assert snapshot(kernel, "node/n1") == before
    assert set(kernel.executor.namespaces) == {"node/n1", "node/n2"}


def test_items_on_links_that_stay_go_one_by_one(kernel: Any) -> None:
    links = NamespacePlan(links=ADDED.links)
    pods = {"pod_a": NamespacePlan(), "pod_b": NamespacePlan()}
    kernel.become(node_n1=N1 + links, node_n2=N2, **pods)
    for device in ("n1-eth0", "cni0", "veth1", "cali1"):
        wait_for_operational_state(kernel, device)
    before = [kernel.ask("node/n1", line) for line in SNAPSHOT[1:]]
    kernel.become(node_n1=N1 + ADDED, node_n2=N2, **pods)
    kernel.become(node_n1=N1 + links, node_n2=N2, **pods)
    assert [kernel.ask("node/n1", line) for line in SNAPSHOT[1:]] == before


def test_the_namespace_of_a_gone_pod_is_closed(kernel: Any) -> None:
    with_all(kernel)
    number = kernel.executor.namespaces["pod/a"].descriptor
    inode = os.fstat(number).st_ino
    kernel.become(node_n1=N1, node_n2=N2)
    assert inode not in {
        path.stat().st_ino for path in Path("/proc/self/fd").iterdir() if path.exists()
    }


def test_a_device_may_come_again(kernel: Any) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    for _ in range(3):
        with_all(kernel)
        kernel.become(node_n1=N1, node_n2=N2)
    with_all(kernel)
    kernel.say("pod/a", "ping -c 1 -W 2 10.244.1.1")


def test_mtu_rate_and_sysctl(kernel: Any) -> None:
    more = NamespacePlan(
        ports=(Port("n1-eth0", 9000),),
        sysctls=(
            Sysctl("net/ipv4/ip_forward", "1"),
            Sysctl("net/ipv4/conf/n1-eth0/proxy_arp", "1"),
        ),
        impairments=(Impairment("n1-eth0", 1500, Limits(rate=1e8)),),
    )
    kernel.become(node_n1=N1, node_n2=N2)
    kernel.become(node_n1=N1 + more, node_n2=N2)
    assert kernel.link("node/n1", "n1-eth0")["mtu"] == 9000
    assert kernel.say("node/n1", "cat /proc/sys/net/ipv4/ip_forward") == "1\n"
    assert kernel.say("node/n2", "cat /proc/sys/net/ipv4/ip_forward") == "0\n"
    assert kernel.say("node/n1", "cat /proc/sys/net/ipv4/conf/n1-eth0/proxy_arp") == "1\n"
    (discipline,) = kernel.ask("node/n1", "tc qdisc show dev n1-eth0")
    assert some(discipline, "kind", "root", "handle") == ("tbf", True, "1:")
    assert discipline["options"]["rate"] == 1e8 / 8
    assert discipline["options"]["burst"] == pytest.approx(50_000, abs=20)  # the kernel has ticks


def test_a_vxlan_device_may_be_as_large_as_its_parent_becomes(kernel: Any) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    jumbo = Vxlan("flannel.1", 1, 8472, "192.168.0.11", "n1-eth0", MAC(4), 8950)
    more = NamespacePlan(links=(jumbo,), ports=(Port("n1-eth0", 9000),))
    kernel.become(node_n1=N1 + more, node_n2=N2)
    assert kernel.link("node/n1", "flannel.1")["mtu"] == 8950


def test_rules_may_be_loaded_twice(kernel: Any) -> None:
    def rules(mark: int) -> NamespacePlan:
        text = f"*filter\n:OURS - [0:0]\n-A OURS -m mark --mark {mark:#x} -j ACCEPT\nCOMMIT\n"
        return NamespacePlan(rules=(IptablesRules("test", text),))

    kernel.become(node_n1=rules(1))
    kernel.say("node/n1", "iptables -N THEIRS")
    kernel.become(node_n1=rules(2))
    said = kernel.say("node/n1", "iptables -S").splitlines()
    assert "-A OURS -m mark --mark 0x2 -j ACCEPT" in said
    assert "-N THEIRS" in said
    assert not any("0x1" in line for line in said)


WRONG: list[tuple[str, NamespacePlan, str]] = [
    (
        "route",
        NamespacePlan(routes=(Route("10.0.0.0/8", (NextHop("172.16.0.1"),)),)),
        r"^node/n1: Route\(destination='10.0.0.0/8', .*: Network is unreachable$",
    ),
    (
        "address",
        NamespacePlan(addresses=(Address("n1-eth0", "192.168.0.11/24", "link"),)),
        r"^node/n1: Address\(device='n1-eth0', .*: File exists$",
    ),
    (
        "device of an address",
        NamespacePlan(addresses=(Address("eth7", "192.168.0.11/24"),)),
        r"^node/n1 has no interface eth7$",
    ),
    (
        "second of two links of one name",
        NamespacePlan(links=(BRIDGE, Bridge("cni0", MAC(9), 1500))),
        r"^node/n1: Bridge\(name='cni0', mac='0a:58:0a:f4:01:09', .*: File exists$",
    ),
    (
        "sysctl",
        NamespacePlan(sysctls=(Sysctl("net/ipv4/no_such", "1"),)),
        r"^node/n1: sysctl net/ipv4/no_such=1: No such file or directory$",
    ),
    (
        "value of a sysctl",
        NamespacePlan(sysctls=(Sysctl("net/ipv4/ip_forward", "much"),)),
        r"^node/n1: sysctl net/ipv4/ip_forward=much: Invalid argument$",
    ),
    (
        "rules",
        NamespacePlan(rules=(IptablesRules("test", "*filter\n-A NOWHERE -j ACCEPT\nCOMMIT\n"),)),
        r"(?s)^node/n1: iptables-restore: .*",
    ),
    (
        "impairment",
        NamespacePlan(impairments=(Impairment("eth7", 1500, Limits(rate=1e6)),)),
        r'(?s)^node/n1: tc: .*"eth7"',
    ),
]


@pytest.mark.parametrize(("more", "message"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_an_error_names_the_item(kernel: Any, more: NamespacePlan, message: str) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    with pytest.raises(LabError, match=message):
        kernel.become(node_n1=N1 + more, node_n2=N2)


POD_C = Veth("veth3", "eth0", "pod/c", MAC(8), 1450, master="cni0")
PODS = {"pod_a": POD, "pod_b": NamespacePlan()}
HOOK = IptablesRules(
    "hook",
    "*filter\n:HOOK - [0:0]\n-I FORWARD 1 -j HOOK\nCOMMIT\n",
    "*filter\n-D FORWARD -j HOOK\n-F HOOK\n-X HOOK\nCOMMIT\n",
)
REFUSED: list[tuple[str, NamespacePlan]] = [
    ("last of all", NamespacePlan(impairments=(Impairment("eth7", 1500, Limits(rate=1e6)),))),
    ("address", NamespacePlan(addresses=(Address("eth7", "192.168.0.11/24"),))),
    ("link", NamespacePlan(links=(replace(VXLAN, name="second"),))),  # of the same VNI
    ("rules", NamespacePlan(rules=(IptablesRules("test", "*filter\n-A NO -j ACCEPT\nCOMMIT\n"),))),
]


@pytest.mark.parametrize("bad", [part for _, part in REFUSED], ids=[name for name, _ in REFUSED])
def test_a_refused_change_is_taken_back(kernel: Any, bad: NamespacePlan) -> None:
    """Pods that would have come and gone, links, addresses, routes and rules are as before."""
    hooked = NamespacePlan(rules=(HOOK,))
    kernel.become(node_n1=N1 + ADDED + hooked, node_n2=N2, **PODS)
    for device in ("n1-eth0", "cni0", "veth1", "cali1"):
        wait_for_operational_state(kernel, device)
    before = lines(kernel, "node/n1")
    links = (BRIDGE, VXLAN, POD_C)  # neither pod/a nor pod/b, but pod/c
    address = NamespacePlan(addresses=(Address("n1-eth0", "10.99.0.1/16"),))
    fewer = NamespacePlan(links=links, addresses=ADDED.addresses[:2]) + address
    with pytest.raises(LabError):
        kernel.become(node_n1=N1 + fewer + bad, node_n2=N2, pod_c=NamespacePlan())
    assert set(kernel.executor.namespaces) == {"node/n1", "node/n2", "pod/a", "pod/b"}
    for device in ("veth1", "cali1"):
        wait_for_operational_state(kernel, device)
    assert lines(kernel, "node/n1") == before
    kernel.say("pod/a", "ping -c 1 -W 2 10.244.1.1")
    rules = kernel.say("node/n1", "iptables -S").splitlines()
    assert rules.count("-A FORWARD -j HOOK") == 1
    kernel.become(node_n1=N1, node_n2=N2)
    assert "-N HOOK" not in kernel.say("node/n1", "iptables -S")


def test_too_many_open_files_are_told_and_given_back(kernel: Any) -> None:
    def numbers() -> set[str]:
        return {path.name for path in Path("/proc/self/fd").iterdir()}

    kernel.become(node_n1=N1, node_n2=N2)
    before, limits = numbers(), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(before) + 40, limits[1]))
    pods = {f"pod_p{number}": NamespacePlan() for number in range(100)}
    try:
        with pytest.raises(LabError, match=r"^Too many open files: the lab's process may have \d+"):
            kernel.become(node_n1=N1, node_n2=N2, **pods)
        assert numbers() == before
        kernel.become(node_n1=N1, node_n2=N2, pod_p1=NamespacePlan())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_work_in_other_namespaces_is_done_when_one_fails(kernel: Any) -> None:
    names = [f"node/n{number}" for number in range(1, 9)]
    kernel.become(**{name.replace("/", "_"): NamespacePlan() for name in names})
    done = []

    def work(netns: Any) -> None:
        if netns.name == names[0]:
            raise LabError("the first one")
        time.sleep(0.05)  # so that the first one has failed before
        done.append(netns.name)

    with pytest.raises(LabError, match="the first one"):
        kernel.executor.inside(dict.fromkeys(names, work))
    assert sorted(done) == names[1:]


def test_more_messages_than_one_send_takes(kernel: Any) -> None:
    many = tuple(Route(f"10.{i // 256}.{i % 256}.0/24", kind="blackhole") for i in range(1000))
    kernel.become(node_n1=NamespacePlan(routes=many))
    assert len(kernel.ask("node/n1", "ip route")) == 1000
    kernel.become(node_n1=NamespacePlan())
    assert kernel.ask("node/n1", "ip route") == []


def test_a_device_is_set_down_and_up(kernel: Any) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    kernel.executor.set_device("node/n1", "n1-eth0", up=False)
    assert "UP" not in kernel.link("node/n1", "n1-eth0")["flags"]
    assert "LOWER_UP" not in kernel.link("node/n2", "n2-eth0")["flags"]
    kernel.executor.set_device("node/n1", "n1-eth0", up=True)
    assert "LOWER_UP" in kernel.link("node/n2", "n2-eth0")["flags"]
    with pytest.raises(LabError, match=r"^node/n1 has no interface eth7$"):
        kernel.executor.set_device("node/n1", "eth7", up=True)


def test_what_a_device_loses_when_it_is_set_down_is_made_again(kernel: Any) -> None:
    veth = Veth("eth0", "eth0", "node/n2", "0a:58:00:00:00:01", 1500)
    other = Veth("eth1", "eth0", "node/n3", "0a:58:00:00:00:02", 1500)
    hops = (NextHop("192.168.0.2", "eth0"), NextHop("192.168.1.2", "eth1"))
    part = NamespacePlan(
        links=(veth, other),
        addresses=(Address("eth0", "192.168.0.1/24"), Address("eth1", "192.168.1.1/24")),
        neighbours=(Neighbour("eth0", "192.168.0.2", "0a:58:00:00:00:09"),),
        routes=(
            Route("0.0.0.0/0", (NextHop("192.168.0.2", "eth0"),)),
            Route("10.0.0.0/8", hops),
            Route("10.9.0.0/16", hops[1:]),
        ),
    )
    kernel.become(node_n1=part, node_n2=NamespacePlan(), node_n3=NamespacePlan())

    def seen() -> list[str]:
        lines = kernel.say("node/n1", "ip route") + kernel.say("node/n1", "ip neigh show nud all")
        return sorted(line for line in lines.splitlines() if "NOARP" not in line)

    for device in ("eth0", "eth1"):
        wait_for_operational_state(kernel, device)
    before = seen()
    kernel.executor.set_device("node/n1", "eth0", up=False, part=part)
    assert not [line for line in seen() if line.startswith(("default", "192.168.0"))]
    kernel.executor.set_device("node/n1", "eth0", up=True, part=part)
    wait_for_operational_state(kernel, "eth0")
    assert seen() == before


def test_devices_count(kernel: Any) -> None:
    kernel.become(node_n1=N1, node_n2=N2)
    asked = {"node/n1": ["n1-eth0", "lo"], "node/n2": ["n2-eth0"]}
    kernel.say("node/n1", "ping -c 1 192.168.0.12")  # ARP is done with
    before = kernel.executor.counters(asked)
    kernel.say("node/n1", "ping -c 3 -i 0.01 -s 1000 192.168.0.12")
    after = kernel.executor.counters(asked)
    here, there = (
        [new - old for new, old in zip(after[end], before[end], strict=True)]
        for end in (("node/n1", "n1-eth0"), ("node/n2", "n2-eth0"))
    )
    # rx and tx packets, rx and tx bytes, rx and tx dropped
    assert here[:4] == [3, 3, 3 * 1042, 3 * 1042]
    assert [there[i] for i in (1, 0, 3, 2)] == here[:4]
    told = kernel.ask("node/n1", "ip -s link show n1-eth0")[0]["stats64"]
    counted = after["node/n1", "n1-eth0"]
    assert (told["rx"]["packets"], told["tx"]["bytes"]) == (counted.rx_packets, counted.tx_bytes)
    assert after["node/n1", "lo"] == before["node/n1", "lo"]
    with pytest.raises(LabError, match=r"^node/n1 has no interface eth7$"):
        kernel.executor.counters({"node/n1": ["eth7"]})


def test_the_tests_own_network_is_not_touched(kernel: Any) -> None:
    def ours() -> tuple[str, list[str]]:
        devices = sorted(p.name for p in Path("/sys/class/net").iterdir())
        return Path("/proc/self/net/route").read_text(), devices

    before = ours()
    with_all(kernel)
    assert ours() == before
