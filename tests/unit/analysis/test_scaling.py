"""Slopes and figures of what grows with a number."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from testbed.analysis import export, frames, report, table
from testbed.analysis.layout import arrange
from testbed.analysis.scaling import Scaling, scalings
from testbed.analysis.summary import summary

SIZES = (1, 100, 1000, 5000, 10_000)
SLOPES = {"linear": 90e-9, "flat": 0.0}
"""Seconds for each Service more, by proxy mode."""


def rows(sizes: tuple[int, ...] = SIZES, blocks: int = 5) -> Iterator[dict[str, Any]]:
    """Latencies of 80 µs and the slope, and 1 µs more in each block for all of it."""
    for block in range(1, blocks + 1):
        for mode, slope in SLOPES.items():
            for path in ("direct", "cluster-ip"):
                ways = 2 if path == "direct" else 1
                for size in sizes:
                    yield {
                        "run": "r", "block": block, "order": block, "seed": 1, "cni": "vxlan",
                        "proxy": mode, "path": path, "services": size, "scenario": "scale",
                        "metric": "connect-p50", "unit": "s", "better": "lower",
                        "start": datetime(2026, 11, 21, tzinfo=UTC), "disturbed": False,
                        "value": 80e-6 + block * 1e-6 + slope * size * ways,
                    }  # fmt: skip


def found(frame: pd.DataFrame) -> list[Scaling]:
    return scalings(arrange(summary(frame)), list(frames.cells(frame).values()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    frames.write_samples(rows(), tmp_path)
    return tmp_path


def test_slopes_are_those_of_the_samples(folder: Path) -> None:
    (one,) = found(frames.load(folder))
    assert (one.parameter, one.per, one.unit) == ("services", 1000, "µs per 1,000 services")
    slopes = {(g.mode, g.path): g for g in one.growths}
    assert len(slopes) == 4
    assert slopes["linear", "cluster-ip"].slope.value == pytest.approx(90e-9)
    assert slopes["linear", "direct"].slope.value == pytest.approx(180e-9)
    assert slopes["flat", "direct"].slope.value == pytest.approx(0, abs=1e-15)
    for growth in one.growths:
        assert growth.slope.low <= growth.slope.value <= growth.slope.high
        assert [x for x, _ in growth.cells] == list(SIZES)
        assert growth.slope.n == 5
    assert one.slope(slopes["linear", "cluster-ip"]) == "90.0 [90.0–90.0]"  # noqa: RUF001
    assert slopes["linear", "cluster-ip"].determination > 0.99
    assert slopes["flat", "cluster-ip"].determination < 0.01


def test_two_numbers_are_no_growth(tmp_path: Path) -> None:
    frames.write_samples(rows(sizes=(1, 100)), tmp_path)
    assert found(frames.load(tmp_path)) == []


def test_two_blocks_have_a_slope_without_an_interval(tmp_path: Path) -> None:
    frames.write_samples(rows(blocks=2), tmp_path)
    (one,) = found(frames.load(tmp_path))
    assert one.growths[0].slope.value >= 0
    assert math.isnan(one.growths[0].slope.low)


def test_a_block_that_lacks_a_number_has_no_slope(tmp_path: Path) -> None:
    kept = [row for row in rows() if (row["block"], row["services"]) != (2, 100)]
    frames.write_samples(kept, tmp_path)
    (one,) = found(frames.load(tmp_path))
    assert {growth.slope.n for growth in one.growths} == {4}


def test_equal_samples_have_no_determination(tmp_path: Path) -> None:
    frames.write_samples([{**row, "value": 1.0} for row in rows()], tmp_path)
    (one,) = found(frames.load(tmp_path))
    assert {one.determined(growth) for growth in one.growths} == {"–"}  # noqa: RUF001


def test_the_table_the_report_and_the_figures_tell_of_it(folder: Path) -> None:
    printed = io.StringIO()
    table.print_table(frames.load(folder), printed)
    assert "scale: slopes of straight lines" in printed.getvalue()
    assert "connect-p50 [µs per 1,000 services]" in printed.getvalue()
    page = report.html([folder])
    assert "against services, with bands" in page
    assert "90.0 [90.0–90.0]" in page  # noqa: RUF001
    names = {path.name for path in export.export([folder], folder / "figures")}
    assert {"scaling-scale.svg", "scaling-scale.pdf"} <= names


def test_the_direct_path_is_the_baseline_where_no_nodes_are_asked(folder: Path) -> None:
    made = summary(frames.load(folder))
    chosen = made[(made["proxy"] == "linear") & (made["services"] == 10_000)].set_index("path")
    expected = (83e-6 + 0.9e-3) / (83e-6 + 1.8e-3)
    assert chosen["baseline_ratio"]["cluster-ip"] == pytest.approx(expected)
    assert math.isnan(chosen["baseline_ratio"]["direct"])
