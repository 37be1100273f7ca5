"""Elements of sets and maps as the kernel's netlink attributes.

What a key or a value looks like to the kernel follows from the set's types: parts of a key stand
one after the other, each filled up to four bytes; addresses and ports as they are in packets,
numbers as this machine has them.

Source: ``linux/netfilter/nf_tables.h`` (``enum nft_set_elem_attributes``), ``nft --debug=netlink``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network
from socket import AF_INET, inet_pton

from testbed.kernel.nftexpressions import attribute, nested, number, verdict_data
from testbed.kernel.nftkeys import PROTOCOLS
from testbed.kernel.nftreader import Anonymous, Unknown
from testbed.proxy.nft import Element

RANGE = "range"
"""An address, or a range of them, in a set of ranges."""

ROOM = 60_000
"""Bytes of elements in a message: the list of them is an attribute, which has 16 bits of length."""

_KEY, _DATA, _FLAGS, _USERDATA, _KEY_END = 1, 2, 3, 6, 10
_INTERVAL_END = 1
_COMMENT = 0  # NFTNL_UDATA_SET_ELEM_COMMENT
_SEPARATOR = " . "


def comment(kind: int, text: str) -> bytes:
    """An attribute of userdata that holds a comment, as nft writes and reads it."""
    data = text.encode() + b"\0"
    if len(data) > 129:  # nft's limit
        raise Unknown(text)
    return attribute(kind, bytes((_COMMENT, len(data))) + data)


def pack(kind: str, element: Element, *, keys_only: bool = False) -> bytes:
    """An element.

    Args:
        kind: As in :class:`testbed.proxy.nft.AddElements`.
        element: The element.
        keys_only: Whether its key is enough: it is to be deleted.

    Raises:
        Unknown: Its key or value is not of the kind, or of a kind that is not known here.
    """
    keys, values = _kinds(kind)
    try:
        found = _key(keys, element.key)
        if values and not keys_only:
            found += _value(values, element.value)
    except (KeyError, ValueError, OSError, struct.error):
        raise Unknown(str(element)) from None
    if element.comment and not keys_only:
        found += comment(_USERDATA, element.comment)
    return nested(1, found)


def of(anonymous: Anonymous) -> Iterator[bytes]:
    """The elements of a set or map that a rule brings with it."""
    for index, chain in enumerate(anonymous.chains):
        yield nested(1, _data(_KEY, struct.pack("=I", index)), verdict_data("goto", chain))
    for bound, begins in anonymous.bounds:
        flags = b"" if begins else number(_FLAGS, _INTERVAL_END)
        yield nested(1, flags, _data(_KEY, struct.pack("!I", bound)))


def messages(elements: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Elements by the message that they are in."""
    found: list[bytes] = []
    length = 0
    for one in elements:
        if found and length + len(one) > ROOM:
            yield found
            found, length = [], 0
        found.append(one)
        length += len(one)
    yield found


def _data(kind: int, value: bytes) -> bytes:
    return nested(kind, attribute(1, value))


@lru_cache(maxsize=1 << 6)
def _kinds(kind: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The types of the parts of keys, and of values."""
    keys, _, values = kind.partition(" : ")
    return tuple(keys.split(_SEPARATOR)), tuple(values.split(_SEPARATOR)) if values else ()


def _key(kinds: tuple[str, ...], text: str) -> bytes:
    parts = text.split(_SEPARATOR)
    if "/" not in text:
        return _data(_KEY, _joined(kinds, parts)) + (
            _data(_KEY_END, _joined(kinds, parts)) if RANGE in kinds else b""
        )
    networks = [IPv4Network(part) if "/" in part else None for part in parts]
    first, last = (
        [part if n is None else str(n[i]) for part, n in zip(parts, networks, strict=True)]
        for i in (0, -1)
    )
    return _data(_KEY, _joined(kinds, first)) + _data(_KEY_END, _joined(kinds, last))


def _joined(kinds: tuple[str, ...], parts: list[str]) -> bytes:
    return b"".join([_PACK[kind](part) for kind, part in zip(kinds, parts, strict=True)])


def _value(kinds: tuple[str, ...], text: str) -> bytes:
    if kinds == ("verdict",):
        word, _, chain = text.partition(" ")
        return verdict_data(word, chain)
    return _data(_DATA, _joined(kinds, text.split(_SEPARATOR)))


def _address(text: str) -> bytes:
    return inet_pton(AF_INET, text)


def _handle(text: str) -> bytes:
    """A priority, written as the handle of a traffic class."""
    major, _, minor = text.partition(":")
    return struct.pack("=I", int(major, 16) << 16 | int(minor, 16))


_PACK: dict[str, Callable[[str], bytes]] = {
    "ipv4_addr": _address,
    RANGE: _address,
    "inet_proto": lambda text: bytes((PROTOCOLS[text], 0, 0, 0)),
    "inet_service": lambda text: struct.pack("!Hxx", int(text)),
    "integer": lambda text: struct.pack("=I", int(text)),
    "priority": _handle,
}
