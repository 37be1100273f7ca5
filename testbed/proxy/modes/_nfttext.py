"""Commands of nft(8), in the order in which a transaction needs them.

A chain must exist before anything goes to it, and nothing may go to it any more when it is
deleted; an element is deleted before another one takes its key. So a transaction is: new chains
and sets, elements that go, rules, elements that come, chains and sets that go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from testbed.proxy.modes._nftfragment import Affinity, Chain, Element
from testbed.proxy.modes._nftnames import TABLE


def text(lines: Iterable[str]) -> str:
    """Commands as the input of ``nft -f``; empty for none."""
    return "".join(f"{line}\n" for line in lines)


def new_chains(names: Iterable[str]) -> Iterator[str]:
    """Makes chains, or leaves them as they are."""
    return (f"add chain {TABLE} {name}" for name in names)


def flushed(names: Iterable[str]) -> Iterator[str]:
    """Empties chains."""
    return (f"flush chain {TABLE} {name}" for name in names)


def rules(chains: Iterable[Chain]) -> Iterator[str]:
    """Adds the rules of chains at their ends."""
    return (f"add rule {TABLE} {chain.name} {rule}" for chain in chains for rule in chain.rules)


def gone_chains(names: Iterable[str]) -> Iterator[str]:
    """Deletes chains; they are empty, for they may go to each other."""
    return (f"delete chain {TABLE} {name}" for name in names)


def new_affinities(sets: Iterable[Affinity]) -> Iterator[str]:
    """Makes sets of clients."""
    for name, seconds in sets:
        kind = f"type ipv4_addr ; flags dynamic,timeout ; timeout {seconds}s ;"
        yield f"add set {TABLE} {name} {{ {kind} }}"


def gone_affinities(sets: Iterable[Affinity]) -> Iterator[str]:
    """Deletes sets of clients."""
    return (f"delete set {TABLE} {one.name}" for one in sets)


def new_elements(elements: Iterable[Element]) -> Iterator[str]:
    """Adds elements: one command for each set or map."""
    for container, ours in _grouped(elements):
        yield f"add element {TABLE} {container} {{ {', '.join(map(str, ours))} }}"


def gone_elements(elements: Iterable[Element]) -> Iterator[str]:
    """Deletes elements: one command for each set or map."""
    for container, ours in _grouped(elements):
        yield f"delete element {TABLE} {container} {{ {', '.join(one.key for one in ours)} }}"


def _grouped(elements: Iterable[Element]) -> Iterable[tuple[str, list[Element]]]:
    groups: dict[str, list[Element]] = {}
    for one in elements:
        groups.setdefault(one.container, []).append(one)
    return groups.items()
