"""Port counters in, as a tidy frame: ``ports.parquet`` of a results folder.

It has one row per sample and end of a link: which sample it was (``run``, ``block``, ``order``, the
columns of the matrix, ``scenario``), which end (``a``: host or switch, ``interface``, ``peer``: who
is at the other end) and by how much each counter of :data:`COUNTERS` grew while the sample ran.
Results from before there were port counters have no such file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from testbed.analysis import frames
from testbed.errors import InputError, Where

PORTS = "ports.parquet"
COUNTERS = (
    "rx_packets", "tx_packets", "rx_bytes", "tx_bytes", "rx_dropped", "tx_dropped",
)  # fmt: skip
"""What is counted at the end ``a``: ``tx`` is what it sent to ``peer``."""

END = ("a", "interface", "peer")
SAMPLE = ("run", "block", "order")


def load(folders: Sequence[Path]) -> pd.DataFrame | None:
    """The counters of some results folders, with the column ``folder`` if there are several.

    Returns:
        The rows; None if no folder has any.

    Raises:
        InputError: A file cannot be read, or lacks a column.
    """
    names = frames.labels(list(folders))
    found = [
        _read(folder / PORTS).assign(**({"folder": name} if len(names) > 1 else {}))
        for folder, name in zip(folders, names, strict=True)
        if (folder / PORTS).is_file()
    ]
    together = pd.concat(found, ignore_index=True) if found else pd.DataFrame()
    return None if together.empty else frames.impaired(together)


def samples(ports: pd.DataFrame) -> pd.DataFrame:
    """Which sample each row belongs to: the frame without ends and counters of any kind."""
    counters = [name for name in ports.columns if name.startswith(("rx_", "tx_"))]
    return ports.drop(columns=[*END, *counters])


def _read(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow has a dozen kinds for a corrupt file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        message = f"is no readable Parquet file: {reason}"
        raise InputError(message, where=Where(str(path))) from error
    lacking = [name for name in (*SAMPLE, "scenario", *END, *COUNTERS) if name not in frame.columns]
    if lacking:
        raise InputError(f"lacks the column {', '.join(lacking)}", where=Where(str(path)))
    return frame.convert_dtypes()
