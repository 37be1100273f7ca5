"""Who has an address and port that several Services claim: external ones, load balancers'.

It is that Service's whose cluster IP it is, else the one's whose name comes first.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import TypeVar

from testbed.cluster.serviceview import ServicePortName

K = TypeVar("K")
V = TypeVar("V")
Claims = tuple[ServicePortName, Iterable[tuple[K, V]]]
"""A port, and what it claims with what it wants there; the first claim is its cluster IP."""


def owned(ports: Iterable[Claims[K, V]], keys: AbstractSet[K]) -> dict[K, V]:
    """What is at the places: what the port wants that has the place.

    Args:
        ports: All that may claim one of them.
        keys: The places; those that nobody claims are not in the answer.
    """
    found: dict[K, tuple[bool, ServicePortName, V]] = {}
    for name, claims in ports:
        for number, (key, wanted) in enumerate(claims):
            if key in keys:
                rank = (number > 0, name)
                held = found.get(key)
                if held is None or rank < held[:2]:
                    found[key] = (*rank, wanted)
    return {key: wanted for key, (_, _, wanted) in found.items()}
