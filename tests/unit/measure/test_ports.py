"""Port counters of samples: their difference, and in one file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from testbed.measure import ports

NONE = dict.fromkeys(ports.COUNTERS, 0)
ENDS = [
    {"a": "l1", "interface": "l1-eth1", "peer": "sp1"},
    {"a": "sp1", "interface": "x", "peer": "l1"},
]


def counted(end: int, **values: int) -> dict[str, Any]:
    return {**ENDS[end], **NONE, **values}


def test_the_difference_is_of_the_same_end() -> None:
    before = [counted(1, rx_packets=5), counted(0, tx_packets=7, tx_bytes=700)]
    after = [counted(0, tx_packets=10, tx_bytes=1000), counted(1, rx_packets=9)]
    assert ports.difference(before, after) == [
        counted(0, tx_packets=3, tx_bytes=300),
        counted(1, rx_packets=4),
    ]


def test_counters_that_began_anew() -> None:
    before, after = [counted(0, tx_packets=9)], [counted(0, tx_packets=2)]
    assert ports.difference(before, after) == [counted(0, tx_packets=2)]


def test_all_samples_are_in_one_tidy_file(tmp_path: Path) -> None:
    samples = []
    for order, path in enumerate(["near", None], 1):
        raw = tmp_path / str(order)
        raw.mkdir()
        ports.store([counted(0, tx_packets=order), counted(1)], raw)
        cell = {} if path is None else {"path": path}
        samples.append(({"run": "r", "order": order, **cell}, raw))
    (tmp_path / "3").mkdir()
    samples.append(({"run": "r", "order": 3}, tmp_path / "3"))  # without counters
    ports.write(samples, tmp_path)
    frame = pd.read_parquet(tmp_path / ports.FILE)
    assert list(frame["order"]) == [1, 1, 2, 2]
    assert list(frame["a"]) == ["l1", "sp1", "l1", "sp1"]
    assert list(frame["tx_packets"]) == [1, 0, 2, 0]
    assert frame["path"].isna().tolist() == [False, False, True, True]


def test_without_counters_there_is_no_file(tmp_path: Path) -> None:
    ports.write([({"order": 1}, tmp_path)], tmp_path)
    assert not (tmp_path / ports.FILE).exists()
