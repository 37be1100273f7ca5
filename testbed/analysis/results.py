"""Results folders, read and arranged once for whatever is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.analysis import (
    drops,
    events,
    failures,
    frames,
    headlines,
    layout,
    ports,
    scaling,
    setup,
    traffic,
)
from testbed.analysis.sections import Section, sections
from testbed.analysis.summary import reference_of, summary


@dataclass(frozen=True, slots=True)
class Results:
    """One results folder, or several side by side.

    Attributes:
        folders: Where they are.
        names: A short name for each.
        frame: All samples.
        environments: What each ``environment.json`` says.
        summary: One row per cell and metric.
        tables: The summary by metric.
        sections: The summary by setting.
        headlines: What the first page is about.
        modes: All modes in order.
        failures: How long traffic stood still, by event.
        traffic: How uplinks were used, by topology.
        drops: What ports dropped.
        samples: The rows of each cell, in the order of the summary.
        scalings: What grows with a number.
    """

    folders: Sequence[Path]
    names: Sequence[str]
    frame: pd.DataFrame
    environments: Sequence[Mapping[str, Any]]
    summary: pd.DataFrame
    tables: Sequence[layout.MetricTable]
    sections: Sequence[Section]
    headlines: Sequence[headlines.Headline]
    modes: Sequence[str]
    failures: Sequence[failures.Event]
    traffic: Sequence[traffic.Traffic]
    drops: Sequence[drops.Drop]
    samples: Sequence[pd.DataFrame]
    scalings: Sequence[scaling.Scaling]


def read(folders: Sequence[Path]) -> Results:
    """Reads what ``testbed bench`` wrote.

    Raises:
        InputError: A folder cannot be read, or is named twice.
    """
    frame = frames.load(list(folders))
    environments = [frames.environment(folder) for folder in folders]
    found = summary(frame, reference_of(frame, environments))
    tables = layout.arrange(found)
    samples = list(frames.cells(frame).values())
    counters = ports.load(folders)
    modes = layout.mode_columns(frame)
    return Results(
        folders=folders,
        names=frames.labels(folders),
        frame=frame,
        environments=environments,
        summary=found,
        tables=tables,
        sections=sections(tables),
        headlines=headlines.headlines(tables, headlines.chosen(environments)),
        modes=layout.mode_names(tables),
        samples=samples,
        scalings=scaling.scalings(tables, samples),
        failures=failures.events(tables, samples, events.names(environments)),
        traffic=[]
        if counters is None
        else traffic.traffic(counters, setup.topologies(environments), modes),
        drops=[] if counters is None else drops.drops(counters, modes),
    )
