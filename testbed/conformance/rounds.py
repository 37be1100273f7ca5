"""Many exchanges at once, each seen from both ends.

A :class:`Round` starts all of its trials, repeats what is not answered, and ends when all are
answered or nothing has happened for a while. So a network that works takes as long as its
packets, and one that is broken takes :data:`PATIENCE`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import time
from collections.abc import Callable, Sequence

from testbed.conformance.targets import Target

PATIENCE = 3.2
"""Seconds without any answer after which the rest counts as lost: two or three repeated SYNs
(the kernel's timer for the first one is 1 s)."""

LIMIT = 15.0
"""Seconds after which a round ends, whatever is still coming."""

_REPEAT = 0.4  # seconds until a datagram is sent again
_TICK = 0.1
_LISTEN = 0.3  # seconds that an answer from nobody has to come
_SLICE = 64  # trials that are started between two looks at what came in
_HEAD = struct.Struct("!8sIB")

QUESTION, ANSWER, OVERSIZE = range(3)
"""What a message is; part of it."""


class Trial:
    """One exchange from a sender to a receiver.

    Attributes:
        sender: The one.
        receiver: The other.
        number: Its place in the round.
        waiting: What it waits for, as a failure says it: ``no answer to SYN``.
        own: The sender's address as its socket knows it; empty if nobody can know.
        seen: The sender's address as the receiver saw it; empty if nothing arrived.
        mss: The MSS that the sender's TCP offered, in bytes; 0 if it did not come to that.
        oversize: Whether a packet arrived that is larger than promised.
        error: What went wrong; empty if nothing did.
        told: What routers said of it by ICMP.
        loops: Whether a router said that it goes in circles.
        ended: When it ended, in seconds since the round's start; None if it did not.
    """

    def __init__(self, sender: Target, receiver: Target, waiting: str) -> None:
        self.sender, self.receiver, self.waiting = sender, receiver, waiting
        self.number = 0
        self.own = "" if sender.is_node else sender.address
        self.seen = self.error = self.told = ""
        self.mss, self.oversize, self.loops = 0, False, False
        self.ended: float | None = None

    @property
    def answered(self) -> bool:
        """Whether it went well."""
        return self.ended is not None and not self.error

    def failure(self, seconds: float) -> str:
        """What went wrong, in one line.

        Args:
            seconds: How long the round has waited.
        """
        what = self.error or f"{self.waiting} within {seconds:.1f} s"
        told = f" ({self.told})" if self.told else ""
        return f"{self.sender} → {self.receiver}: {what}{told}"


class Round:
    """Trials that run at once.

    Args:
        trials: The trials; they get their numbers here. Those to nobody are not waited for.

    Attributes:
        trials: By number.
        seconds: How long it took.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = trials
        for number, trial in enumerate(trials):
            trial.number = number
        self.seconds = 0.0
        self._magic = os.urandom(8)
        self._open = sum(not trial.receiver.is_nobody for trial in trials)
        self._least = _LISTEN if self._open < len(trials) else 0.0
        self._began = self._last = time.monotonic()
        self._sent: dict[int, float] = {}

    def message(self, trial: Trial, kind: int = QUESTION) -> bytes:
        """The bytes that stand for a trial: nothing else in the network has them."""
        return _HEAD.pack(self._magic, trial.number, kind)

    def find(self, data: bytes) -> tuple[Trial, int] | None:
        """The trial and the kind of a message anywhere in the data; None if there is none."""
        at = data.find(self._magic)
        if at < 0 or len(data) < at + _HEAD.size:
            return None
        _, number, kind = _HEAD.unpack_from(data, at)
        return self.trials[number], kind

    def end(self, trial: Trial, error: str = "") -> None:
        """Notes the end of a trial; a second one does not count."""
        if trial.ended is None:
            trial.error, self._last = error, time.monotonic()
            trial.ended = self._last - self._began
            self._open -= not trial.receiver.is_nobody

    async def settle(self, start: Callable[[Trial], None], repeat: Callable[[Trial], None]) -> None:
        """Starts all trials and waits for their ends.

        Args:
            start: Starts a trial.
            repeat: Sends again what may have been lost.
        """
        self._began = self._last = time.monotonic()
        for trial in self.trials:
            start(trial)
            self._sent[trial.number] = time.monotonic()
            if trial.number % _SLICE == 0:
                await asyncio.sleep(0)
        while not self._over():
            await asyncio.sleep(min(_TICK, 0.002 + self._open / 10_000))
            self._repeat(repeat)
        self.seconds = time.monotonic() - self._began

    def _over(self) -> bool:
        now = time.monotonic()
        if not self._open:
            return now >= self._began + self._least
        return now >= min(self._last + PATIENCE, self._began + LIMIT)

    def _repeat(self, repeat: Callable[[Trial], None]) -> None:
        now = time.monotonic()
        for trial in self.trials:
            if trial.ended is None and now - self._sent[trial.number] > _REPEAT:
                self._sent[trial.number] = now
                repeat(trial)


def describe(code: int) -> str:
    """An error number in words and by name: ``No route to host (EHOSTUNREACH)``."""
    return f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"
