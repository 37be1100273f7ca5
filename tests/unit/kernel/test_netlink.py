"""The encoder against pyroute2: it decodes what we encode, and encodes the same requests itself."""

from __future__ import annotations

import errno
import os
import struct
from typing import Any

import pytest
from pyroute2.iproute.linux import get_arguments_processor
from pyroute2.netlink import nlmsg
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from testbed.kernel import netlink
from testbed.plan.model import (
    Address,
    Bridge,
    Fdb,
    Neighbour,
    NextHop,
    Port,
    Route,
    RoutingRule,
    Veth,
    Vxlan,
)

CLASSES = {
    "link": ifinfmsg,
    "addr": ifaddrmsg,
    "route": rtmsg,
    "neigh": ndmsg,
    "fdb": ndmsg,
    "rule": fibmsg,
}
REQUEST, REPLACE, EXCL, CREATE = 0x1, 0x100, 0x200, 0x400
MAKE = REQUEST | CREATE | EXCL
MAC, OTHER = "0a:58:0a:f4:01:02", "ee:ee:ee:ee:ee:ee"

BRIDGE = Bridge("cni0", MAC, 1450)
VXLAN = Vxlan("flannel.1", 1, 8472, "192.168.0.11", "n1-eth0", MAC, 1450)
LEARNING = Vxlan("vx-a", 0xFFFFFF, 4789, "10.0.0.1", "n1-eth0", MAC, 8950, learning=True)
PLAIN = Veth("veth0", "eth0", "pod/a/b", MAC, 1500)
PORT = Veth("veth0123456789a", "eth0", "pod/a/b", MAC, 1450, OTHER, "cni0", hairpin=True)


def decoded(kind: str, data: bytes) -> Any:
    message = CLASSES[kind](data)
    message.decode()
    return message


def plain(message: Any) -> dict[str, Any]:
    """Fields and attributes of a decoded message, nested ones too, without their order."""
    found: dict[str, Any] = {}
    for key, value in message.items():
        if key == "attrs":
            found |= {name: _value(content) for name, content, *_ in value}
        elif key not in ("header", "__align", "__pad", "state", "ifi_type", "ndm_type"):
            found[key] = _value(value)
    if "state" in message and isinstance(message["state"], int):
        found["state"] = message["state"]
    return found


def _value(content: Any) -> Any:
    if hasattr(content, "items"):
        return plain(content)
    if isinstance(content, list):
        return [_value(one) for one in content]
    return content


def link(**more: Any) -> dict[str, Any]:
    return {"family": 0, "flags": 0, "change": 0, **more}


def route(**more: Any) -> dict[str, Any]:
    usual = {"family": 2, "src_len": 0, "tos": 0, "table": 254, "proto": 3, "scope": 0, "type": 1}
    return {**usual, "flags": 0, **more}


def rule(**more: Any) -> dict[str, Any]:
    usual = {"family": 2, "dst_len": 0, "src_len": 0, "tos": 0, "table": 0, "action": 1}
    return {**usual, "res1": 0, "res2": 0, "flags": 0, "FRA_PROTOCOL": 3, **more}


PEER = {"IFLA_IFNAME": "eth0", "IFLA_ADDRESS": MAC, "IFLA_NET_NS_FD": 33}
ONLINK = NextHop("10.1.2.0", "flannel.1", onlink=True)
WAYS = (NextHop("10.0.0.1", "a"), NextHop(None, "b"), NextHop("10.0.0.3"), ONLINK)

# name: kind of message, what we encode, its type and flags, what pyroute2 finds in it
DECODED: dict[str, tuple[str, bytes, int, int, dict[str, Any]]] = {
    "bridge": (
        "link",
        netlink.bridge(BRIDGE, 1000),
        16,
        MAKE,
        link(
            index=1000,
            IFLA_IFNAME="cni0",
            IFLA_ADDRESS=MAC,
            IFLA_MTU=1450,
            IFLA_LINKINFO={"IFLA_INFO_KIND": "bridge"},
        ),
    ),
    "vxlan": (
        "link",
        netlink.vxlan(VXLAN, 1001, 7),
        16,
        MAKE,
        link(
            index=1001,
            IFLA_IFNAME="flannel.1",
            IFLA_ADDRESS=MAC,
            IFLA_MTU=1450,
            IFLA_LINKINFO={
                "IFLA_INFO_KIND": "vxlan",
                "IFLA_INFO_DATA": {
                    "IFLA_VXLAN_ID": 1,
                    "IFLA_VXLAN_LINK": 7,
                    "IFLA_VXLAN_LOCAL": "192.168.0.11",
                    "IFLA_VXLAN_LEARNING": 0,
                    "IFLA_VXLAN_PORT": 8472,
                },
            },
        ),
    ),
    "veth": (
        "link",
        netlink.veth(PORT, 1002, 2, 33, 1000),
        16,
        MAKE,
        link(
            index=1002,
            IFLA_IFNAME="veth0123456789a",
            IFLA_ADDRESS=OTHER,
            IFLA_MTU=1450,
            IFLA_MASTER=1000,
            IFLA_LINKINFO={
                "IFLA_INFO_KIND": "veth",
                "IFLA_INFO_DATA": {"VETH_INFO_PEER": link(index=2, IFLA_MTU=1450, **PEER)},
            },
        ),
    ),
    "plain veth": (
        "link",
        netlink.veth(PLAIN, 1002, 2, 33, None),
        16,
        MAKE,
        link(
            index=1002,
            IFLA_IFNAME="veth0",
            IFLA_MTU=1500,
            IFLA_LINKINFO={
                "IFLA_INFO_KIND": "veth",
                "IFLA_INFO_DATA": {"VETH_INFO_PEER": link(index=2, IFLA_MTU=1500, **PEER)},
            },
        ),
    ),
    "hairpin": (
        "link",
        netlink.hairpin(5),
        19,
        REQUEST,
        link(family=7, index=5, IFLA_PROTINFO={"IFLA_BRPORT_MODE": 1}),
    ),
    "up": ("link", netlink.set_up(5), 16, REQUEST, link(index=5, flags=1, change=1)),
    "down": ("link", netlink.set_up(5, up=False), 16, REQUEST, link(index=5, change=1)),
    "port": (
        "link",
        netlink.port(Port("n1-eth0", 9000, "02:00:c0:a8:00:0b"), 5),
        16,
        REQUEST,
        link(index=5, IFLA_MTU=9000, IFLA_ADDRESS="02:00:c0:a8:00:0b"),
    ),
    "no link": ("link", netlink.delete_link(5), 17, REQUEST, link(index=5)),
    "address": (
        "addr",
        netlink.address(Address("e", "10.1.0.70/26"), 5),
        20,
        MAKE,
        {
            "family": 2,
            "prefixlen": 26,
            "flags": 0,
            "scope": 0,
            "index": 5,
            "IFA_LOCAL": "10.1.0.70",
            "IFA_ADDRESS": "10.1.0.70",
            "IFA_BROADCAST": "10.1.0.127",
        },
    ),
    "address without broadcast": (
        "addr",
        netlink.address(Address("e", "10.1.0.1/31", "link"), 5),
        20,
        MAKE,
        {
            "family": 2,
            "prefixlen": 31,
            "flags": 0,
            "scope": 253,
            "index": 5,
            "IFA_LOCAL": "10.1.0.1",
            "IFA_ADDRESS": "10.1.0.1",
        },
    ),
    "no address": (
        "addr",
        netlink.address(Address("e", "10.1.0.1/32", "host"), 5, delete=True),
        21,
        REQUEST,
        {
            "family": 2,
            "prefixlen": 32,
            "flags": 0,
            "scope": 254,
            "index": 5,
            "IFA_LOCAL": "10.1.0.1",
            "IFA_ADDRESS": "10.1.0.1",
        },
    ),
    "default route": (
        "route",
        netlink.route(Route("0.0.0.0/0", (NextHop("10.1.0.1", "e"),)), [5]),
        24,
        MAKE,
        route(dst_len=0, RTA_GATEWAY="10.1.0.1", RTA_OIF=5),
    ),
    "route of all attributes": (
        "route",
        netlink.route(
            Route("10.1.2.0/24", (ONLINK,), scope="link", source="10.9.9.9", protocol=4), [5]
        ),
        24,
        MAKE,
        route(
            dst_len=24,
            proto=4,
            scope=253,
            flags=4,
            RTA_DST="10.1.2.0",
            RTA_GATEWAY="10.1.2.0",
            RTA_OIF=5,
            RTA_PREFSRC="10.9.9.9",
        ),
    ),
    "blackhole": (
        "route",
        netlink.route(Route("10.1.2.0/24", kind="blackhole"), []),
        24,
        MAKE,
        route(dst_len=24, type=6, RTA_DST="10.1.2.0"),
    ),
    "table": (
        "route",
        netlink.route(Route("0.0.0.0/0", kind="blackhole", table=2000, metric=9), []),
        24,
        MAKE,
        route(dst_len=0, table=0, type=6, RTA_PRIORITY=9, RTA_TABLE=2000),
    ),
    "rule": (
        "rule",
        netlink.routing_rule(RoutingRule(2001, "10.1.2.3/32", "10.0.0.0/8", 2000)),
        32,
        MAKE,
        rule(
            src_len=32,
            dst_len=8,
            FRA_SRC="10.1.2.3",
            FRA_DST="10.0.0.0",
            FRA_PRIORITY=2001,
            FRA_TABLE=2000,
        ),
    ),
    "no rule": (
        "rule",
        netlink.routing_rule(RoutingRule(2000, mark=0x2000), delete=True),
        33,
        REQUEST,
        rule(FRA_PRIORITY=2000, FRA_TABLE=254, FRA_FWMARK=0x2000, FRA_FWMASK=0x2000),
    ),
    "multipath": (
        "route",
        netlink.route(Route("10.1.2.0/24", WAYS), [5, 6, None, 8]),
        24,
        MAKE,
        route(
            dst_len=24,
            RTA_DST="10.1.2.0",
            RTA_MULTIPATH=[
                {"flags": 0, "hops": 0, "oif": 5, "RTA_GATEWAY": "10.0.0.1"},
                {"flags": 0, "hops": 0, "oif": 6},
                {"flags": 0, "hops": 0, "oif": 0, "RTA_GATEWAY": "10.0.0.3"},
                {"flags": 4, "hops": 0, "oif": 8, "RTA_GATEWAY": "10.1.2.0"},
            ],
        ),
    ),
    "no route": (
        "route",
        netlink.route(Route("10.1.2.3/32", (NextHop(device="e"),), scope="link"), [5], delete=True),
        25,
        REQUEST,
        route(dst_len=32, scope=253, RTA_DST="10.1.2.3", RTA_OIF=5),
    ),
    "neighbour": (
        "neigh",
        netlink.neighbour(Neighbour("e", "10.1.2.0", MAC), 5),
        28,
        REQUEST | CREATE | REPLACE,
        {
            "family": 2,
            "ifindex": 5,
            "state": 0x80,
            "flags": 0,
            "NDA_DST": "10.1.2.0",
            "NDA_LLADDR": MAC,
        },
    ),
    "no neighbour": (
        "neigh",
        netlink.neighbour(Neighbour("e", "10.1.2.0", MAC), 5, delete=True),
        29,
        REQUEST,
        {
            "family": 2,
            "ifindex": 5,
            "state": 0x80,
            "flags": 0,
            "NDA_DST": "10.1.2.0",
            "NDA_LLADDR": MAC,
        },
    ),
    "fdb": (
        "fdb",
        netlink.fdb(Fdb("e", MAC, "192.168.0.12"), 5),
        28,
        REQUEST | CREATE | REPLACE,
        {
            "family": 7,
            "ifindex": 5,
            "state": 0x80,
            "flags": 2,
            "NDA_DST": "192.168.0.12",
            "NDA_LLADDR": MAC,
        },
    ),
    "no fdb": (
        "fdb",
        netlink.fdb(Fdb("e", MAC, "192.168.0.12"), 5, delete=True),
        29,
        REQUEST,
        {
            "family": 7,
            "ifindex": 5,
            "state": 0x80,
            "flags": 2,
            "NDA_DST": "192.168.0.12",
            "NDA_LLADDR": MAC,
        },
    ),
}


@pytest.mark.parametrize("name", DECODED)
def test_pyroute2_reads_what_we_write(name: str) -> None:
    kind, data, number, flags, content = DECODED[name]
    message = decoded(kind, data)
    assert message["header"]["length"] == len(data)
    assert (message["header"]["type"], message["header"]["flags"]) == (number, flags)
    assert plain(message) == content


# name: the arguments that make pyroute2's own encoder write the same request
ENCODED: dict[str, dict[str, Any]] = {
    "bridge": {"ifname": "cni0", "kind": "bridge", "address": MAC, "mtu": 1450, "index": 1000},
    "vxlan": {
        "ifname": "flannel.1",
        "kind": "vxlan",
        "index": 1001,
        "address": MAC,
        "mtu": 1450,
        "vxlan_id": 1,
        "vxlan_link": 7,
        "vxlan_local": "192.168.0.11",
        "vxlan_learning": False,
        "vxlan_port": 8472,
    },
    "veth": {
        "ifname": "veth0123456789a",
        "kind": "veth",
        "index": 1002,
        "address": OTHER,
        "mtu": 1450,
        "master": 1000,
        "peer": {"ifname": "eth0", "address": MAC, "mtu": 1450, "net_ns_fd": 33, "index": 2},
    },
    "up": {"index": 5, "state": "up"},
    "down": {"index": 5, "state": "down"},
    "port": {"index": 5, "mtu": 9000, "address": "02:00:c0:a8:00:0b"},
    "no link": {"index": 5},
    "address": {"index": 5, "address": "10.1.0.70", "prefixlen": 26, "broadcast": "10.1.0.127"},
    "address without broadcast": {
        "index": 5,
        "address": "10.1.0.1",
        "prefixlen": 31,
        "scope": 253,
    },
    "default route": {"dst": "0.0.0.0/0", "gateway": "10.1.0.1", "oif": 5, "proto": "boot"},
    "route of all attributes": {
        "dst": "10.1.2.0/24",
        "gateway": "10.1.2.0",
        "oif": 5,
        "flags": ["onlink"],
        "prefsrc": "10.9.9.9",
        "scope": "link",
        "proto": "static",
    },
    "blackhole": {"dst": "10.1.2.0/24", "type": "blackhole", "proto": "boot"},
    "multipath": {
        "dst": "10.1.2.0/24",
        "proto": "boot",
        "multipath": [
            {"gateway": "10.0.0.1", "oif": 5},
            {"oif": 6},
            {"gateway": "10.0.0.3"},
            {"gateway": "10.1.2.0", "oif": 8, "flags": ["onlink"]},
        ],
    },
    "neighbour": {"ifindex": 5, "dst": "10.1.2.0", "lladdr": MAC, "state": "permanent"},
    "fdb": {
        "family": 7,
        "flags": 2,
        "ifindex": 5,
        "dst": "192.168.0.12",
        "lladdr": MAC,
        "state": "permanent",
    },
}


def written_by_pyroute2(kind: str, command: str, arguments: dict[str, Any]) -> nlmsg:
    """As ``NetlinkRequest`` fills a message, without a socket."""
    if kind == "route":
        arguments = {"type": "unicast", **arguments}
    api = "neigh" if kind == "fdb" else kind
    given = get_arguments_processor(api, command, arguments, {"strict_check": False})
    message = CLASSES[kind]()
    for field in message.fields:
        message[field[0]] = given.get_value(field[0], default=0, mode="field")
    for key, value in given.items():
        name = CLASSES[kind].name2nla(key)
        if message.valid_nla(name) and value is not None:
            message["attrs"].append([name, value])
    message.encode()
    return decoded(kind, bytes(message.data))


@pytest.mark.parametrize("name", ENCODED)
def test_pyroute2_writes_the_same(name: str) -> None:
    kind, data, number, _, _ = DECODED[name]
    command = "del" if number == netlink.DELLINK else "set" if name in ("up", "down") else "add"
    theirs = plain(written_by_pyroute2(kind, command, dict(ENCODED[name])))
    ours = plain(decoded(kind, data))
    if name == "veth":  # pyroute2 cannot choose the peer's index
        ours["IFLA_LINKINFO"]["IFLA_INFO_DATA"]["VETH_INFO_PEER"]["index"] = 0
    assert ours == theirs


def test_learning_is_told_apart() -> None:
    (info,) = (
        v for k, v in plain(decoded("link", netlink.vxlan(LEARNING, 9, 7))).items() if "INFO" in k
    )
    assert info["IFLA_INFO_DATA"]["IFLA_VXLAN_LEARNING"] == 1
    assert info["IFLA_INFO_DATA"]["IFLA_VXLAN_ID"] == 0xFFFFFF


def test_a_batch_is_numbered_and_only_its_last_message_asks_for_an_answer() -> None:
    messages = [netlink.set_up(index) for index in (5, 6, 7)]
    buffer = netlink.numbered(messages, 41)
    heads, offset = [], 0
    while offset < len(buffer):
        length, _, flags, number, port = struct.unpack_from("=IHHII", buffer, offset)
        heads.append((flags, number, port))
        offset += length
    assert heads == [(1, 41, 0), (1, 42, 0), (5, 43, 0)]


@pytest.mark.parametrize("size", range(6))
def test_attributes_are_padded_but_say_their_own_length(size: int) -> None:
    made = netlink.attribute(3, b"x" * size)
    assert len(made) % 4 == 0
    assert struct.unpack_from("=HH", made) == (4 + size, 3)
    assert made[4:].rstrip(b"\0") == b"x" * size


def answer(number: int, code: int, kind: int = 2) -> bytes:
    """An answer as the kernel writes it: the error, and the header of the request."""
    return struct.pack("=IHHIIi", 36, kind, 0, number, 0, -code) + b"\0" * 16


ANSWERS: list[tuple[str, bytes, list[tuple[int, int]]]] = [
    ("nothing", b"", []),
    ("done", answer(3, 0), [(2, 0)]),
    ("failed", answer(1, errno.EEXIST), [(0, errno.EEXIST)]),
    (
        "several",
        answer(2, errno.ENODEV) + answer(9, errno.EPERM) + answer(10, 0),
        [(1, errno.ENODEV), (8, errno.EPERM), (9, 0)],
    ),
    ("others are passed by", answer(1, 0, kind=24) + answer(1, errno.EBUSY), [(0, errno.EBUSY)]),
    ("lengths are aligned", struct.pack("=IHHII2x2x", 18, 3, 0, 0, 0) + answer(1, 0), [(0, 0)]),
]


@pytest.mark.parametrize(("data", "found"), [a[1:] for a in ANSWERS], ids=[a[0] for a in ANSWERS])
def test_answers(data: bytes, found: list[tuple[int, int]]) -> None:
    assert netlink.answers(data, 1) == found


def test_an_answer_is_an_error_number_that_has_words() -> None:
    ((_, code),) = netlink.answers(answer(7, errno.EEXIST), 7)
    assert os.strerror(code) == "File exists"
