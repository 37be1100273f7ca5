"""All figures of a report, by name: what the page shows and what a paper gets are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from testbed.analysis.curves import curves
from testbed.analysis.figures import samples
from testbed.analysis.gaps import gaps
from testbed.analysis.heatmap import heatmap
from testbed.analysis.overview import overview
from testbed.analysis.results import Results

OVERVIEW, FAILURES, TRAFFIC, SCALING, SAMPLES = (
    "overview", "failures", "traffic", "scaling", "samples",
)  # fmt: skip
KINDS = OVERVIEW, FAILURES, TRAFFIC, SCALING, SAMPLES
"""The kinds of figures, in the order of the report."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One figure.

    Attributes:
        kind: What it shows: one of the kinds above.
        title: Which one of its kind: a topology, a scenario, a setting; empty for an only one.
        figure: The figure.
    """

    kind: str
    title: str
    figure: Figure

    @property
    def stem(self) -> str:
        """A name for its file: ``samples-pod-throughput-tcp-4-streams``."""
        return re.sub(r"[^a-z0-9]+", "-", f"{self.kind}-{self.title}".lower()).strip("-")


def drawings(results: Results) -> list[Drawing]:
    """The figures that there is something to draw for. Call it within ``theme.themed``."""
    return [
        Drawing(kind, title, figure) for kind, title, figure in _all(results) if figure is not None
    ]


def _all(results: Results) -> Iterator[tuple[str, str, Figure | None]]:
    yield OVERVIEW, "", overview(results.headlines, results.modes)
    yield FAILURES, "", gaps(results.failures, results.modes)
    for one in results.traffic:
        yield TRAFFIC, one.topology, heatmap(one) if one.spreads else None
    for name in dict.fromkeys(one.table.scenario for one in results.scalings):
        own = [one for one in results.scalings if one.table.scenario == name]
        yield SCALING, name, curves(own, results.modes)
    for section in results.sections:
        yield SAMPLES, section.title, samples(section, results.samples, results.modes)
