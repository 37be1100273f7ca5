"""Parts of transactions (:mod:`testbed.proxy.nft`) from chains, sets of clients and elements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from testbed.proxy import nft
from testbed.proxy.modes._nftfragment import Affinity, Chain
from testbed.proxy.modes._nftkinds import KINDS
from testbed.proxy.nft import Command, Element


def new_chains(names: Iterable[str]) -> Iterator[Command]:
    """Makes chains, or leaves them as they are."""
    return (nft.AddChain(name) for name in names)


def flushed(names: Iterable[str]) -> Iterator[Command]:
    """Empties chains."""
    return (nft.FlushChain(name) for name in names)


def rules(chains: Iterable[Chain]) -> Iterator[Command]:
    """Adds the rules of chains at their ends."""
    return (nft.AddRule(chain.name, rule) for chain in chains for rule in chain.rules)


def gone_chains(names: Iterable[str]) -> Iterator[Command]:
    """Deletes chains; they are empty, for they may go to each other."""
    return (nft.DeleteChain(name) for name in names)


def new_affinities(sets: Iterable[Affinity]) -> Iterator[Command]:
    """Makes sets of clients."""
    return (nft.AddClients(*one) for one in sets)


def gone_affinities(sets: Iterable[Affinity]) -> Iterator[Command]:
    """Deletes sets of clients."""
    return (nft.DeleteSet(one.name) for one in sets)


def new_elements(elements: Iterable[Element]) -> Iterator[Command]:
    """Adds elements: one command for each set or map."""
    return (nft.AddElements(to, KINDS[to], ours) for to, ours in nft.grouped(elements))


def gone_elements(elements: Iterable[Element]) -> Iterator[Command]:
    """Deletes elements: one command for each set or map."""
    return (nft.DeleteElements(of, KINDS[of], ours) for of, ours in nft.grouped(elements))
