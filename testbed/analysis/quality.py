"""How far the results can be trusted: how much was measured, how noisy it was, and an A/A test."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from testbed.analysis import frames
from testbed.analysis.layout import MetricTable


def size(frame: pd.DataFrame) -> dict[str, int]:
    """How much was measured."""
    measurements = frame.drop_duplicates(["run", "order", *frames.parameters(frame), "scenario"])
    return {
        "measurements": len(measurements),
        "values": len(frame),
        "blocks": frame.drop_duplicates(["run", "block"]).shape[0],
        "disturbed": int(measurements["disturbed"].sum()),
    }


def noise(tables: Sequence[MetricTable]) -> list[dict[str, Any]]:
    """The coefficient of variation of each judged metric: of its median cell and of its worst."""
    found = []
    for table in _judged(tables):
        own = sorted(cell["variation"] for cell in table.cells if cell["variation"] >= 0)
        if own:
            middle = own[len(own) // 2]
            found.append({"table": table, "middle": middle, "most": own[-1], "cells": len(own)})
    return found


def same(tables: Sequence[MetricTable]) -> list[dict[str, Any]]:
    """The A/A test that is in every campaign: the baseline of one mode against another's.

    Node-to-node traffic meets no CNI, so its ratio between modes should be 1. Between
    topologies or impairments it need not be.
    """
    return [
        {
            "table": table,
            "setting": group.setting,
            "mode": line.mode,
            "cell": cell,
            "holds": bool(cell["reference_low"] <= 1 <= cell["reference_high"]),
        }
        for table in _judged(tables)
        for group in table.groups
        for line in group.lines
        for path, cell in line.cells.items()
        if path == frames.BASELINE
        and cell["axis"] in ("cni", "proxy")
        and not math.isnan(cell["reference_low"])
    ]


def _judged(tables: Sequence[MetricTable]) -> list[MetricTable]:
    return [table for table in tables if table.better != "none" and not table.zero]
