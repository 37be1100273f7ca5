"""Commands of nftables as netlink messages; see :mod:`testbed.kernel.nftnetlink`, which sends them.

Source: ``linux/netfilter/nf_tables.h``. A set that a rule brings with it has the name of its chain:
``__map%d``, which nft gives it, has the kernel walk through all sets for a free number.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import count
from typing import Any, NamedTuple

from testbed.kernel import nftelements, nftrules
from testbed.kernel import nftexpressions as expression
from testbed.kernel.nftexpressions import VERDICT, attribute, long, name, nested, number
from testbed.kernel.nftreader import Anonymous, Unknown
from testbed.proxy import nft
from testbed.proxy.nft import TABLE, Command, Element

_NEWCHAIN, _DELCHAIN, _NEWRULE, _DELRULE = 3, 5, 6, 8
_NEWSET, _DELSET, _NEWSETELEM, _DELSETELEM = 9, 11, 12, 14
_REQUEST, _CREATE, _APPEND = 0x1, 0x400, 0x800
_SUBSYSTEM = 10
_IPV4 = 2
_MAP_OF_CHAINS, _SET, _SET_OF_RANGES = 0xB, 0x3, 0x7  # anonymous, constant, map, interval
_DYNAMIC = 0x30  # of packets' own making, with a time
_INTEGER, _ADDRESS, _GOTO = 4, 7, 0xFFFFFF00  # nft's numbers of types, and the kernel's verdicts
_HOOKS = {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4}
_LONGEST = 255  # bytes of a name

# What nft notes of a set's types, to print it again; opaque to the kernel.
_OF_CLIENTS = bytes.fromhex("000402000000")
_OF_ADDRESSES = bytes.fromhex("0004020000000314000407000000010c00040c00000001040b000000")
_OF_RANGES = bytes.fromhex("0004020000000204010000000314000407000000010c00040c00000001040b000000")
_OF_CHAINS = bytes.fromhex("00040100000001040000000004080004010000000100060400000000")

_HEADER = struct.Struct("=IHHIIBBH")
_NAME = attribute(1, TABLE.split()[1].encode() + b"\0")


class Message(NamedTuple):
    """A netlink message.

    Attributes:
        said: What it does, for people.
        data: It, without its number.
        elements: Of those that have some: the elements, in their order.
    """

    said: Command
    data: bytes
    elements: tuple[Element, ...] = ()


def encode(commands: Iterable[Command | str]) -> list[Message]:
    """The messages of a transaction, without its beginning and end.

    Raises:
        Unknown: Something in them is not known here.
    """
    ids = count(1)
    return [one for command in commands for one in _ENCODERS[type(command)](command, ids)]


def message(kind: int, flags: int, *attributes: bytes, family: int = _IPV4) -> bytes:
    """A message of nftables about the table."""
    body = b"".join(attributes)
    length = _HEADER.size + len(_NAME) + len(body)
    header = _HEADER.pack(length, _SUBSYSTEM << 8 | kind, _REQUEST | flags, 0, 0, family, 0, 0)
    return header + _NAME + body


def _add_chain(command: nft.AddChain, ids: Iterator[int]) -> Iterator[Message]:
    yield Message(command, message(_NEWCHAIN, _CREATE, name(3, command.name)))


def _add_hook(command: nft.AddHook, ids: Iterator[int]) -> Iterator[Message]:
    hook = nested(4, number(1, _HOOKS[command.hook]), number(2, command.priority))
    parts = (name(3, command.name), hook, name(7, command.kind))
    yield Message(command, message(_NEWCHAIN, _CREATE, *parts))


def _flush_chain(command: nft.FlushChain, ids: Iterator[int]) -> Iterator[Message]:
    yield Message(command, message(_DELRULE, 0, name(2, command.name)))


def _delete_chain(command: nft.DeleteChain, ids: Iterator[int]) -> Iterator[Message]:
    yield Message(command, message(_DELCHAIN, 0, name(3, command.name)))


def _add_clients(command: nft.AddClients, ids: Iterator[int]) -> Iterator[Message]:
    types = number(3, _DYNAMIC) + number(4, _ADDRESS) + number(5, 4)
    parts = number(10, next(ids)), long(11, command.seconds * 1000), attribute(13, _OF_CLIENTS)
    yield Message(command, message(_NEWSET, _CREATE, name(2, command.name), types, *parts))


def _delete_set(command: nft.DeleteSet, ids: Iterator[int]) -> Iterator[Message]:
    yield Message(command, message(_DELSET, 0, name(2, command.name)))


def _add_elements(command: nft.AddElements, ids: Iterator[int]) -> Iterator[Message]:
    packed = [nftelements.pack(command.kind, one) for one in command.elements]
    yield from _elements(command, _NEWSETELEM, _CREATE, packed)


def _delete_elements(command: nft.DeleteElements, ids: Iterator[int]) -> Iterator[Message]:
    packed = [nftelements.pack(command.kind, one, keys_only=True) for one in command.elements]
    yield from _elements(command, _DELSETELEM, 0, packed)


def _elements(
    command: nft.AddElements | nft.DeleteElements, kind: int, flags: int, packed: list[bytes]
) -> Iterator[Message]:
    start = 0
    for some in nftelements.messages(packed):
        data = message(kind, flags, name(2, command.container), nested(3, *some))
        yield Message(command, data, command.elements[start : start + len(some)])
        start += len(some)


_parse = lru_cache(maxsize=1 << 10)(nftrules.parse)


def _add_rule(command: nft.AddRule, ids: Iterator[int]) -> Iterator[Message]:
    rule = _parse(command.rule)
    found = rule.before
    if rule.anonymous is not None:
        made, number_of = f"__{command.chain}", next(ids)
        yield from _bring(command, made, rule.anonymous, number_of)
        to = VERDICT if rule.anonymous.chains else None
        inverted = not rule.anonymous.chains
        found += expression.lookup(made, to, number_of, inverted=inverted) + rule.after
    parts = [name(2, command.chain), nested(4, found)]
    if rule.comment:
        parts.append(nftelements.comment(7, rule.comment))
    yield Message(command, message(_NEWRULE, _CREATE | _APPEND, *parts))


def _bring(command: Command, made: str, what: Anonymous, number_of: int) -> Iterator[Message]:
    """The set or map that a rule brings with it; its elements name it by its number alone."""
    if len(made) > _LONGEST:
        raise Unknown(made)
    parts = [*_types(what), number(10, number_of)]
    yield Message(command, message(_NEWSET, _CREATE, name(2, made), *parts))
    for some in nftelements.messages(nftelements.of(what)):
        data = message(_NEWSETELEM, _CREATE, number(4, number_of), nested(3, *some))
        yield Message(command, data)


def _types(what: Anonymous) -> Iterator[bytes]:
    size = nested(9, number(1, len(what.chains or what.bounds)))
    if what.chains:
        yield number(3, _MAP_OF_CHAINS) + number(4, _INTEGER) + number(5, 4)
        yield number(6, _GOTO) + number(7, 0) + size + attribute(13, _OF_CHAINS)
    else:
        yield number(3, _SET_OF_RANGES if what.ranges else _SET) + number(4, _ADDRESS)
        yield number(5, 4) + size + attribute(13, _OF_RANGES if what.ranges else _OF_ADDRESSES)


def _text(command: str, ids: Iterator[int]) -> Iterator[Message]:
    raise Unknown(command)


_ENCODERS: dict[type, Callable[[Any, Iterator[int]], Iterator[Message]]] = {
    nft.AddChain: _add_chain,
    nft.AddHook: _add_hook,
    nft.FlushChain: _flush_chain,
    nft.DeleteChain: _delete_chain,
    nft.AddRule: _add_rule,
    nft.AddClients: _add_clients,
    nft.DeleteSet: _delete_set,
    nft.AddElements: _add_elements,
    nft.DeleteElements: _delete_elements,
    str: _text,
}
