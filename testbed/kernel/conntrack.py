"""Connections that the kernel tracks in a namespace: looked at and deleted, by netlink.

Source: the kernel's ``include/uapi/linux/netfilter/nfnetlink_conntrack.h``. An entry is deleted by
the attributes that it is listed with, its number (``CTA_ID``) among them, so that it is that very
entry and no newer one with the same addresses.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from testbed.errors import LabError
from testbed.proxy.contract import Forget

Pair = tuple[str, int]

_NEW, _GET, _DELETE = 0x100, 0x101, 0x102  # NFNL_SUBSYS_CTNETLINK << 8 and the message
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 1, 4, 0x300
_ORIGINAL, _REPLY, _ID, _ZONE = 1, 2, 12, 18
_IP, _PROTOCOL = 1, 2  # within a tuple; in these: source 1, destination 2; number 1, ports 2 and 3
_NETFILTER = 12  # NETLINK_NETFILTER
_BUFFER = 1 << 20
_PATIENCE = 30  # seconds for the kernel to answer


@dataclass(frozen=True, slots=True)
class Connection:
    """A tracked connection.

    Attributes:
        protocol: Number of the protocol, 17 for UDP.
        to: Address and port that the client sends to.
        answered_by: Address and port that the answers come from.
        handle: The attributes that name it.
    """

    protocol: int
    to: Pair
    answered_by: Pair
    handle: bytes


def connections() -> list[Connection]:
    """The IPv4 connections with ports of the namespace that the thread is in.

    Raises:
        LabError: The kernel does not tell.
    """
    with _open() as link:
        link.send(_message(_GET, _REQUEST | _DUMP, b""))
        return [found for body in _dump(link) if (found := _connection(body)) is not None]


def forget(where: str, step: Forget) -> int:
    """Deletes the UDP connections that a step means; how many there were.

    Args:
        where: The namespace that the thread is in, for messages.
        step: Which.

    Raises:
        LabError: The kernel refuses it.
    """
    udp = (one for one in connections() if one.protocol == socket.IPPROTO_UDP)
    stale = [one for one in udp if _stale(one, step)]
    with _open() as link:
        for one in stale:
            link.send(_message(_DELETE, _REQUEST | _ACK, one.handle))
            code = -struct.unpack_from("=i", link.recv(_BUFFER), 16)[0]
            if code not in (0, 2):  # ENOENT: it has ended by itself
                raise LabError(f"{where}: deleting a tracked connection: {os.strerror(code)}")
    return len(stale)


def _stale(one: Connection, step: Forget) -> bool:
    for may in (step.addresses.get(one.to), step.node_ports.get(one.to[1])):
        if may is not None and one.answered_by not in may:
            return True
    return False


def _open() -> socket.socket:
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
    link.settimeout(_PATIENCE)
    return link


def _message(kind: int, flags: int, attributes: bytes) -> bytes:
    body = struct.pack("=BBH", socket.AF_INET, 0, 0) + attributes
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 1, 0) + body


def _dump(link: socket.socket) -> Iterator[bytes]:
    """The attributes of each entry."""
    while True:
        data, offset = link.recv(_BUFFER), 0
        while offset < len(data):
            length, kind = struct.unpack_from("=IH", data, offset)
            if kind == _DONE:
                return
            if kind == _ERROR:
                code = -struct.unpack_from("=i", data, offset + 16)[0]
                raise LabError(f"tracked connections: {os.strerror(code)}")
            yield data[offset + 20 : offset + length]
            offset += length + 3 & ~3


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]  # without the flag of nested ones
        offset += length + 3 & ~3
    return found


def _connection(body: bytes) -> Connection | None:
    parts = _attributes(body)
    original, reply = (_attributes(parts[kind]) for kind in (_ORIGINAL, _REPLY))
    protocol, answers = (_attributes(one[_PROTOCOL]) for one in (original, reply))
    if 3 not in protocol or 2 not in answers:  # ICMP
        return None
    kinds = [(kind, parts[kind]) for kind in (_ORIGINAL, _ID, _ZONE) if kind in parts]
    return Connection(
        protocol[1][0],
        (socket.inet_ntoa(_attributes(original[_IP])[2]), int.from_bytes(protocol[3])),
        (socket.inet_ntoa(_attributes(reply[_IP])[1]), int.from_bytes(answers[2])),
        b"".join(_attribute(kind, value) for kind, value in kinds),
    )


def _attribute(kind: int, value: bytes) -> bytes:
    nested = 0x8000 if kind == _ORIGINAL else 0
    length = 4 + len(value)
    return struct.pack("=HH", length, kind | nested) + value + bytes(-length % 4)
