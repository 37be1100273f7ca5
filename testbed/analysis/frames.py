"""Samples in and out of a results folder, as tidy frames.

``samples.parquet`` has one row per sample: the columns of :data:`FIXED`, and every other column is
a parameter of the matrix (``cni``, ``path``, ``streams`` …), NA where a scenario has no such
parameter. A *cell* is one point of the matrix in one scenario; :func:`key` names the columns that
tell cells and metrics apart, and all of the analysis groups by it.

Rows of several folders can be loaded together: the column ``folder`` then is one more parameter,
so that whatever compares modes compares folders too. An ``impairment`` of ``none`` is loaded as NA,
and left out where all of it is: results from before there were impairments have the same cells.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from testbed.errors import InputError, Where

SAMPLES = "samples.parquet"
ENVIRONMENT = "environment.json"

FIXED = (
    "run", "block", "order", "seed", "scenario", "metric", "unit", "better", "value", "start",
    "disturbed",
)  # fmt: skip
"""The columns that every sample has; the others are matrix parameters."""

MODES = ("topology", "cni", "proxy", "policy", "ingress", "impairment", "folder")
"""The parameters that choose what is measured, as opposed to how (``streams`` …)."""

UNIMPAIRED = "none"
"""What ``impairment`` says of links that are as the topology has them."""

PATHS = (
    "node-to-node", "direct", "same-node", "cross-node", "cluster-ip", "node-port", "load-balancer",
    "ingress",
)  # fmt: skip
"""The paths in the order in which tables show them, the baseline first."""

BASELINE = PATHS[0]
BASELINES: Mapping[str, str] = {BASELINE: "node to node", "direct": "the direct path"}
"""The paths that others are divided by, the first one that a scenario has, in words: traffic that
meets no CNI mode, and traffic that no Service carries."""

_BETTER = frozenset({"higher", "lower", "none"})


def baseline(paths: Iterable[str]) -> str | None:
    """The path of these that the others are divided by; None if there is none."""
    there = set(paths)
    return next((path for path in BASELINES if path in there), None)


def parameters(frame: pd.DataFrame) -> list[str]:
    """The matrix columns: what is measured first, then the path, then how it is measured."""
    own = [name for name in frame.columns if name not in FIXED]
    known = [name for name in (*MODES, "path") if name in own]
    return known + [name for name in own if name not in known]


def key(frame: pd.DataFrame) -> list[str]:
    """The columns that identify one metric of one cell."""
    return ["scenario", *parameters(frame), "metric"]


def modes(frame: pd.DataFrame) -> list[str]:
    """The mode columns that are there."""
    return [name for name in parameters(frame) if name in MODES]


def settings(frame: pd.DataFrame) -> list[str]:
    """The parameters that are neither mode nor path, such as ``protocol`` and ``streams``."""
    return [name for name in parameters(frame) if name not in (*MODES, "path")]


def cells(frame: pd.DataFrame) -> dict[tuple[Any, ...], pd.DataFrame]:
    """The rows of each metric of each cell, by the values of :func:`key` with None for NA.

    Sorted for reading: by scenario, then its metrics in the order in which it yields them, then by
    parameters, the baseline path first and folders as they were given.
    """
    columns = key(frame)
    yielded = frame[["scenario", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    ranks = {pair: position for position, pair in enumerate(yielded)}
    folders = frame["folder"].unique().tolist() if "folder" in columns else []
    orders = {"path": list(PATHS), "folder": folders}
    found = {
        tuple(map(_plain, values)): rows
        for values, rows in frame.groupby(columns, dropna=False, sort=False)
    }

    def rank(values: tuple[Any, ...]) -> tuple[Any, ...]:
        named = zip(columns[1:-1], values[1:-1], strict=True)
        places = (_rank(value, orders.get(name, [])) for name, value in named)
        return (values[0], ranks[values[0], values[-1]], *places)

    return {values: found[values] for values in sorted(found, key=rank)}


def _plain(value: Any) -> Any:
    """A parameter's value as plain Python, None for NA."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def _rank(value: Any, order: Sequence[Any]) -> tuple[Any, ...]:
    """What a parameter's value is sorted by: none first, then those with an order of their own."""
    if value is None:
        return (0,)
    return (1, order.index(value)) if value in order else (2, value)


def write_samples(rows: Iterable[Mapping[str, Any]], folder: Path) -> Path:
    """Adds samples to a folder's ``samples.parquet``, atomically.

    Rows that are there already stay, so that a resumed campaign continues its file; a row of the
    same run, block, order, cell and metric is replaced, so that writing twice changes nothing.

    Args:
        rows: The samples: column name → value.
        folder: The results folder; made if it is not there.

    Returns:
        The path of the file.

    Raises:
        InputError: A row lacks a fixed column, or what is in the folder cannot be read.
    """
    path = folder / SAMPLES
    frame = _typed(pd.DataFrame([dict(row) for row in rows]), path)
    if path.exists():
        old = _read(path)
        frame = _typed(pd.concat([old, frame], ignore_index=True), path)
        again = frame.duplicated(["run", "block", "order", *key(frame)], keep="last")
        frame = frame[~(again & (frame.index < len(old)))]
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    frame.to_parquet(partial, index=False)
    partial.replace(path)
    return path


def load(folders: Path | str | Sequence[Path | str]) -> pd.DataFrame:
    """The samples of one results folder, or of several with the column ``folder``.

    Raises:
        InputError: A folder has no samples, or a file that is not what this module writes.
    """
    if isinstance(folders, (str, Path)):
        return impaired(_read(Path(folders) / SAMPLES))
    if len(folders) == 1:
        return load(folders[0])
    paths = [Path(folder) for folder in folders]
    parts = [
        load(path).assign(folder=label) for path, label in zip(paths, labels(paths), strict=True)
    ]
    return pd.concat(parts, ignore_index=True)


def impaired(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with NA for the impairment ``none``; without the column if that is all of it."""
    if "impairment" not in frame.columns:
        return frame
    found = frame["impairment"].where(frame["impairment"] != UNIMPAIRED)
    if found.isna().all():
        return frame.drop(columns="impairment")
    return frame.assign(impairment=found)


def labels(folders: Sequence[Path]) -> list[str]:
    """A short name for each folder: its own name, or its whole path where names repeat."""
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) == len(names):
        return names
    whole = [str(folder) for folder in folders]
    if len(set(whole)) == len(whole):
        return whole
    raise InputError("the same results folder is named twice", hint="Name each folder once.")


def environment(folder: Path | str) -> dict[str, Any]:
    """What ``environment.json`` says; an empty dict when a folder has none.

    Raises:
        InputError: The file is no JSON object.
    """
    path = Path(folder) / ENVIRONMENT
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=Where(str(path))) from error
    if not isinstance(found, dict):
        raise InputError("is no JSON object", where=Where(str(path)))
    return found


def _read(path: Path) -> pd.DataFrame:
    """The checked samples of one file."""
    where = Where(str(path))
    if not path.parent.is_dir():
        raise InputError("no such results folder", where=Where(str(path.parent)))
    if not path.is_file():
        raise InputError(
            "no such file", where=where, hint="A results folder is what `testbed bench` writes."
        )
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow has a dozen kinds for a corrupt file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"is no readable Parquet file: {reason}", where=where) from error
    if frame.empty:
        raise InputError("has no samples", where=where)
    return _typed(frame, path)


def _typed(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The frame with its columns checked and of the types that the analysis expects."""
    where = Where(str(path))
    lacking = [name for name in FIXED if name not in frame.columns]
    if lacking:
        raise InputError(f"lacks the column {', '.join(lacking)}", where=where)
    columns: dict[str, pd.Series[Any]] = {
        name: _parameter(frame[name]) for name in frame.columns if name not in FIXED
    }
    try:
        for name in ("run", "scenario", "metric", "unit", "better"):
            columns[name] = frame[name].astype("str")
        for name in ("block", "order", "seed"):
            columns[name] = frame[name].astype("int64")
        columns["value"] = pd.to_numeric(frame["value"]).astype("float64")
        columns["start"] = pd.to_datetime(frame["start"], utc=True)
        columns["disturbed"] = frame["disturbed"].astype("bool")
    except (TypeError, ValueError) as error:
        raise InputError(f"has a value of the wrong type: {error}", where=where) from error
    odd = set(columns["better"].unique()) - _BETTER
    if odd:
        raise InputError(
            f"unknown {sorted(odd)[0]!r} (known: {', '.join(sorted(_BETTER))})",
            where=Where(str(path), field="better"),
        )
    return pd.DataFrame({name: columns[name] for name in frame.columns})


def _parameter(column: pd.Series[Any]) -> pd.Series[Any]:
    """A parameter column with a nullable type; text where its values are of several types."""
    inferred = column.convert_dtypes()
    if inferred.dtype == object:
        return column.map(lambda value: value if pd.isna(value) else str(value)).convert_dtypes()
    return inferred
