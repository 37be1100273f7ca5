"""Results folders, read and arranged once for whatever is made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.analysis import frames, headlines, layout
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

    @property
    def samples(self) -> list[pd.DataFrame]:
        """The rows of each cell, in the order of the summary."""
        return list(frames.cells(self.frame).values())


def read(folders: Sequence[Path]) -> Results:
    """Reads what ``testbed bench`` wrote.

    Raises:
        InputError: A folder cannot be read, or is named twice.
    """
    frame = frames.load(list(folders))
    environments = [frames.environment(folder) for folder in folders]
    found = summary(frame, reference_of(frame, environments))
    tables = layout.arrange(found)
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
    )
