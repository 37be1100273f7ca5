"""Items of a plan as rtnetlink messages, in batches.

One buffer of messages per namespace and one system call to send it: encoding costs a few
microseconds per message, where pyroute2's generic encoder takes 85 to 260
(``benchmarks/encode.py``). The tests have pyroute2 decode what this module encodes.

Sources: rtnetlink(7), ``linux/rtnetlink.h``, ``linux/if_link.h``, ``linux/neighbour.h``.
"""

from __future__ import annotations

import socket
import struct

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

NEWLINK, DELLINK, SETLINK = 16, 17, 19
NEWADDR, DELADDR = 20, 21
NEWROUTE, DELROUTE = 24, 25
NEWNEIGH, DELNEIGH = 28, 29
NEWRULE, DELRULE = 32, 33

_REQUEST, _ACK, _REPLACE, _EXCL, _CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
_IFF_UP = 1
_NESTED = 0x8000
_SCOPES = {"global": 0, "link": 253, "host": 254}
_ROUTE_KINDS = {"unicast": 1, "blackhole": 6}
_MAIN_TABLE = 254
_TO_TABLE = 1
_BOOT = 3
_ONLINK = 4
_NUD_PERMANENT = 0x80
_NTF_SELF = 0x02
_NLMSG_ERROR = 2

_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")
_NEIGHBOUR = struct.Struct("=BxxxiHBB")
_NEXT_HOP = struct.Struct("=HBBi")


def message(kind: int, flags: int, body: bytes) -> bytes:
    """A netlink message without sequence number, which :func:`numbered` fills in."""
    return _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 0, 0) + body


def numbered(messages: list[bytes], first: int) -> bytes:
    """One buffer of all messages, numbered from ``first``; only the last asks for an answer.

    The kernel answers the others only when they fail, so the receive buffer cannot overflow.
    """
    buffer = bytearray()
    for number, item in enumerate(messages, first):
        length, kind, flags, _, port = _HEADER.unpack_from(item)
        if number == first + len(messages) - 1:
            flags |= _ACK
        buffer += _HEADER.pack(length, kind, flags, number, port)
        buffer += item[_HEADER.size :]
    return bytes(buffer)


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", len(value) + 4, kind) + value + b"\0" * (-len(value) % 4)


def _text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def _byte(kind: int, value: int) -> bytes:
    return attribute(kind, bytes((value,)))


def _mac(kind: int, value: str) -> bytes:
    return attribute(kind, bytes.fromhex(value.replace(":", "")))


def _ip(kind: int, value: str) -> bytes:
    return attribute(kind, socket.inet_aton(value))


def _new_link(name: str, index: int, kind: str, data: bytes, common: bytes) -> bytes:
    info = _text(1, kind) + (attribute(2 | _NESTED, data) if data else b"")
    body = _LINK.pack(0, 0, index, 0, 0) + _text(3, name) + common + attribute(18 | _NESTED, info)
    return message(NEWLINK, _CREATE | _EXCL, body)


def bridge(item: Bridge, index: int) -> bytes:
    """The message that makes a bridge."""
    common = _mac(1, item.mac) + _number(4, item.mtu)
    return _new_link(item.name, index, "bridge", b"", common)


def dummy(name: str, index: int) -> bytes:
    """The message that makes a device that takes what is sent to it and does nothing with it."""
    return _new_link(name, index, "dummy", b"", b"")


def vxlan(item: Vxlan, index: int, parent: int) -> bytes:
    """The message that makes a VTEP; ``parent`` is the index of its underlay interface."""
    data = (
        _number(1, item.vni)
        + _number(3, parent)
        + _ip(4, item.local)
        + _byte(7, item.learning)
        + attribute(15, struct.pack("!H", item.port))
    )
    common = _mac(1, item.mac) + _number(4, item.mtu)
    return _new_link(item.name, index, "vxlan", data, common)


def veth(item: Veth, index: int, peer_index: int, peer_fd: int, master: int | None) -> bytes:
    """The message that makes a veth pair, its peer straight in the namespace of ``peer_fd``."""
    peer = (
        _LINK.pack(0, 0, peer_index, 0, 0)
        + _text(3, item.peer)
        + _mac(1, item.peer_mac)
        + _number(4, item.mtu)
        + _number(28, peer_fd)
    )
    common = _number(4, item.mtu)
    common += _mac(1, item.mac) if item.mac else b""
    common += _number(10, master) if master is not None else b""
    return _new_link(item.name, index, "veth", attribute(1 | _NESTED, peer), common)


def hairpin(index: int) -> bytes:
    """The message that turns hairpin mode of a bridge port on."""
    port = attribute(12 | _NESTED, _byte(4, 1))  # IFLA_PROTINFO, IFLA_BRPORT_MODE
    return message(SETLINK, 0, _LINK.pack(socket.AF_BRIDGE, 0, index, 0, 0) + port)


def set_up(index: int, *, up: bool = True) -> bytes:
    """The message that sets an interface up, or down."""
    return message(NEWLINK, 0, _LINK.pack(0, 0, index, _IFF_UP if up else 0, _IFF_UP))


def port(item: Port, index: int) -> bytes:
    """The message that gives an existing interface its MTU and hardware address."""
    body = _LINK.pack(0, 0, index, 0, 0) + _number(4, item.mtu)
    return message(NEWLINK, 0, body + (_mac(1, item.mac) if item.mac else b""))


def delete_link(index: int) -> bytes:
    """The message that deletes an interface (a veth with its peer)."""
    return message(DELLINK, 0, _LINK.pack(0, 0, index, 0, 0))


def address(item: Address, index: int, *, delete: bool = False) -> bytes:
    """The message that adds or deletes an address, with its broadcast address as ``ip`` has it."""
    host, _, length = item.address.partition("/")
    packed, rest = socket.inet_aton(host), 0xFFFFFFFF >> int(length)
    body = _ADDRESS.pack(socket.AF_INET, int(length), 0, _SCOPES[item.scope], index)
    body += attribute(2, packed) + attribute(1, packed)
    if int(length) < 31:
        body += attribute(4, (int.from_bytes(packed, "big") | rest).to_bytes(4, "big"))
    return message(DELADDR if delete else NEWADDR, 0 if delete else _CREATE | _EXCL, body)


def _hop(hop: NextHop) -> tuple[bytes, int]:
    gateway = _ip(5, hop.via) if hop.via else b""
    return gateway, _ONLINK if hop.onlink else 0


def _multipath(item: Route, indices: list[int | None]) -> bytes:
    ways = bytearray()
    for hop, index in zip(item.next_hops, indices, strict=True):
        gateway, flags = _hop(hop)
        ways += _NEXT_HOP.pack(_NEXT_HOP.size + len(gateway), flags, 0, index or 0) + gateway
    return attribute(9, bytes(ways))


def route(
    item: Route, indices: list[int | None], *, delete: bool = False, replace: bool = False
) -> bytes:
    """The message that adds or deletes a route; ``indices`` are its next hops' interfaces.

    With ``replace`` one of the same destination may be there already.
    """
    host, _, length = item.destination.partition("/")
    flags, ways = 0, b""
    if len(item.next_hops) == 1:
        ways, flags = _hop(item.next_hops[0])
        ways += _number(4, indices[0]) if indices[0] is not None else b""
    elif item.next_hops:
        ways = _multipath(item, indices)
    kind, scope = _ROUTE_KINDS[item.kind], _SCOPES[item.scope]
    table = _MAIN_TABLE if item.table is None else 0
    header = (socket.AF_INET, int(length), 0, 0, table, item.protocol, scope, kind, flags)
    body = _ROUTE.pack(*header) + (_ip(1, host) if int(length) else b"") + ways
    body += _ip(7, item.source) if item.source else b""
    body += _number(6, item.metric) if item.metric else b""
    body += _number(15, item.table) if item.table is not None else b""
    wanted = _CREATE | (_REPLACE if replace else _EXCL)
    return message(DELROUTE if delete else NEWROUTE, 0 if delete else wanted, body)


def routing_rule(item: RoutingRule, *, delete: bool = False) -> bytes:
    """The message that adds or deletes a rule of the routing policy database."""
    source, _, source_length = (item.source or "0.0.0.0/0").partition("/")
    host, _, length = item.destination.partition("/")
    lengths = (int(length), int(source_length))
    body = _ROUTE.pack(socket.AF_INET, *lengths, 0, 0, 0, 0, _TO_TABLE, 0)
    body += _ip(1, host) if lengths[0] else b""
    body += _ip(2, source) if lengths[1] else b""
    body += _number(6, item.priority) + _number(15, item.table or _MAIN_TABLE)
    body += _number(10, item.mark) + _number(16, item.mark) if item.mark else b""
    body += _byte(21, _BOOT)
    return message(DELRULE if delete else NEWRULE, 0 if delete else _CREATE | _EXCL, body)


def neighbour(item: Neighbour, index: int, *, delete: bool = False) -> bytes:
    """The message that adds or deletes a permanent ARP entry."""
    body = _NEIGHBOUR.pack(socket.AF_INET, index, _NUD_PERMANENT, 0, 0)
    body += _ip(1, item.address) + _mac(2, item.mac)
    return message(DELNEIGH if delete else NEWNEIGH, 0 if delete else _CREATE | _REPLACE, body)


def fdb(item: Fdb, index: int, *, delete: bool = False) -> bytes:
    """The message that adds or deletes a forwarding entry of a VXLAN device."""
    body = _NEIGHBOUR.pack(socket.AF_BRIDGE, index, _NUD_PERMANENT, _NTF_SELF, 0)
    body += _mac(2, item.mac) + _ip(1, item.vtep)
    return message(DELNEIGH if delete else NEWNEIGH, 0 if delete else _CREATE | _REPLACE, body)


def answers(data: bytes, first: int) -> list[tuple[int, int]]:
    """The kernel's answers in what was received, as (index of the message, errno or 0).

    Args:
        data: Any number of netlink messages.
        first: The number that :func:`numbered` began with.
    """
    found: list[tuple[int, int]] = []
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, number, _ = _HEADER.unpack_from(data, offset)
        if kind == _NLMSG_ERROR:
            code = struct.unpack_from("=i", data, offset + _HEADER.size)[0]
            found.append((number - first, -code))
        offset += (length + 3) & ~3
    return found
