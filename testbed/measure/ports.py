"""Where the traffic of each sample went: what the ends of the fabric's links counted meanwhile.

``raw/…/ports.json`` has a sample's counters, ``ports.parquet`` those of all samples: one row per
sample and end of a link, with the columns that tell the sample (``run``, ``block``, ``order`` and
the point of the matrix), ``a`` (the host or switch), its ``interface``, ``peer`` (what is at the
other end) and the counters. ``tx`` is what ``a`` sent to ``peer``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

RAW_FILE = "ports.json"
FILE = "ports.parquet"
COUNTERS = (
    "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped",
)  # fmt: skip
"""What an end of a link counts."""

Port = Mapping[str, Any]
"""``a``, ``interface``, ``peer`` and :data:`COUNTERS` of one end."""


def difference(before: Sequence[Port], after: Sequence[Port]) -> list[dict[str, Any]]:
    """What was counted between two moments, end by end.

    A counter that is less than before began anew meanwhile, as a switch's does that is killed and
    started again: then it is as it stands.
    """
    earlier = {(port["a"], port["interface"]): port for port in before}
    return [
        {
            **{key: port[key] for key in ("a", "interface", "peer")},
            **{k: _grown(earlier[port["a"], port["interface"]][k], port[k]) for k in COUNTERS},
        }
        for port in after
    ]


def _grown(before: int, after: int) -> int:
    return after - before if after >= before else after


def store(ports: Sequence[Port], raw: Path) -> None:
    """Writes a sample's counters into its folder."""
    lines = ",\n ".join(json.dumps(port) for port in ports)
    (raw / RAW_FILE).write_text(f"[{lines}]\n")


def stored(raw: Path) -> list[dict[str, Any]]:
    """A sample's counters; empty if it has none."""
    path = raw / RAW_FILE
    return list(json.loads(path.read_text())) if path.exists() else []


def write(samples: Iterable[tuple[Mapping[str, Any], Path]], folder: Path) -> None:
    """Writes ``ports.parquet``, atomically; nothing if no sample has counters.

    Args:
        samples: The columns that tell a sample, and its raw folder.
        folder: The results folder.
    """
    import pandas as pd

    rows = [{**columns, **port} for columns, raw in samples for port in stored(raw)]
    if rows:
        partial = (folder / FILE).with_suffix(".partial")
        pd.DataFrame(rows).convert_dtypes().to_parquet(partial, index=False)
        partial.replace(folder / FILE)
