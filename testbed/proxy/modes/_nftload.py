"""From fragments to transactions: a full load in chunks, a change in one.

A transaction grows more than linearly with what is in it: tables of hashes become larger only after
it, and sets are in lists that the kernel walks. So a full load is cut into chunks. The hooks come
last: until then packets see nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set

from testbed.proxy.contract import Nft, Step
from testbed.proxy.modes import _nftcommands as commands
from testbed.proxy.modes._nftfragment import Affinity, Chain, Fragment, Fragments, owned
from testbed.proxy.modes._nftothers import Others
from testbed.proxy.nft import Command, Element


def full(
    before: Iterable[str], fragments: Fragments, chunk: int, after: Iterable[Command]
) -> tuple[Step, ...]:
    """Everything, from nothing.

    Args:
        before: What makes an empty table with all that is there whatever Services there are.
        fragments: Of all ports.
        chunk: How many ports a transaction has.
        after: What makes packets go through it.
    """
    return tuple(Nft(tuple(one)) for one in (before, *_chunks(fragments, chunk), after))


def _chunks(fragments: Fragments, chunk: int) -> Iterator[Iterator[Command]]:
    names = sorted(fragments)
    elements = owned(fragments, {key for one in fragments.values() for key in one.claims})
    made: set[str] = set()
    shared: set[Element] = set()
    for start in range(0, len(names), chunk):
        ours = [fragments[name] for name in names[start : start + chunk]]
        chains = {c.name: c for one in ours for c in one.chains if c.name not in made}
        new = sorted({e for one in ours for e in one.shared} - shared)
        claimed = [e for one in ours for key in one.claims for e in elements.pop(key, ())]
        yield _made(ours, chains.values(), [*claimed, *new])
        made |= chains.keys()
        shared |= {*new}


def _made(
    fragments: Iterable[Fragment], chains: Iterable[Chain], elements: Iterable[Element]
) -> Iterator[Command]:
    yield from commands.new_chains(chain.name for chain in chains)
    yield from commands.new_affinities(one for f in fragments for one in f.affinities)
    yield from commands.rules(chains)
    yield from commands.new_elements(elements)


def change(fragments: Fragments, old: Fragments, new: Fragments) -> tuple[Step, ...]:
    """What makes a node with the old fragments have the new ones: one transaction, or none.

    Args:
        fragments: Of all ports, as they are after the change.
        old: Ports that differ, as they were.
        new: Ports that differ, as they shall be.
    """
    others = Others(fragments, new.keys())
    found = tuple(_change(others, dict(sorted(old.items())), dict(sorted(new.items()))))
    return (Nft(found),) if found else ()


def _change(others: Others, old: Fragments, new: Fragments) -> Iterator[Command]:
    was, now = _chains(old), _chains(new)
    before, after = _affinities(old), _affinities(new)
    anew = {one.name for one in before - after} & {one.name for one in after}
    used = others.chains({name for name in was.keys() ^ now.keys() if "/" not in name})
    made = [chain for name, chain in now.items() if name not in was and name not in used]
    other = [
        chain
        for name, chain in now.items()
        if name in was and (was[name] != chain or _uses(chain, anew))
    ]
    gone = [name for name in was if name not in now and name not in used]
    goes, comes = _elements(others, old, new)
    stale = [chain.name for chain in other] + gone
    yield from commands.new_chains(chain.name for chain in made)
    yield from commands.gone_elements(goes)
    yield from commands.flushed(stale)
    yield from commands.gone_affinities(sorted(before - after))
    yield from commands.new_affinities(sorted(after - before))
    yield from commands.rules([*made, *other])
    yield from commands.new_elements(comes)
    yield from commands.gone_chains(gone)


def _elements(
    others: Others, old: Fragments, new: Fragments
) -> tuple[list[Element], list[Element]]:
    """Those that go, and those that come."""
    keys = {key for part in (old, new) for one in part.values() for key in one.claims}
    rivals = others.rivals(keys)
    was = {e: None for es in owned({**rivals, **old}, keys).values() for e in es}
    now = {e: None for es in owned({**rivals, **new}, keys).values() for e in es}
    had = {e for one in old.values() for e in one.shared}
    has = {e for one in new.values() for e in one.shared}
    lost = others.without(had - has)
    return (
        [*(e for e in was if e not in now), *sorted(lost)],
        [*(e for e in now if e not in was), *sorted(has - had)],
    )


def _chains(fragments: Fragments) -> dict[str, Chain]:
    return {chain.name: chain for one in fragments.values() for chain in one.chains}


def _uses(chain: Chain, sets: Set[str]) -> bool:
    """Whether a chain has to do with one of the sets, which are deleted and made anew."""
    return any(f"@{name} " in rule for name in sets for rule in chain.rules)


def _affinities(fragments: Fragments) -> set[Affinity]:
    return {one for fragment in fragments.values() for one in fragment.affinities}
