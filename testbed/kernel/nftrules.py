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
from socket import AF_INET, inet_pton

from testbed.kernel import nftexpressions as expression
from testbed.kernel import nftkeys as keys
from testbed.kernel.nftexpressions import FIRST, VERDICT
from testbed.kernel.nftreader import Anonymous, Reader, Rule, Unknown

_COMMENT = re.compile(r'(.*) comment "([^"]*)"$')


def parse(text: str) -> Rule:
    """A rule, from its text.

    Raises:
        Unknown: It has something in it that is not known here.
    """
    found = _COMMENT.match(text)
    words, comment = (found[1], found[2]) if found else (text, "")
    reader = Reader(words.split())
    try:
        while reader.words:
            _STATEMENTS[reader.take()](reader)
    except (KeyError, IndexError, ValueError, OSError):
        raise Unknown(text) from None
    return Rule(bytes(reader.before), reader.anonymous, bytes(reader.after), comment)


def _ip(reader: Reader) -> None:
    which = reader.take()
    if reader.next() == ".":
        reader.words += [which, "ip"]
        keys.key(reader)
        _member(reader)
        return
    equal = reader.next() != "!="
    if not equal:
        reader.take()
    keys.address(reader, which, equal)


def _member(reader: Reader) -> None:
    """Whether the key that is loaded is in a set, or what a map has for it."""
    if reader.next() == "vmap":
        reader.take()
        reader.add(expression.lookup(_named(reader), VERDICT))
    else:
        reader.add(expression.lookup(_named(reader)))


def _named(reader: Reader) -> str:
    name = reader.take()
    if not name.startswith("@"):
        raise ValueError(name)
    return name[1:]


def _meta(reader: Reader) -> None:
    if reader.take() == "l4proto":
        if reader.next() == ".":
            raise ValueError("keys that begin with a protocol")
        reader.add(
            expression.meta("l4proto"), expression.compare(keys.protocol_number(reader.take()))
        )
        return
    reader.take("set")
    keys.key(reader)
    reader.take("map")
    reader.add(expression.lookup(_named(reader), FIRST), expression.set_priority())


def _fib(reader: Reader) -> None:
    reader.take("saddr", "type", "local")
    reader.add(expression.source_is_local())


def _ct(reader: Reader) -> None:
    reader.take("state", "new")
    reader.add(expression.connection_is_new())


def _throw(reader: Reader) -> None:
    """An endpoint by chance: a map from the numbers from 0 on to chains."""
    reader.add(keys.number(reader))
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


def _update(reader: Reader) -> None:
    name, seconds = _named(reader), 0
    reader.take("{")
    keys.key(reader)
    if reader.next() == "timeout":
        reader.take()
        seconds = int(reader.take().removesuffix("s"))
    reader.take("}")
    reader.add(expression.update(name, seconds))


def _dnat(reader: Reader) -> None:
    if reader.next() == "to":
        reader.take()
        address, _, port = reader.take().partition(":")
        reader.add(expression.immediate(FIRST, inet_pton(AF_INET, address)))
        reader.add(expression.immediate(2, struct.pack("!H", int(port))))
        reader.add(expression.translate(2, exact=True))
        return
    reader.take("ip", "to")
    keys.key(reader)
    reader.take("map")
    reader.add(expression.lookup(_named(reader), FIRST))
    reader.add(expression.translate(expression.register(1), exact=False))


def _to(word: str) -> Callable[[Reader], None]:
    def go(reader: Reader) -> None:
        reader.add(expression.verdict(word, reader.take()))

    return go


def _end(word: str) -> Callable[[Reader], None]:
    return lambda reader: reader.add(expression.verdict(word))


_STATEMENTS: dict[str, Callable[[Reader], None]] = {
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
