"""IPVS and its sets as netlink messages: one a virtual server, real server or entry.

Sources: the kernel's ``include/uapi/linux/ip_vs.h`` and ``linux/netfilter/ipset/ip_set.h``.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator, Sequence

from testbed.errors import LabError
from testbed.kernel.netlink import answers, attribute, message, numbered
from testbed.proxy.ipvs import SetEntry, VirtualServer

Real = tuple[str, int]

ROUTE, NETFILTER, GENERIC = 0, 12, 16
"""Netlink protocols."""

NEW_SERVICE, SET_SERVICE, DELETE_SERVICE = 1, 2, 3
NEW_DEST, SET_DEST, DELETE_DEST, _GET_DEST = 5, 6, 7, 8
CREATE, ADD, DELETE = 0x602, 0x609, 0x60A  # NFNL_SUBSYS_IPSET << 8 and the message
_CREATE_FLAG, _DUMP, _DONE, _ERROR = 0x400, 0x300, 3, 2
_NESTED, _BIG = 0x8000, 0x4000
_GENERIC_HEADER, _HEADER = struct.Struct("=BBH"), struct.Struct("=IHHII")
_SET_HEADER = struct.pack("=BBH", socket.AF_INET, 0, 0)
_PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_PERSISTENT = 1
_BUFFER, _CHUNK, _PATIENCE = 1 << 20, 400, 30


def _short(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=H", value))


def _number(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def _port(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("!H", value))


def _address(kind: int, value: str) -> bytes:
    return attribute(kind, socket.inet_aton(value) + bytes(12))


def _key(one: VirtualServer) -> bytes:
    place = _address(3, one.address) + _port(4, one.port)
    return _short(1, socket.AF_INET) + _short(2, _PROTOCOLS[one.protocol]) + place


def server(family: int, command: int, one: VirtualServer) -> bytes:
    """The message that makes, changes or deletes a virtual server, without its real ones."""
    flags = struct.pack("=II", _PERSISTENT if one.persistence else 0, 0xFFFFFFFF)
    body = _key(one) + attribute(6, one.scheduler.encode() + b"\0") + attribute(7, flags)
    body += _number(8, one.persistence) + _number(9, 0xFFFFFFFF)
    return _generic(family, command, attribute(1 | _NESTED, body))


def real(family: int, command: int, one: VirtualServer, at: Real, weight: int = 1) -> bytes:
    """The message that makes, changes or deletes a real server of a virtual one."""
    body = _address(1, at[0]) + _port(2, at[1]) + _number(3, 0) + _number(4, weight)
    body += _number(5, 0) + _number(6, 0) + _short(11, socket.AF_INET)
    attributes = attribute(1 | _NESTED, _key(one)) + attribute(2 | _NESTED, body)
    return _generic(family, command, attributes)


def _generic(family: int, command: int, attributes: bytes, flags: int = 0) -> bytes:
    return message(family, flags, _GENERIC_HEADER.pack(command, 1, 0) + attributes)


def make_set(name: str, kind: str) -> bytes:
    """The message that makes a set; one of the same type may be there already.

    Its revision is the last that kernels and ipset(8) have had since 2014 (skbinfo): the tool does
    not list sets of revisions that it does not know, and of ``hash`` types it knows no 0.
    """
    everything = attribute(4 | _BIG, b"\0\0") + attribute(5 | _BIG, b"\xff\xff")
    data, revision = (everything, b"\3") if kind == "bitmap:port" else (b"", b"\5")
    body = _set(name) + attribute(3, kind.encode() + b"\0") + attribute(4, revision)
    body += attribute(5, bytes((socket.AF_INET,))) + attribute(7 | _NESTED, data)
    return message(CREATE, _CREATE_FLAG, body)


def entry(command: int, one: SetEntry) -> bytes:
    """The message that adds or deletes an entry; whether it is there already does not matter."""
    data = _set_address(1, one.address) if one.address else b""
    data += attribute(4 | _BIG, struct.pack("!H", one.port)) if one.port else b""
    data += attribute(7, bytes((_PROTOCOLS[one.protocol],))) if one.protocol else b""
    source, _, length = one.source.partition("/")
    data += _set_address(20, source) if source else b""
    data += attribute(21, bytes((int(length),))) if length else b""
    return message(command, 0, _set(one.name) + attribute(7 | _NESTED, data))


def _set(name: str) -> bytes:
    return _SET_HEADER + attribute(1, b"\6") + attribute(2, name.encode() + b"\0")


def _set_address(kind: int, value: str) -> bytes:
    return attribute(kind | _NESTED, attribute(1 | _BIG, socket.inet_aton(value)))


def connect(protocol: int) -> socket.socket:
    """A netlink socket of the namespace that the thread is in."""
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    link.settimeout(_PATIENCE)
    link.bind((0, 0))
    return link


def send(link: socket.socket, messages: Sequence[bytes]) -> list[tuple[int, int]]:
    """Has the kernel carry out all messages; those that it refuses, as (index, errno).

    Raises:
        LabError: The kernel does not answer.
    """
    failed: list[tuple[int, int]] = []
    for start in range(0, len(messages), _CHUNK):
        chunk = list(messages[start : start + _CHUNK])
        link.send(numbered(chunk, 1))
        done = False
        while not done:
            for number, code in answers(_receive(link), 1):
                failed += [(start + number, code)] * bool(code)
                done = done or number == len(chunk) - 1
    return failed


def _receive(link: socket.socket) -> bytes:
    try:
        return link.recv(_BUFFER)
    except TimeoutError:
        raise LabError("netlink: the kernel does not answer") from None


def _attributes(data: bytes) -> dict[int, bytes]:
    found, offset = {}, 0
    while offset + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, offset)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _bodies(link: socket.socket) -> Iterator[bytes]:
    """What a dump, or a question with one answer, brings; nothing if it fails."""
    while True:
        data, offset = _receive(link), 0
        while offset + _HEADER.size <= len(data):
            length, kind, flags, _, _ = _HEADER.unpack_from(data, offset)
            if kind in (_DONE, _ERROR):
                return
            yield data[offset + _HEADER.size + _GENERIC_HEADER.size : offset + length]
            if not flags & 2:  # NLM_F_MULTI
                return
            offset += (length + 3) & ~3


def family(link: socket.socket) -> int:
    """The number of IPVS among generic netlink's families.

    Raises:
        LabError: The kernel has no IPVS.
    """
    link.send(_generic(16, 3, attribute(2, b"IPVS\0")))
    for body in _bodies(link):
        return int(struct.unpack("=H", _attributes(body)[1])[0])
    raise LabError("the kernel has no IPVS")


def weights(link: socket.socket, number: int, one: VirtualServer) -> dict[Real, tuple[int, int]]:
    """The real servers of a virtual one, each with its weight and its number of connections."""
    link.send(_generic(number, _GET_DEST, attribute(1 | _NESTED, _key(one)), _DUMP))
    found = {}
    for body in _bodies(link):
        parts = _attributes(_attributes(body)[2])
        at = socket.inet_ntoa(parts[1][:4]), int(struct.unpack("!H", parts[2])[0])
        weight, active, inactive = (struct.unpack("=I", parts[kind])[0] for kind in (4, 7, 8))
        found[at] = weight, active + inactive
    return found
