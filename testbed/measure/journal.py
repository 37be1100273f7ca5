"""What has been measured, on disk after every sample: a campaign can be killed at any moment.

``journal.jsonl`` in the results folder has a first line with the campaign and its seed, and one
line per finished sample. Each line is written whole and synchronised (fsync(2)) before the next
sample starts; a line that a crash has torn is left out and overwritten by whoever goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from testbed.errors import InputError, Where

NAME = "journal.jsonl"

Row = Mapping[str, Any]
"""One row of ``samples.parquet``, start time as text."""


class Journal:
    """The journal of a results folder.

    Args:
        folder: The results folder; it need not exist.

    Attributes:
        path: Of the file.
        head: What the first line says; empty if there is none yet.
        rows: Order of a finished sample → its rows.

    Raises:
        InputError: The file is no journal.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / NAME
        self.head: dict[str, Any] = {}
        self.rows: dict[int, Sequence[Row]] = {}
        self._length = 0
        if self.path.exists():
            self._read()

    def _read(self) -> None:
        data = self.path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        self._length = len(whole)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                record = json.loads(line)
                if number == 1:
                    self.head = dict(record)
                else:
                    self.rows[record["order"]] = record["rows"]
            except (ValueError, TypeError, KeyError):
                where = Where(str(self.path), line=number)
                raise InputError("this is no journal of a campaign", where=where) from None

    def begin(self, head: Mapping[str, Any]) -> None:
        """Writes the first line, unless it is there."""
        if not self.head:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._append(head)
            self.head = dict(head)

    def add(self, order: int, rows: Sequence[Row]) -> None:
        """Writes one finished sample."""
        self._append({"order": order, "rows": list(rows)})
        self.rows[order] = rows

    def _append(self, record: Mapping[str, Any]) -> None:
        line = json.dumps(record).encode() + b"\n"
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.truncate(self._length)
            file.seek(self._length)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._length += len(line)
