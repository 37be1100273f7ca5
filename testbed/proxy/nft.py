"""Commands of nft(8) as data: what a transaction of nftables does to the table of Services.

A command's text is what ``nft -f`` reads; what carries a transaction out may write it to the kernel
itself instead (:mod:`testbed.kernel.nftnetlink`). Rules are texts in nft's language: what is in
them is for the mode to say and for the kernel's side to understand.

A chain must exist before anything goes to it, and nothing may go to it any more when it is
deleted; an element is deleted before another one takes its key. So a transaction is: new chains
and sets, elements that go, rules, elements that come, chains and sets that go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

TABLE = "ip kube-proxy"
"""Family and name of the table."""


class Element(NamedTuple):
    """An element of a set or a map.

    Attributes:
        container: The set or map.
        key: The key.
        value: The value; empty in a set.
        comment: For people.
    """

    container: str
    key: str
    value: str = ""
    comment: str = ""

    def __str__(self) -> str:
        """As between the braces of ``add element``."""
        comment = f' comment "{self.comment}"' if self.comment else ""
        return f"{self.key}{comment}" + (f" : {self.value}" if self.value else "")


class AddChain(NamedTuple):
    """Makes a chain, or leaves it as it is."""

    name: str

    def __str__(self) -> str:
        return f"add chain {TABLE} {self.name}"


class AddHook(NamedTuple):
    """Makes a chain through which the kernel sends packets.

    Attributes:
        name: Its name.
        kind: ``filter`` or ``nat``.
        hook: Such as ``prerouting``.
        priority: Lower ones come first.
    """

    name: str
    kind: str
    hook: str
    priority: int

    def __str__(self) -> str:
        where = f"type {self.kind} hook {self.hook} priority {self.priority}"
        return f"add chain {TABLE} {self.name} {{ {where} ; }}"


class FlushChain(NamedTuple):
    """Empties a chain."""

    name: str

    def __str__(self) -> str:
        return f"flush chain {TABLE} {self.name}"


class DeleteChain(NamedTuple):
    """Deletes a chain that is empty and that nothing goes to."""

    name: str

    def __str__(self) -> str:
        return f"delete chain {TABLE} {self.name}"


class AddRule(NamedTuple):
    """Adds a rule at the end of a chain."""

    chain: str
    rule: str

    def __str__(self) -> str:
        return f"add rule {TABLE} {self.chain} {self.rule}"


class AddClients(NamedTuple):
    """Makes a set of clients' addresses, each of which stays in it for so many seconds."""

    name: str
    seconds: int

    def __str__(self) -> str:
        kind = f"type ipv4_addr ; flags dynamic,timeout ; timeout {self.seconds}s ;"
        return f"add set {TABLE} {self.name} {{ {kind} }}"


class DeleteSet(NamedTuple):
    """Deletes a set that no rule uses."""

    name: str

    def __str__(self) -> str:
        return f"delete set {TABLE} {self.name}"


class AddElements(NamedTuple):
    """Adds elements to a set or map.

    Attributes:
        container: The set or map.
        kind: What its keys and values are, in the words of nft: ``ipv4_addr . inet_service :
            verdict``. Places among endpoints are ``integer``.
        elements: The elements.
    """

    container: str
    kind: str
    elements: tuple[Element, ...]

    def __str__(self) -> str:
        found = ", ".join(map(str, self.elements))
        return f"add element {TABLE} {self.container} {{ {found} }}"


class DeleteElements(NamedTuple):
    """Deletes elements of a set or map, by their keys; the fields are those of `AddElements`."""

    container: str
    kind: str
    elements: tuple[Element, ...]

    def __str__(self) -> str:
        found = ", ".join(one.key for one in self.elements)
        return f"delete element {TABLE} {self.container} {{ {found} }}"


Command = (
    AddChain
    | AddHook
    | FlushChain
    | DeleteChain
    | AddRule
    | AddClients
    | DeleteSet
    | AddElements
    | DeleteElements
)


def text(commands: Iterable[Command | str]) -> str:
    """Commands as the input of ``nft -f``; empty for none."""
    return "".join(f"{command}\n" for command in commands)


def grouped(elements: Iterable[Element]) -> Iterator[tuple[str, tuple[Element, ...]]]:
    """Elements by their set or map, in the order in which these are met first."""
    groups: dict[str, list[Element]] = {}
    for one in elements:
        groups.setdefault(one.container, []).append(one)
    return ((container, tuple(ours)) for container, ours in groups.items())
