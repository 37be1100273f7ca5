"""What rules of nftables ask of packets: addresses in networks, and keys of several parts.

See :mod:`testbed.kernel.nftrules`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network
from socket import AF_INET, inet_pton

from testbed.kernel import nftexpressions as expression
from testbed.kernel.nftexpressions import FIRST
from testbed.kernel.nftreader import Anonymous, Reader

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_END = 1 << 32  # after the last address


def address(reader: Reader, which: str, equal: bool) -> None:
    """Whether ``saddr`` or ``daddr`` is in what comes next, or is not."""
    if which not in ("saddr", "daddr"):
        raise ValueError(which)
    if reader.next().startswith("@"):
        reader.add(expression.address(which))
        reader.add(expression.lookup(reader.take()[1:], inverted=not equal))
    elif reader.next() == "{":
        _ranges(reader, which, equal)
    else:
        reader.add(_within(which, reader.take(), equal))


@lru_cache(maxsize=1 << 10)
def _within(which: str, network: str, equal: bool) -> bytes:
    """Whether an address is in a network: nft compares whole bytes where it can."""
    address, _, length = network.partition("/")
    bits = int(length or 32)
    packed = inet_pton(AF_INET, address)
    if not 0 < bits <= 32:
        raise ValueError(network)
    if bits % 8 == 0:
        found = expression.address(which, length=bits // 8)
        return found + expression.compare(packed[: bits // 8], equal=equal)
    masked = expression.mask(struct.pack("!I", _END - (1 << 32 - bits)))
    return expression.address(which) + masked + expression.compare(packed, equal=equal)


def _ranges(reader: Reader, which: str, equal: bool) -> None:
    """A set of ranges, written in the rule; one of a single range is none, but a comparison."""
    reader.take("{")
    given = [reader.take()]
    while reader.take() == ",":
        given.append(reader.take())
    if len(given) == 1:
        reader.add(_within(which, given[0], equal))
        return
    reader.add(expression.address(which))
    reader.bring(_bounds(tuple(given), inverted=not equal))


@lru_cache(maxsize=1 << 10)
def _bounds(given: tuple[str, ...], inverted: bool) -> Anonymous:
    if not inverted:
        raise ValueError(given)  # the modes do not use it, and Anonymous does not tell them apart
    networks = [IPv4Network(one) for one in given]
    firsts = sorted(int(one.network_address) for one in networks)
    if all(one.prefixlen == 32 for one in networks):
        return Anonymous(bounds=tuple((first, True) for first in firsts))
    ends = sorted(int(one.broadcast_address) + 1 for one in networks)
    if ends[-1] == _END or any(a > b for a, b in zip(ends, firsts[1:], strict=False)):
        raise ValueError(given)
    meet = set(firsts) & set(ends)  # two that touch are one
    found = [(one, True) for one in firsts if one not in meet]
    found += [(one, False) for one in ends if one not in meet]
    return Anonymous(bounds=((0, False), *sorted(found))[firsts[0] == 0 :], ranges=True)


def key(reader: Reader) -> None:
    """Loads the parts of a key into registers, one after the other."""
    place, parts = 0, []
    while True:
        to = expression.register(place)
        parts.append(_PARTS[reader.take()](reader, to))
        place += 1
        if reader.next() != ".":
            break
        reader.take(".")
    reader.add(*parts)


def _network(reader: Reader, to: int) -> bytes:
    return expression.address({"saddr": "saddr", "daddr": "daddr"}[reader.take()], to)


def _port_of(protocol: str) -> Callable[[Reader, int], bytes]:
    """The port of a protocol, which the packet must have: that is asked before anything else."""

    def port(reader: Reader, to: int) -> bytes:
        reader.take("dport")
        if protocol != "th":
            reader.add(expression.meta("l4proto"), expression.compare(protocol_number(protocol)))
        return expression.port(to)

    return port


def _meta_part(reader: Reader, to: int) -> bytes:
    return expression.meta(reader.take(), to)


def number(reader: Reader, to: int = FIRST) -> bytes:
    """A number by chance, or the next one."""
    kind = reader.take()
    reader.take("mod")
    modulus, offset = int(reader.take()), 0
    if reader.next() == "offset":
        reader.take()
        offset = int(reader.take())
    return expression.numgen(kind, modulus, offset, to)


def protocol_number(name: str) -> bytes:
    """A protocol as packets have it."""
    return bytes((PROTOCOLS[name],))


_PARTS: dict[str, Callable[[Reader, int], bytes]] = {
    "ip": _network,
    "meta": _meta_part,
    "numgen": number,
    **{name: _port_of(name) for name in ("th", *PROTOCOLS)},
}
