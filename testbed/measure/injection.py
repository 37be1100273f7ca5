"""Making a campaign's events happen while a sample is measured, and undoing all of it after.

A thread keeps to the schedule by the clock, counted from the beginning of the sample. When the
sample ends, however it ends, nothing more happens and what has failed is healed, the last first.
What was done and when is in the sample's ``events.json``.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from testbed.errors import TestbedError
from testbed.measure.contract import Happening, LabHandle
from testbed.measure.events import KINDS, Event, Step, steps

FILE = "events.json"


@dataclass(frozen=True, slots=True)
class _Clock:
    """One moment on both clocks, for the record."""

    monotonic: float
    wall: str

    @classmethod
    def now(cls) -> _Clock:
        return cls(time.monotonic(), datetime.now(UTC).isoformat())


class Injection:
    """Has events happen to a lab during a ``with`` block.

    Args:
        lab: The lab, by a connection that nobody else uses meanwhile.
        events: What shall happen.
        raw: The sample's folder, for the record.

    Attributes:
        happened: What has happened up to now.

    Raises:
        TestbedError: Something could not be failed or healed; raised at the end of the block,
            unless the block itself has failed.
    """

    def __init__(self, lab: LabHandle, events: Sequence[Event], raw: Path) -> None:
        self.happened: list[Happening] = []
        self._lab, self._steps, self._raw = lab, steps(events), raw
        self._over = threading.Event()
        self._error: TestbedError | None = None
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def __enter__(self) -> Injection:
        """Starts the clock."""
        self._start = _Clock.now()
        self._thread.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Stops, and heals what has failed."""
        self._over.set()
        self._thread.join()
        for step in reversed(self._open()):
            self._try(step)
        self._record()
        if self._error is not None and kind is None:
            raise self._error

    def _run(self) -> None:
        for step in self._steps:
            wait = self._start.monotonic + step.at - time.monotonic()
            if self._over.wait(max(0.0, wait)) or self._error is not None:
                return
            self._try(step)

    def _try(self, step: Step) -> None:
        began = time.monotonic()
        do = self._lab.fail if step.fails else self._lab.heal
        try:
            do(KINDS[step.event.kind], step.event.target)
        except TestbedError as error:
            self._error = self._error or error
            return
        event = step.event
        done = Happening(step.number, event.kind, event.target, step.fails, began, time.monotonic())
        self.happened.append(done)

    def _open(self) -> list[Step]:
        """The healing of what has failed and is not healed, in the order of failing."""
        healed = {one.number for one in self.happened if not one.fails}
        failed = [one.number for one in self.happened if one.fails and one.number not in healed]
        events = {step.number: step.event for step in self._steps}
        return [Step(0.0, number, events[number], False) for number in failed]

    def _record(self) -> None:
        done = [asdict(one) for one in self.happened]
        text = json.dumps({"start": asdict(self._start), "happened": done}, indent=1)
        (self._raw / FILE).write_text(text + "\n")
