"""Rules in the language of nft(8), as far as the proxy modes use it, as netlink attributes.

What is understood is what a Service makes anew: matches of addresses, marks of chance, lookups,
affinity, translation, and where to go. Anything else raises :class:`Unknown`; whoever carries out a
transaction then has nft do it, so what a mode may write is not limited by this module, only fast if
it is in it. ``tests/kernel/test_nft_netlink.py`` holds that nothing that the modes write for a
Service is outside, and that the kernel shows what it would show after nft.

Source: the expressions are those of ``nft --debug=netlink`` 1.0.6.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network
from socket import AF_INET, inet_pton

from testbed.lab import nftexpressions as expression
from testbed.lab.nftexpressions import FIRST, VERDICT

PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_COMMENT = re.compile(r'(.*) comment "([^"]*)"$')
_END = 1 << 32  # after the last address


class Unknown(Exception):
    """This module does not know what is written there."""


@dataclass(frozen=True)
class Anonymous:
    """A set or map that a rule brings with it.

    Attributes:
        chains: Of a map: the chains to go to from 0, 1, …
        bounds: Of a set: where a range begins (True) or has ended (False), in order; of a set of
            single addresses all are beginnings.
        ranges: Whether it is a set of ranges.
    """

    chains: tuple[str, ...] = ()
    bounds: tuple[tuple[int, bool], ...] = ()
    ranges: bool = False


@dataclass(frozen=True)
class Rule:
    """A rule: what comes before and after the lookup of the set that it brings, if it does.

    Attributes:
        before: Expressions.
        anonymous: The set or map.
        after: Expressions.
        comment: For people.
    """

    before: bytes
    anonymous: Anonymous | None = None
    after: bytes = b""
    comment: str = ""


def parse(text: str) -> Rule:
    """A rule, from its text.

    Raises:
        Unknown: It has something in it that is not known here.
    """
    found = _COMMENT.match(text)
    words, comment = (found[1], found[2]) if found else (text, "")
    reader = _Reader(words.split())
    try:
        while reader.words:
            _STATEMENTS[reader.take()](reader)
    except (KeyError, IndexError, ValueError, OSError):
        raise Unknown(text) from None
    return Rule(bytes(reader.before), reader.anonymous, bytes(reader.after), comment)


@dataclass
class _Reader:
    """The words of a rule that are still to be read, and what those before them say."""

    words: list[str]
    before: bytearray = field(default_factory=bytearray)
    after: bytearray = field(default_factory=bytearray)
    anonymous: Anonymous | None = None

    def __post_init__(self) -> None:
        self.words.reverse()

    def take(self, *wanted: str) -> str:
        """The next word; if words are wanted, it and those after it must be these."""
        word = self.words.pop()
        for i, one in enumerate(wanted):
            if one != (word if i == 0 else self.words.pop()):
                raise ValueError(one)
        return word

    def next(self) -> str:
        """The next word, which stays there."""
        return self.words[-1] if self.words else ""

    def add(self, *expressions: bytes) -> None:
        """Adds expressions behind those that are there."""
        end = self.before if self.anonymous is None else self.after
        for one in expressions:
            end += one

    def bring(self, anonymous: Anonymous) -> None:
        """Notes the set that is looked up here; a rule may bring one."""
        if self.anonymous is not None:
            raise ValueError("two sets")
        self.anonymous = anonymous


def _ip(reader: _Reader) -> None:
    which = reader.take()
    if reader.next() == ".":
        reader.words += [which, "ip"]
        _key(reader)
        _member(reader)
        return
    equal = reader.next() != "!="
    if not equal:
        reader.take()
    _address(reader, which, equal)


def _address(reader: _Reader, which: str, equal: bool) -> None:
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


def _ranges(reader: _Reader, which: str, equal: bool) -> None:
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


def _key(reader: _Reader) -> None:
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


def _network(reader: _Reader, to: int) -> bytes:
    return expression.address({"saddr": "saddr", "daddr": "daddr"}[reader.take()], to)


def _port_of(protocol: str) -> Callable[[_Reader, int], bytes]:
    """The port of a protocol, which the packet must have: that is asked before anything else."""

    def port(reader: _Reader, to: int) -> bytes:
        reader.take("dport")
        if protocol != "th":
            reader.add(expression.meta("l4proto"), expression.compare(_protocol(protocol)))
        return expression.port(to)

    return port


def _meta_part(reader: _Reader, to: int) -> bytes:
    return expression.meta(reader.take(), to)


def _number(reader: _Reader, to: int = FIRST) -> bytes:
    kind = reader.take()
    reader.take("mod")
    modulus, offset = int(reader.take()), 0
    if reader.next() == "offset":
        reader.take()
        offset = int(reader.take())
    return expression.numgen(kind, modulus, offset, to)


def _member(reader: _Reader) -> None:
    """Whether the key that is loaded is in a set, or what a map has for it."""
    if reader.next() == "vmap":
        reader.take()
        reader.add(expression.lookup(_named(reader), VERDICT))
    else:
        reader.add(expression.lookup(_named(reader)))


def _named(reader: _Reader) -> str:
    name = reader.take()
    if not name.startswith("@"):
        raise ValueError(name)
    return name[1:]


def _protocol(name: str) -> bytes:
    return bytes((PROTOCOLS[name],))


def _meta(reader: _Reader) -> None:
    if reader.take() == "l4proto":
        if reader.next() == ".":
            raise ValueError("keys that begin with a protocol")
        reader.add(expression.meta("l4proto"), expression.compare(_protocol(reader.take())))
        return
    reader.take("set")
    _key(reader)
    reader.take("map")
    reader.add(expression.lookup(_named(reader), FIRST), expression.set_priority())


def _fib(reader: _Reader) -> None:
    reader.take("saddr", "type", "local")
    reader.add(expression.source_is_local())


def _ct(reader: _Reader) -> None:
    reader.take("state", "new")
    reader.add(expression.connection_is_new())


def _throw(reader: _Reader) -> None:
    """An endpoint by chance: a map from the numbers from 0 on to chains."""
    reader.add(_number(reader))
    reader.take("vmap", "{")
    chains: list[str] = []
    while True:
        if int(reader.take()) != len(chains):
            raise ValueError("numbers")
        reader.take(":", "goto")
        chains.append(reader.take())
        if reader.take() == "}":
            break
    reader.bring(Anonymous(tuple(chains)))


def _update(reader: _Reader) -> None:
    name, seconds = _named(reader), 0
    reader.take("{")
    _key(reader)
    if reader.next() == "timeout":
        reader.take()
        seconds = int(reader.take().removesuffix("s"))
    reader.take("}")
    reader.add(expression.update(name, seconds))


def _dnat(reader: _Reader) -> None:
    if reader.next() == "to":
        reader.take()
        address, _, port = reader.take().partition(":")
        reader.add(expression.immediate(FIRST, inet_pton(AF_INET, address)))
        reader.add(expression.immediate(2, struct.pack("!H", int(port))))
        reader.add(expression.translate(2, exact=True))
        return
    reader.take("ip", "to")
    _key(reader)
    reader.take("map")
    reader.add(expression.lookup(_named(reader), FIRST))
    reader.add(expression.translate(expression.register(1), exact=False))


def _to(word: str) -> Callable[[_Reader], None]:
    def go(reader: _Reader) -> None:
        reader.add(expression.verdict(word, reader.take()))

    return go


def _end(word: str) -> Callable[[_Reader], None]:
    return lambda reader: reader.add(expression.verdict(word))


_PARTS: dict[str, Callable[[_Reader, int], bytes]] = {
    "ip": _network,
    "meta": _meta_part,
    "numgen": _number,
    **{name: _port_of(name) for name in ("th", *PROTOCOLS)},
}

_STATEMENTS: dict[str, Callable[[_Reader], None]] = {
    "ip": _ip,
    "meta": _meta,
    "fib": _fib,
    "ct": _ct,
    "numgen": _throw,
    "update": _update,
    "dnat": _dnat,
    **{word: _to(word) for word in ("jump", "goto")},
    **{word: _end(word) for word in ("drop", "return", "accept")},
}
