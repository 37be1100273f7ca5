"""What one port of a Service needs in a table of nftables, whichever mode writes it.

A fragment is chains and sets, and elements of maps and sets that are there anyway. Elements belong
to an address, and an address to one port: if several claim it (``externalIPs`` may be anything),
all elements of the one that comes first are there, and none of the others'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from testbed.cluster.serviceview import ServicePortName
from testbed.proxy.nft import Element


class Chain(NamedTuple):
    """A chain.

    Attributes:
        name: Its name; with a ``/`` if it is one port's own.
        rules: Its rules.
    """

    name: str
    rules: tuple[str, ...]


class Affinity(NamedTuple):
    """A dynamic set of clients' addresses.

    Attributes:
        name: Its name.
        seconds: How long an address stays in it.
    """

    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Claim:
    """An address and port at which a port of a Service is to be found, and what it needs there.

    Attributes:
        first: Whether it comes before the claims of others to the same address: for cluster IPs.
        elements: What is there.
    """

    first: bool
    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a port of a Service needs on a node.

    Attributes:
        claims: Key as in ``service-ips`` or ``service-nodeports`` → what is needed for it.
        shared: Elements of sets, which several ports may have in common.
        chains: Chains; those without ``/`` in their name may be others', too.
        affinities: Sets, its own.
    """

    claims: Mapping[str, Claim]
    shared: frozenset[Element]
    chains: tuple[Chain, ...]
    affinities: tuple[Affinity, ...] = ()


Fragments = Mapping[ServicePortName, Fragment]


def owned(fragments: Fragments, keys: Iterable[str]) -> dict[str, tuple[Element, ...]]:
    """The elements of addresses: for each, those of the port that has it.

    Args:
        fragments: The ports.
        keys: The addresses; those that nobody claims are not in the answer.
    """
    wanted = set(keys)
    found: dict[str, tuple[bool, ServicePortName, tuple[Element, ...]]] = {}
    for name, fragment in fragments.items():
        for key, claim in fragment.claims.items():
            if key in wanted:
                rank = (not claim.first, name, claim.elements)
                found[key] = min(found.get(key, rank), rank)
    return {key: elements for key, (_, _, elements) in found.items()}
