"""The metrics of a setting together: what the tables and the figures of a report show at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from testbed.analysis.layout import Line, MetricTable


@dataclass(frozen=True, slots=True)
class Block:
    """The rows of one metric in one setting.

    Attributes:
        table: The metric.
        lines: A row for each mode.
    """

    table: MetricTable
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Section:
    """One setting of a scenario, with all the metrics that were measured in it.

    Attributes:
        scenario: The scenario's name.
        setting: Its parameters in words; empty if it has none.
        paths: The columns, the baseline first.
        blocks: The metrics.
    """

    scenario: str
    setting: str
    paths: Sequence[str]
    blocks: Sequence[Block]

    @property
    def title(self) -> str:
        """``pod-latency: tcp, generator``."""
        return f"{self.scenario}: {self.setting}" if self.setting else self.scenario


def sections(tables: Sequence[MetricTable]) -> list[Section]:
    """The tables by scenario and setting; metrics that are zero throughout are left out."""
    found: dict[tuple[str, str], list[Block]] = {}
    for table in tables:
        for group in () if table.zero else table.groups:
            blocks = found.setdefault((table.scenario, group.setting), [])
            blocks.append(Block(table, group.lines))
    return [
        Section(scenario, setting, _union(block.table.paths for block in blocks), blocks)
        for (scenario, setting), blocks in found.items()
    ]


def _union(lists: Iterable[Sequence[str]]) -> list[str]:
    """What is in any of the lists, in order of appearance."""
    return list(dict.fromkeys(one for names in lists for one in names))
