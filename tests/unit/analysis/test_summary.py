"""The summary, and the words for numbers and cells."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from testbed.analysis import frames, units
from testbed.analysis.results import read
from testbed.analysis.summary import summary, write_summary

Campaign = Callable[..., Path]


def row(frame: pd.DataFrame, **values: object) -> pd.Series:  # type: ignore[type-arg]
    for name, value in values.items():
        frame = frame[frame[name] == value]
    assert len(frame) == 1
    return frame.iloc[0]


def test_ratios_find_the_effects_that_were_put_in(campaign: Campaign) -> None:
    found = summary(frames.load(campaign(blocks=9)))
    cell = {"metric": "throughput", "protocol": "tcp", "streams": 4}
    bgp = row(found, cni="bgp", path="cross-node", **cell)
    vxlan = row(found, cni="vxlan", path="cross-node", **cell)
    assert bgp["baseline_low"] < 0.93 < bgp["baseline_high"]
    assert vxlan["baseline_low"] < 0.93 * 0.87 < vxlan["baseline_high"]
    assert vxlan["reference_low"] < 0.87 < vxlan["reference_high"] < 1
    assert vxlan["reference"] == "bgp"
    assert (vxlan["n"], vxlan["unit"], vxlan["better"]) == (9, "bit/s", "higher")
    assert vxlan["low"] <= vxlan["median"] <= vxlan["high"]


def test_the_baseline_and_the_reference_have_no_ratio_to_themselves(campaign: Campaign) -> None:
    found = summary(frames.load(campaign(blocks=3)), reference="vxlan")
    cell = {"metric": "rtt-p50", "path": "node-to-node"}
    assert math.isnan(row(found, cni="bgp", **cell)["baseline_ratio"])
    assert math.isnan(row(found, cni="vxlan", **cell)["reference_ratio"])
    assert row(found, cni="bgp", **cell)["reference_ratio"] == pytest.approx(1, abs=0.1)


def test_csv_has_a_line_for_each_cell_and_metric(campaign: Campaign) -> None:
    folder = campaign(blocks=3)
    frame = frames.load(folder)
    found = pd.read_csv(write_summary(summary(frame), folder))
    assert len(found) == len(frames.cells(frame)) == 288
    assert found["disturbed"].sum() == frame["disturbed"].sum()


def test_the_reference_is_the_first_mode_of_the_options(campaign: Campaign) -> None:
    folder = campaign(blocks=1, scenarios=("pod-latency",))
    for options, expected in (
        ({"cni": ["vxlan", "bgp"]}, "vxlan"),
        ({"cni": ["host-gw"]}, "bgp"),
        ({}, "bgp"),
    ):
        (folder / frames.ENVIRONMENT).write_text(json.dumps({"options": options}))
        assert set(read([folder]).summary["reference"]) == {expected}


@pytest.mark.parametrize(
    ("unit", "level", "has_ratio"),
    [("1", 0.0, False), ("1", 0.003, False), ("1", 0.02, True), ("s", 1e-6, True)],
)
def test_a_share_of_almost_nothing_is_not_divided_by(
    campaign: Campaign, unit: str, level: float, has_ratio: bool
) -> None:
    frame = frames.load(campaign(blocks=3, scenarios=("pod-latency",)))
    frame = frame[frame["metric"] == "rtt-p50"].assign(unit=unit)
    frame.loc[frame["path"] == "node-to-node", "value"] = level
    found = summary(frame)
    assert found["baseline_ratio"].notna().any() == has_ratio


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (9.414e9, "bit/s", "9.41 Gbit/s"),
        (123456.0, "bit/s", "123 kbit/s"),
        (18.25e-6, "s", "18.2 µs"),
        (3.0, "s", "3.00 s"),
        (1.47e-10, "s/bit", "0.147 ns/bit"),
        (5.58e-9, "s/bit", "5.58 ns/bit"),
        (14567.0, "1/s", "14.6 k/s"),
        (140.0, "1/s", "140 /s"),
        (0.0123, "1", "0.0123"),
        (0.0, "1", "0"),
        (1234.5, "1", "1,234"),
        (3e-7, "1", "3.00e-07"),
        (1.7, "cores", "1.70 cores"),
        (math.inf, "1", "∞"),
    ],
)
def test_quantity(value: float, unit: str, expected: str) -> None:
    assert units.quantity(value, unit) == expected


def test_cell_in_words() -> None:
    cell = {"cni": "bgp", "protocol": "tcp", "streams": 1, "rate": 1_000_000_000, "size": None}
    assert units.cell(cell) == "bgp, tcp, 1 stream, rate 1 Gbit/s"
    assert units.cell({"streams": 4, "hops": 2}) == "4 streams, hops 2"
