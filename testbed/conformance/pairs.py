"""Who talks to whom: everybody to everybody while that is few, else a sample.

A sample is the same for the same targets. Each target sends and receives in it at least once, and
each pair of nodes that has pods is in it, in both directions, as is each node with itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from testbed.conformance.targets import Target

Pair = tuple[Target, Target]
"""Sender and receiver."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """Some pairs of all.

    Attributes:
        chosen: Those that are to be checked.
        total: How many there are.
    """

    chosen: list[Pair]
    total: int


def choose(senders: Sequence[Target], receivers: Sequence[Target], most: int) -> Pairs:
    """Pairs of a sender and a receiver that is another one.

    Args:
        senders: The senders; all of them are receivers too, or none.
        receivers: The receivers, at least as many.
        most: Above so many pairs a sample is taken. What each sample has may be more.
    """
    alike = sum(sender in set(receivers) for sender in senders)
    total = len(senders) * len(receivers) - alike
    rounds = _rounds(senders, receivers)
    if total <= most:
        return Pairs(list(chain.from_iterable(rounds)), total)
    chosen = dict.fromkeys(chain(_node_pairs(senders, receivers), next(rounds)))
    for pair in chain.from_iterable(rounds):
        if len(chosen) >= most:
            break
        chosen.setdefault(pair)
    return Pairs(list(chosen), total)


def covering(pairs: Sequence[Pair]) -> list[Pair]:
    """Few of the pairs, with every sender, every receiver and every pair of nodes of them."""
    found, known = [], set[object]()
    for sender, receiver in pairs:
        new = {("from", sender.name), ("to", receiver.name), (sender.node, receiver.node)} - known
        if new:
            found.append((sender, receiver))
            known |= new
    return found


def _node_pairs(senders: Sequence[Target], receivers: Sequence[Target]) -> Iterator[Pair]:
    """One pair for each pair of nodes."""
    first = {sender.node: sender for sender in reversed(senders)}
    to = {receiver.node: receiver for receiver in receivers}  # the last, so that it is another one
    return (
        (sender, receiver)
        for sender in first.values()
        for receiver in to.values()
        if sender is not receiver
    )


def _rounds(senders: Sequence[Target], receivers: Sequence[Target]) -> Iterator[list[Pair]]:
    """All pairs, in rounds in which each receiver comes once.

    The first rounds are between targets that are near each other in their order: a sample of few
    rounds falls into parts that have few targets in common.
    """
    size = len(senders)
    for step in range(1, size + 1):
        found = ((senders[(i + step) % size], receiver) for i, receiver in enumerate(receivers))
        pairs = [(sender, receiver) for sender, receiver in found if sender is not receiver]
        if pairs:
            yield pairs
