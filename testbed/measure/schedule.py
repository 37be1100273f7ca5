"""In which order a campaign measures.

Everything is measured once per *block*, in an order of the block's own: all cells of all labs,
shuffled. So whatever drifts on the machine (temperature, a neighbour, a cron job) falls on all
modes alike and widens intervals instead of shifting one mode's median: randomised interleaved
trials (Abedi and Brecht, ICPE 2017). The order is a pure function of the seed, and the order of a
block does not depend on how many blocks there are.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from testbed.measure.contract import Cell

UNIMPAIRED = "none"
"""The impairment of a lab that is as its topology and settings have it."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One lab of a campaign.

    Attributes:
        topology: Name or file.
        cni: Name of the CNI mode.
        proxy: Name of the proxy mode.
        impairment: The settings that impair it, ``delay=20ms loss=1%``, or ``none``.
        state: What it holds for the only scenario that is measured in it, as parameters with their
            values (:class:`testbed.measure.contract.Scenario.states`); empty for nothing.
    """

    topology: str
    cni: str
    proxy: str
    impairment: str = UNIMPAIRED
    state: tuple[tuple[str, object], ...] = ()

    @property
    def modes(self) -> str:
        """All of it but its state."""
        impairment = f" {self.impairment}" if self.impairment != UNIMPAIRED else ""
        return f"{self.topology} {self.cni} {self.proxy}{impairment}"

    def __str__(self) -> str:
        return " ".join([self.modes, *(f"{key}={value}" for key, value in self.state)])


@dataclass(frozen=True, slots=True)
class Slot:
    """One sample to be taken.

    Attributes:
        order: Its place in the whole campaign, from 1; 0 for warming up.
        block: Its block, from 1.
        variant: The lab.
        scenario: Name of the scenario.
        cell: The point of the scenario's matrix.
    """

    order: int
    block: int
    variant: Variant
    scenario: str
    cell: Cell

    @property
    def folder(self) -> str:
        """The name of the sample's folder in ``raw/``."""
        return f"{self.order:05d}-{self.variant.cni}-{self.scenario}"

    def __str__(self) -> str:
        cell = " ".join(f"{key}={value}" for key, value in self.cell.items())
        return f"{self.order} block={self.block} {self.variant.modes} {self.scenario} {cell}"


def schedule(
    points: Mapping[Variant, Sequence[tuple[str, Cell]]], blocks: int, seed: int
) -> list[Slot]:
    """All samples of a campaign, in the order in which they are taken.

    Args:
        points: What is measured in each lab: names of scenarios with a cell.
        blocks: How often.
        seed: Of the order.
    """
    every = [(variant, name, cell) for variant, some in points.items() for name, cell in some]
    slots: list[Slot] = []
    for block in range(1, blocks + 1):
        shuffled = list(every)
        random.Random(f"{seed}/{block}").shuffle(shuffled)  # noqa: S311 - not for secrets
        first = len(slots) + 1
        slots += [Slot(first + i, block, *point) for i, point in enumerate(shuffled)]
    return slots


def warm_up(points: Mapping[Variant, Sequence[tuple[str, Cell]]]) -> list[Slot]:
    """What is run once, and not recorded, before the first block: a cell per lab and scenario.

    It loads programs into memory and fills neighbour tables; it is short, since what else differs
    between the first and the later samples is spread over all modes by the order.
    """
    firsts: dict[tuple[Variant, str], Slot] = {}
    for variant, some in points.items():
        for name, cell in some:
            firsts.setdefault((variant, name), Slot(0, 0, variant, name, cell))
    return list(firsts.values())
