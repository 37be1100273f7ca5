"""Where the traffic went: how each device spread it over its uplinks, and what ports dropped.

For each cell of the matrix and each device with several uplinks: the share of the bytes that it
sent up each of them (the mean over samples of the sample's own shares), and the *imbalance*: its
busiest uplink over the mean of its uplinks, 1 where they share evenly and their number where one
carries all. A sample's imbalance is the mean over devices, weighted by the bytes that they sent up;
a cell's is the median of its samples with the interval of every other median.

What hardly uses the uplinks (pods on one node: routing daemons talk, and no more) has shares that
say nothing. So a cell that sends less than :data:`LEAST` of what the busiest one in its setting
sends is left out, and in a cell the shares of a device that sends less than that part of what the
busiest device does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from testbed.analysis import frames, layout, ports, units
from testbed.analysis.statistics import Estimate, block_values, median
from testbed.analysis.uplinks import uplinks

LEAST = 0.05
"""The share of the bytes of the busiest cell or device below which another is left out."""

Uplink = tuple[str, str, str]
"""The device, its interface, and who is at the other end."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How one cell used the uplinks.

    Attributes:
        setting: The scenario with its setting: ``pod-throughput: tcp, 4 streams``.
        mode: The mode, and the path where there is one.
        sent: Bytes per sample that went up, all devices together: the median.
        shares: Uplink → its share of what its device sent up, 0 to 1; NaN if that is next to
            nothing.
        imbalance: The busiest uplink of a device over their mean.
    """

    setting: str
    mode: str
    sent: float
    shares: Mapping[Uplink, float]
    imbalance: Estimate


@dataclass(frozen=True, slots=True)
class Traffic:
    """The traffic of one topology.

    Attributes:
        topology: Its name.
        links: The uplinks, by device.
        spreads: A row for each cell that used them.
    """

    topology: str
    links: Sequence[Uplink]
    spreads: Sequence[Spread]


def traffic(
    found: pd.DataFrame, topologies: Mapping[str, Mapping[str, Any]], modes: Sequence[str]
) -> list[Traffic]:
    """The traffic of each topology that has uplinks to choose from.

    Args:
        found: The port counters (:func:`testbed.analysis.ports.load`).
        topologies: As in ``environment.json``, by name.
        modes: The columns that tell modes apart; the topology is told as a whole.
    """
    drawn = []
    for name, topology in topologies.items():
        above = uplinks(topology)
        rows = found[found["topology"] == name] if "topology" in found.columns else found
        up = rows[
            [peer in above.get(a, ()) for a, peer in zip(rows["a"], rows["peer"], strict=True)]
        ]
        if len(up):
            ends = up[[*ports.END]].drop_duplicates().sort_values(list(ports.END))
            links = [(str(a), str(port), str(peer)) for a, port, peer in ends.to_numpy()]
            own = [column for column in modes if column != "topology"]
            drawn.append(Traffic(name, links, _spreads(up, links, own)))
    return drawn


def _spreads(up: pd.DataFrame, links: Sequence[Uplink], modes: Sequence[str]) -> list[Spread]:
    """The cells by setting, in reading order, without those that hardly used the uplinks."""
    cells = [_spread(rows, named, links, modes) for named, rows in cells_of(up)]
    most = {cell.setting: 0.0 for cell in cells}
    for cell in cells:
        most[cell.setting] = max(most[cell.setting], cell.sent)
    return [
        cell
        for setting in most
        for cell in cells
        if cell.setting == setting and cell.sent > LEAST * most[setting]
    ]


def cells_of(found: pd.DataFrame) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """The rows of each cell with its parameters, in the order of the report's tables."""
    samples = ports.samples(found).assign(metric="")
    columns = frames.key(samples)[:-1]
    return [
        (dict(zip(columns, values[:-1], strict=True)), found.loc[rows.index])
        for values, rows in frames.cells(samples).items()
    ]


def said(named: Mapping[str, Any], modes: Sequence[str]) -> tuple[str, str]:
    """A cell in words: scenario and setting; mode and path."""
    other = {
        name: value
        for name, value in named.items()
        if name not in (*frames.MODES, "path", "scenario")
    }
    setting = ": ".join(filter(None, (str(named["scenario"]), units.cell(other))))
    mode = layout.mode_name(named, [name for name in modes if name in named])
    return setting, ", ".join(filter(None, (mode, named.get("path"))))


def _spread(
    rows: pd.DataFrame, named: Mapping[str, Any], links: Sequence[Uplink], modes: Sequence[str]
) -> Spread:
    """How one cell used the uplinks."""
    index = [*ports.SAMPLE]
    sent = rows.pivot_table(
        index=index, columns=list(ports.END), values="tx_bytes", aggfunc="sum", fill_value=0
    ).astype("float64")
    devices = sent.columns.get_level_values("a")
    whole = sent.T.groupby(devices).sum().T  # a column for each device
    most = sent.T.groupby(devices).max().T * pd.Series(devices).value_counts()
    used = whole.sum() > LEAST * whole.sum().max()
    shares = (sent / whole[devices].to_numpy()).mean().where(used[devices].to_numpy())
    imbalance = (most.sum(axis=1) / whole.sum(axis=1)).rename("value").reset_index()
    setting, mode = said(named, modes)
    return Spread(
        setting=setting,
        mode=mode,
        sent=float(whole.sum(axis=1).median()),
        shares={link: float(shares.get(link, math.nan)) for link in links},
        imbalance=median(block_values(imbalance)),
    )
