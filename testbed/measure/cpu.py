"""CPU time of the whole machine over an interval, from ``/proc/stat`` (proc_stat(5)).

The machine is the right scope here: what the kernel does for a packet in softirq is charged to
whoever happens to run, so a sum over the lab's own processes would miss most of it. The price is
that foreign processes count too; :mod:`testbed.measure.bench` says how that is marked. The time to
start a tool (two or three processes) is in the interval.

Values are core-seconds per second, that is the mean number of busy cores. ``cpu-busy`` is what was
neither idle nor stolen: a kernel with ``NO_HZ_IDLE`` measures idle time with its clock, to the
10 ms in which ``/proc/stat`` counts. The others (user, system, irq, softirq) are *sampled*: most
kernels (``TICK_CPU_ACCOUNTING``) charge a whole timer tick to whatever runs at its end, so what
runs in step with the tick, as a paced sender does, may get nothing or all of it. Measured here: UDP
at 500 Mbit/s kept 0.55 to 0.69 cores busy in ten samples, of which the ticks saw 0.00 to 1.36. Read
the sampled ones as shares of many samples, never alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from testbed.measure.contract import Metric, Reading

BUSY = Metric("cpu-busy", "1", "none")
USER = Metric("cpu-user", "1", "none")
SYSTEM = Metric("cpu-system", "1", "none")
SOFTIRQ = Metric("cpu-softirq", "1", "none")
IRQ = Metric("cpu-irq", "1", "none")
STEAL = Metric("cpu-steal", "1", "none")
METRICS = (BUSY, USER, SYSTEM, SOFTIRQ, IRQ, STEAL)
"""Busy is all but idle, waiting for I/O, and stolen; the others but steal are sampled."""

_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class CpuTime:
    """CPU time of the machine since its start, or over an interval; all in core-seconds.

    Attributes:
        user: In programs, with a nice value or without.
        system: In the kernel, for programs.
        irq: Serving interrupts.
        softirq: In softirq context: most of the kernel's packet processing.
        steal: Wanted, but given to somebody else by the hypervisor.
        idle: Unused, or waiting for I/O.
    """

    user: float
    system: float
    irq: float
    softirq: float
    steal: float
    idle: float

    def __sub__(self, other: CpuTime) -> CpuTime:
        """What was used between two moments. Never below zero: steal may be corrected down."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in self.__slots__)
        return CpuTime(*(max(0.0, late - early) for late, early in pairs))


def parse(text: str, ticks_per_second: int) -> CpuTime:
    """Reads the first line of ``/proc/stat``: ``cpu user nice system idle iowait irq …``."""
    words = text.split("\n", 1)[0].split()
    values = [int(word) / ticks_per_second for word in words[1:9]]
    user, nice, system, idle, iowait, irq, softirq, steal = values
    return CpuTime(user + nice, system, irq, softirq, steal, idle + iowait)


def now() -> CpuTime:
    """The machine's CPU time since its start."""
    return parse(_STAT.read_text(), os.sysconf("SC_CLK_TCK"))


class Window:
    """Measures the CPU time of a ``with`` block.

    Attributes:
        used: The machine's CPU time in the block.
        seconds: How long the block took.
    """

    used: CpuTime
    seconds: float

    def __enter__(self) -> Window:
        """Starts the interval."""
        self._start, self._clock = now(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the interval, whatever happened in it."""
        self.used, self.seconds = now() - self._start, time.monotonic() - self._clock

    @property
    def busy(self) -> float:
        """Core-seconds that were neither idle nor stolen."""
        cores = os.sysconf("SC_NPROCESSORS_ONLN")
        return max(0.0, cores * self.seconds - self.used.idle - self.used.steal)

    def readings(self) -> Iterator[Reading]:
        """One reading per metric of :data:`METRICS`, in core-seconds per second."""
        yield Reading(BUSY, self.busy / self.seconds)
        for metric in METRICS[1:]:
            share = getattr(self.used, metric.name.removeprefix("cpu-")) / self.seconds
            yield Reading(metric, share)
