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
"""Seconds without an answer to anything after which the rest counts as lost. The kernel repeats a
SYN after 1 s and 3 s (RFC 6298; from Linux 6.5 on each second), and gives an ARP request up, with
an error that tells more than silence, after 3 s."""

LIMIT = 15.0
"""Seconds after which a round waits for nothing any more, and a millisecond more for each trial."""

_REPEAT = 0.4  # seconds until a datagram is sent again
_LULL = 0.6  # seconds without an answer after which the next wave starts
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
        note: What else may be the reason of failures; empty if nothing is known.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self.trials = trials
        for number, trial in enumerate(trials):
            trial.number = number
        self.seconds, self.note = 0.0, ""
        self._magic = os.urandom(8)
        self._open = 0
        self._least = _LISTEN if any(trial.receiver.is_nobody for trial in trials) else 0.0
        self._began = self._last = time.monotonic()
        self._sent: dict[Trial, float] = {}

    @property
    def salt(self) -> int:
        """A number from 0 to 65535 that differs from round to round."""
        return int.from_bytes(self._magic[:2], "big")

    def failures(self, trials: Sequence[Trial]) -> tuple[str, ...]:
        """What went wrong with some of the trials, after a note if there is one."""
        found = [trial.failure(self.seconds) for trial in trials if not trial.answered]
        return (self.note,) * bool(found and self.note) + tuple(found)

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
            now = time.monotonic()
            trial.error, trial.ended = error, now - self._began
            self._last = self._last if error else now
            self._open -= not trial.receiver.is_nobody

    async def settle(
        self,
        waves: Sequence[Sequence[Trial]],
        start: Callable[[Trial], None],
        repeat: Callable[[Trial], None],
        after: Callable[[Sequence[Trial]], None],
    ) -> None:
        """Starts all trials, wave by wave, and waits for their ends.

        The next wave starts when all before have ended, or after a lull: what is still open then
        stays so, and is repeated after the last wave.

        Args:
            waves: The trials.
            start: Starts a trial.
            repeat: Sends again what may have been lost.
            after: Is given each wave at its end, if there are several.
        """
        self._began = self._last = time.monotonic()
        for wave in waves:
            await self._start(wave, start)
            last = wave is waves[-1]
            while not self._over(PATIENCE if last else _LULL):
                await asyncio.sleep(min(_TICK, 0.002 + self._open / 10_000))
                self._repeat(self.trials if last else wave, repeat)
            if len(waves) > 1:
                after(wave)
        self.seconds = time.monotonic() - self._began

    async def _start(self, wave: Sequence[Trial], start: Callable[[Trial], None]) -> None:
        self._last = time.monotonic()
        for position, trial in enumerate(wave):
            self._open += not trial.receiver.is_nobody
            self._sent[trial] = time.monotonic()
            start(trial)
            if position % _SLICE == 0:
                await asyncio.sleep(0)

    def _over(self, patience: float) -> bool:
        now = time.monotonic()
        if not self._open:
            return now >= self._began + self._least
        limit = LIMIT + len(self.trials) / 1000
        return now >= min(self._last + patience, self._began + limit)

    def _repeat(self, trials: Sequence[Trial], repeat: Callable[[Trial], None]) -> None:
        now = time.monotonic()
        for trial in trials:
            if trial.ended is None and now - self._sent[trial] > _REPEAT:
                self._sent[trial] = now
                repeat(trial)


def describe(code: int) -> str:
    """An error number in words and by name: ``No route to host (EHOSTUNREACH)``."""
    return f"{os.strerror(code)} ({errno.errorcode.get(code, code)})"
