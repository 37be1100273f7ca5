"""What rules of nftables are made of, as the kernel's netlink attributes.

Each function makes one expression, such as "load the source address into a register", with the
attributes that nft 1.0.6 gives it, so that ``nft list`` reads it back as it was written. Numbers of
attributes are in network byte order; registers hold what packets have in it.

Source: ``linux/netfilter/nf_tables.h`` (``enum nft_*_attributes``).
"""

from __future__ import annotations

import struct
from functools import lru_cache

FIRST = 1
"""The register of a value, or of the first part of a key (``NFT_REG_1``)."""

VERDICT = 0
"""The register of verdicts."""

_NESTED = 0x8000
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_SOURCE, _DESTINATION = 12, 16  # offsets in an IPv4 header
_DESTINATION_PORT = 2
_META = {"priority": 2, "l4proto": 16}
_VERDICTS = {"drop": 0, "accept": 1, "return": -5, "jump": -3, "goto": -4}
_LOCAL = 2  # RTN_LOCAL
_FIB_SOURCE, _FIB_TYPE = 1, 3
_CT_STATE, _NEW = 0, 8  # NFT_CT_STATE; the bit of new connections
_RANDOM, _INCREMENTAL = 1, 0
_DESTINATION_NAT, _IPV4, _WITH_PORT = 1, 2, 2
_UPDATE = 1
_INVERTED = 1


def attribute(kind: int, value: bytes) -> bytes:
    """A netlink attribute, padded to four bytes."""
    return struct.pack("=HH", len(value) + 4, kind) + value + bytes(-len(value) % 4)


def nested(kind: int, *values: bytes) -> bytes:
    """An attribute that holds others."""
    inner = b"".join(values)
    return struct.pack("=HH", len(inner) + 4, kind | _NESTED) + inner


@lru_cache(maxsize=1 << 10)
def number(kind: int, value: int) -> bytes:
    """An attribute that holds a number of 32 bits."""
    return struct.pack("=HH", 8, kind) + struct.pack("!I", value & 0xFFFFFFFF)


def long(kind: int, value: int) -> bytes:
    """An attribute that holds a number of 64 bits."""
    return attribute(kind, struct.pack("!Q", value))


def name(kind: int, value: str) -> bytes:
    """An attribute that holds a text."""
    return attribute(kind, value.encode() + b"\0")


def _expression(kind: str, *values: bytes) -> bytes:
    return nested(1, name(1, kind), nested(2, *values))


def register(place: int) -> int:
    """The register of the part of a key that begins after so many words of 32 bits."""
    return FIRST if place == 0 else 8 + place  # NFT_REG_1 is NFT_REG32_00 to 03


@lru_cache(maxsize=1 << 6)
def address(which: str, to: int = FIRST, length: int = 4) -> bytes:
    """Loads the first bytes of ``saddr`` or ``daddr``."""
    offset = _SOURCE if which == "saddr" else _DESTINATION
    return _payload(_NETWORK_HEADER, offset, length, to)


@lru_cache(maxsize=1 << 6)
def port(to: int = FIRST) -> bytes:
    """Loads the destination's port."""
    return _payload(_TRANSPORT_HEADER, _DESTINATION_PORT, 2, to)


def _payload(base: int, offset: int, length: int, to: int) -> bytes:
    where = number(2, base) + number(3, offset) + number(4, length)
    return _expression("payload", number(1, to), where)


@lru_cache(maxsize=1 << 6)
def meta(which: str, to: int = FIRST) -> bytes:
    """Loads ``l4proto`` or ``priority``."""
    return _expression("meta", number(2, _META[which]), number(1, to))


@lru_cache(maxsize=1)
def set_priority() -> bytes:
    """Gives the packet the priority that is in the first register."""
    return _expression("meta", number(2, _META["priority"]), number(3, FIRST))


@lru_cache(maxsize=1 << 10)
def numgen(kind: str, modulus: int, offset: int, to: int = FIRST) -> bytes:
    """Loads a number from ``offset`` on: ``random``, or ``inc``, one after the other."""
    which = number(3, _RANDOM if kind == "random" else _INCREMENTAL)
    return _expression("numgen", number(1, to), number(2, modulus), which, number(4, offset))


@lru_cache(maxsize=1 << 10)
def compare(value: bytes, *, equal: bool = True) -> bytes:
    """Goes on if the first register holds the value, or does not."""
    data = nested(3, attribute(1, value))
    return _expression("cmp", number(1, FIRST), number(2, 0 if equal else 1), data)


def mask(value: bytes) -> bytes:
    """Keeps the bits of the first register that the mask has."""
    parts = (number(1, FIRST), number(2, FIRST), number(3, len(value)))
    zero = nested(5, attribute(1, bytes(len(value))))
    return _expression("bitwise", *parts, nested(4, attribute(1, value)), zero)


@lru_cache(maxsize=1)
def source_is_local() -> bytes:
    """Goes on if the source address is the node's own."""
    parts = number(3, _FIB_SOURCE) + number(2, _FIB_TYPE) + number(1, FIRST)
    return _expression("fib", parts) + compare(struct.pack("=I", _LOCAL))


@lru_cache(maxsize=1)
def connection_is_new() -> bytes:
    """Goes on if the packet is the first of a connection."""
    load = _expression("ct", number(2, _CT_STATE), number(1, FIRST))
    return load + mask(struct.pack("=I", _NEW)) + compare(bytes(4), equal=False)


def lookup(
    container: str, to: int | None = None, number_of: int = 0, *, inverted: bool = False
) -> bytes:
    """Goes on if the key is in a set, or is not; or loads what a map has for it.

    Args:
        container: The set or map.
        to: The register for what the map has.
        number_of: The container's number in the transaction; 0 if it is older than that.
        inverted: Whether to go on if the key is not there.
    """
    parts = [number(2, FIRST), name(1, container)]
    parts += [number(3, to)] if to is not None else []
    parts += [number(4, number_of)] if number_of else []
    parts += [number(5, _INVERTED)] if inverted else []
    return _expression("lookup", *parts)


def update(container: str, seconds: int) -> bytes:
    """Puts the key into a set, or begins its time there anew; 0 seconds: as the set says."""
    parts = [number(4, FIRST), number(3, _UPDATE), name(1, container)]
    parts += [long(6, seconds * 1000)] if seconds else []
    return _expression("dynset", *parts)


def immediate(to: int, value: bytes) -> bytes:
    """Loads a constant."""
    return _expression("immediate", number(1, to), nested(2, attribute(1, value)))


def verdict_data(word: str, chain: str = "") -> bytes:
    """A verdict as the value of an element or a register."""
    where = name(2, chain) if chain else b""
    return nested(2, nested(2, number(1, _VERDICTS[word]), where))


def verdict(word: str, chain: str = "") -> bytes:
    """Ends the rule: ``drop``, ``accept``, ``return``, or ``jump`` or ``goto`` a chain."""
    return _expression("immediate", number(1, VERDICT), verdict_data(word, chain))


@lru_cache(maxsize=1 << 3)
def translate(port_from: int, *, exact: bool) -> bytes:
    """Translates the destination to the address in the first register and the port in another.

    Args:
        port_from: The register of the port.
        exact: Whether the rule names the port itself, which nft marks.
    """
    parts = (number(1, _DESTINATION_NAT), number(2, _IPV4), number(3, FIRST), number(5, port_from))
    return _expression("nat", *parts, *([number(7, _WITH_PORT)] if exact else []))
