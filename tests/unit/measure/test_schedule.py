"""The order of the samples, and its journal."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import InputError
from testbed.measure.journal import Journal
from testbed.measure.schedule import Slot, Variant, schedule, warm_up

VXLAN, BGP = Variant("single", "vxlan", "none"), Variant("single", "bgp", "none")
CELLS = [("a", {"path": path}) for path in ("near", "far")] + [("b", {"size": n}) for n in range(5)]
POINTS = {VXLAN: CELLS, BGP: CELLS}


def content(slots: list[Slot]) -> Counter[Any]:
    return Counter((s.variant, s.scenario, tuple(s.cell.items())) for s in slots)


@pytest.mark.parametrize("seed", [0, 1, 2**40])
def test_every_block_has_everything_once_in_an_order_of_its_own(seed: int) -> None:
    slots = schedule(POINTS, 6, seed)
    assert [slot.order for slot in slots] == list(range(1, 6 * 14 + 1))
    blocks = [[slot for slot in slots if slot.block == block] for block in range(1, 7)]
    everything = content(schedule(POINTS, 1, 0))
    assert set(everything.values()) == {1}
    assert all(content(block) == everything for block in blocks)
    orders = {tuple((s.variant, s.scenario, str(s.cell)) for s in block) for block in blocks}
    assert len(orders) == 6


def test_the_order_depends_on_the_seed_alone() -> None:
    assert schedule(POINTS, 3, 7) == schedule(POINTS, 3, 7)
    assert schedule(POINTS, 3, 7) != schedule(POINTS, 3, 8)
    assert schedule(POINTS, 5, 7)[: 3 * 14] == schedule(POINTS, 3, 7)


def test_folders_are_distinct_and_sorted() -> None:
    folders = [slot.folder for slot in schedule(POINTS, 3, 1)]
    assert sorted(set(folders)) == folders


def test_warming_up_takes_one_cell_per_lab_and_scenario() -> None:
    slots = warm_up(POINTS)
    assert [(s.variant, s.scenario) for s in slots] == [
        (VXLAN, "a"), (VXLAN, "b"), (BGP, "a"), (BGP, "b"),
    ]  # fmt: skip
    assert {s.order for s in slots} == {0}


def test_a_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "new" / "folder")
    journal.begin({"seed": 1})
    journal.add(2, [{"value": 0.1}])
    journal.add(1, [])
    again = Journal(tmp_path / "new" / "folder")
    assert again.head == {"seed": 1}
    assert again.rows == {2: [{"value": 0.1}], 1: []}
    again.begin({"seed": 2})
    assert Journal(tmp_path / "new" / "folder").head == {"seed": 1}


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_torn_line_is_left_out_and_overwritten(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path)
    journal.begin({"seed": 1})
    journal.add(1, [{"value": 1}])
    journal.add(2, [{"value": 2}])
    journal.path.write_bytes(journal.path.read_bytes()[:-cut])
    torn = Journal(tmp_path)
    assert torn.rows == {1: [{"value": 1}]}
    torn.add(3, [{"value": 3}])
    lines = torn.path.read_text().splitlines()
    assert [json.loads(line).get("order") for line in lines] == [None, 1, 3]


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text('{"seed": 1}\nhello\n')
    with pytest.raises(InputError, match=r"journal\.jsonl:2: this is no journal"):
        Journal(tmp_path)
