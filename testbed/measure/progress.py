"""How far a campaign is, on stderr: a bar on a terminal, a line per block elsewhere."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from testbed.measure.schedule import Slot


class Lines:
    """A line per finished block.

    Args:
        slots: The samples to be taken.
    """

    def __init__(self, slots: list[Slot]) -> None:
        self._left = Counter(slot.block for slot in slots)
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        """Prints it."""
        print(text, file=sys.stderr, flush=True)

    def done(self, slot: Slot) -> None:
        """Prints a line if this was the last sample of its block."""
        self._left[slot.block] -= 1
        if not self._left[slot.block]:
            seconds = time.monotonic() - self._start
            left = self._left.total()
            self.say(f"block {slot.block} done after {seconds:.0f} s, {left} samples left")


class Bar:
    """A bar with the present sample and the time that is left.

    Args:
        bar: A running ``rich.progress.Progress``.
        total: How many samples are to be taken.
    """

    def __init__(self, bar: object, total: int) -> None:
        from rich.progress import Progress

        assert isinstance(bar, Progress)  # noqa: S101 - typed loosely to keep rich out of imports
        self._bar, self._task = bar, bar.add_task("starting", total=total)

    def say(self, text: str) -> None:
        """Shows it beside the bar."""
        self._bar.update(self._task, description=text)

    def done(self, slot: Slot) -> None:
        """Moves the bar and shows what has been measured."""
        text = f"{slot.variant.cni} {slot.scenario}"
        self._bar.update(self._task, advance=1, description=text)


@contextmanager
def shown(slots: list[Slot]) -> Iterator[Lines | Bar]:
    """The right kind of display for this stderr.

    Args:
        slots: The samples to be taken.
    """
    if not sys.stderr.isatty():
        yield Lines(slots)
        return
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        yield Bar(bar, len(slots))
