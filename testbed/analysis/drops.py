"""What the ends of links dropped, by the port counters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from testbed.analysis import ports
from testbed.analysis.traffic import cells_of, said


@dataclass(frozen=True, slots=True)
class Drop:
    """Packets that one end of a link dropped in one cell.

    Attributes:
        setting: The scenario with its setting.
        mode: The mode, and the path where there is one.
        end: Device, interface and who is at the other end: ``l1 (l1-eth3) to sp1``.
        packets: How many, in all samples of the cell, both directions.
        share: Of all packets that came to this end or were to leave by it.
    """

    setting: str
    mode: str
    end: str
    packets: int
    share: float


def drops(found: pd.DataFrame, modes: Sequence[str]) -> list[Drop]:
    """Every end that dropped packets, by cell, the most first.

    Args:
        found: The port counters (:func:`testbed.analysis.ports.load`).
        modes: The columns that tell modes apart.
    """
    dropping = found[(found["rx_dropped"] > 0) | (found["tx_dropped"] > 0)]
    if dropping.empty:
        return []
    told = []
    for named, cell in cells_of(found):
        setting, mode = said(named, modes)
        for (a, interface, peer), rows in cell.groupby(list(ports.END)):
            lost = int(rows["rx_dropped"].sum() + rows["tx_dropped"].sum())
            passed = int(rows["rx_packets"].sum() + rows["tx_packets"].sum())
            if lost:
                end = f"{a} ({interface}) to {peer}"
                told.append(Drop(setting, mode, end, lost, lost / (lost + passed)))
    return sorted(told, key=lambda drop: -drop.packets)
