"""Samples in and out of a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from testbed.analysis import frames
from testbed.errors import InputError

Campaign = Callable[..., Path]


def sample(**changes: Any) -> dict[str, Any]:
    return {
        "run": "a", "block": 0, "order": 0, "seed": 1, "scenario": "pod-latency", "metric": "p50",
        "unit": "s", "better": "lower", "value": 1.5, "start": "2026-01-01T00:00:00Z",
        "disturbed": False, "cni": "bgp",
    } | changes  # fmt: skip


def test_load_gives_back_what_was_written(tmp_path: Path) -> None:
    frames.write_samples([sample(streams=4), sample(order=1, scenario="x")], tmp_path)
    frame = frames.load(tmp_path)
    assert frame["value"].tolist() == [1.5, 1.5]
    assert frame["streams"].tolist() == [4, pd.NA]
    assert str(frame["start"].iloc[0]) == "2026-01-01 00:00:00+00:00"
    assert frames.parameters(frame) == ["cni", "streams"]
    assert frames.key(frame) == ["scenario", "cni", "streams", "metric"]


def test_a_resumed_run_appends_and_writing_twice_changes_nothing(tmp_path: Path) -> None:
    frames.write_samples([sample()], tmp_path)
    frames.write_samples([sample(block=1, order=1, rate=5)], tmp_path)
    frames.write_samples([sample(block=1, order=1, rate=5, value=2.5)], tmp_path)
    assert frames.load(tmp_path)["value"].tolist() == [1.5, 2.5]
    assert [path.name for path in tmp_path.iterdir()] == ["samples.parquet"]


def test_a_parameter_of_several_types_becomes_text(tmp_path: Path) -> None:
    frames.write_samples([sample(size=1), sample(order=1, size="full")], tmp_path)
    assert frames.load(tmp_path)["size"].tolist() == ["1", "full"]


def test_several_folders_are_told_apart_by_a_parameter(campaign: Campaign) -> None:
    frame = frames.load([campaign("old", blocks=1), campaign("new", blocks=1)])
    assert frame["folder"].unique().tolist() == ["old", "new"]
    assert "folder" in frames.modes(frame)
    place = frames.key(frame).index("folder")
    assert [cell[place] for cell in frames.cells(frame)][:4:3] == ["old", "new"]


def test_cells_are_in_reading_order(campaign: Campaign) -> None:
    cells = list(frames.cells(frames.load(campaign(blocks=3))))
    throughput = [cell for cell in cells if cell[0] == "pod-throughput"]
    assert list(dict.fromkeys(cell[-1] for cell in throughput)) == [
        "throughput", "retransmits", "loss", "cpu-per-bit", "cpu-busy", "cpu-user", "cpu-system",
        "cpu-softirq", "cpu-irq", "cpu-steal",
    ]  # fmt: skip
    assert [cell[4] for cell in cells[:3]] == ["node-to-node", "same-node", "cross-node"]
    assert cells[0][5:8] == (None, None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file"),
        (b"nonsense", "no readable Parquet file"),
        (pd.DataFrame({"run": []}), "has no samples"),
        (pd.DataFrame([sample()]).drop(columns=["unit", "seed"]), "lacks the column seed, unit"),
        (pd.DataFrame([sample(value="fast")]), "has a value of the wrong type"),
        (pd.DataFrame([sample(better="more")]), "unknown 'more'"),
    ],
)
def test_a_bad_folder_is_an_input_error_that_names_the_file(
    tmp_path: Path, content: bytes | pd.DataFrame | None, message: str
) -> None:
    path = tmp_path / "samples.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        content.to_parquet(path)
    with pytest.raises(InputError, match=message) as caught:
        frames.load(tmp_path)
    assert str(path) in str(caught.value)


def test_a_missing_folder_and_a_folder_named_twice(tmp_path: Path, campaign: Campaign) -> None:
    with pytest.raises(InputError, match="no such results folder"):
        frames.load(tmp_path / "none")
    folder = campaign(blocks=1)
    with pytest.raises(InputError, match="named twice"):
        frames.load([folder, folder])


def test_environment_is_optional_but_must_be_an_object(tmp_path: Path) -> None:
    assert frames.environment(tmp_path) == {}
    for text in ("[]", "{"):
        (tmp_path / "environment.json").write_text(text)
        with pytest.raises(InputError, match=r"environment\.json"):
            frames.environment(tmp_path)
