"""A link's limits as queueing disciplines of the kernel, on each of the link's two ends.

An end limits what it sends, so the two ends together limit both ways. The disciplines of one end,
from the outside in; only what is asked for is there::

    tbf     the rate, by a token bucket (tc-tbf(8)); it also cuts super-packets
    └ netem delay, jitter, loss … (tc-netem(8))
      └ fifo  the queue of packets that wait for the bucket

Packets pass the delay first and wait for the line then. To both ends that is the same as the other
way round; and it keeps the two apart, so the queue's limit counts those that wait for the line and
no others, and a long way is no reason to lose packets. (netem's own limit counts both. It is set
so high that it is never met.)

- **Cutting.** TCP hands super-packets of up to 64 kB to the interface. What happens to packets one
  by one must happen to those that a wire would carry: where there is more than a rate, or the
  bucket is smaller than a super-packet, ``tbf`` cuts them (``tbf_segment`` in the kernel's
  ``net/sched/sch_tbf.c``). Where no rate is asked for, the bucket is only there for that.
- **The bucket** holds what the rate lets through in 4 ms, and at least two packets, because timers
  are late by fractions of that.
- **The queue** holds ``limit`` packets; by default what the rate lets through in 50 ms, at least 20
  full packets.
- **Order.** netem alone would let packets overtake each other as soon as the delay varies. With a
  rate of its own, which here is none that anything reaches, it does not: the next packet's time is
  never before the last one's (``netem_enqueue`` in ``net/sched/sch_netem.c``). Those of ``reorder``
  overtake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from testbed.topology.limits import Limits

_LINE = 2_000_000_000_000
"""Bit/s: more than any link may have, and than any machine sends."""

_NO_LIMIT = 100_000
"""Packets on their way: at 10 Gbit/s and full size those of 120 ms."""

_FRAME = 18
"""Bytes of an Ethernet header with a VLAN tag."""

_BUCKET, _QUEUE = 0.004, 0.05  # s
_LEAST_QUEUE = 20  # packets


@dataclass(frozen=True, slots=True)
class Impairment:
    """What a fabric interface does to the packets that it sends.

    Attributes:
        device: Interface name.
        mtu: In bytes.
        limits: Those of its link.
    """

    device: str
    mtu: int
    limits: Limits

    def tc(self) -> list[str]:
        """The arguments of ``tc qdisc add dev DEVICE``, one string per queueing discipline."""
        netem = " ".join(_netem(self.limits))
        found = [f"root handle 1: {self._tbf(one_by_one=bool(netem or self.limits.limit))}"]
        if netem:
            found.append(f"parent 1:1 handle 2: netem limit {_NO_LIMIT} {netem}")
        if self.limits.limit:
            found.append(f"parent {len(found)}:1 handle 3: pfifo limit {self.limits.limit}")
        elif netem and self.limits.rate:
            found.append(f"parent 2:1 handle 3: bfifo limit {self._queue}")
        return found

    def _tbf(self, *, one_by_one: bool) -> str:
        frame, rate = self.mtu + _FRAME, self.limits.rate
        if rate is None:
            return f"tbf rate {_LINE}bit burst {frame} limit {_LEAST_QUEUE * frame}"
        bucket = max(2 * frame, int(rate / 8 * _BUCKET))
        cut = f" peakrate {_LINE}bit mtu {frame}" if one_by_one else ""
        return f"tbf rate {rate:.0f}bit burst {bucket} limit {self._queue}{cut}"

    @property
    def _queue(self) -> int:
        """Bytes."""
        return max(_LEAST_QUEUE * (self.mtu + _FRAME), int((self.limits.rate or 0) / 8 * _QUEUE))

    @property
    def needs(self) -> tuple[str, ...]:
        """The kernel features that it needs."""
        return ("tbf", *(("netem",) * any(_netem(self.limits))))


def _netem(limits: Limits) -> Iterator[str]:
    """The words of netem."""
    if limits.delay:
        yield f"delay {limits.delay * 1e6:.0f}us"
    if limits.jitter:
        yield f"{limits.jitter * 1e6:.0f}us"
    if limits.distribution not in (None, "uniform"):
        yield f"distribution {limits.distribution}"
    for key in ("reorder", "loss", "duplicate", "corrupt"):
        share = getattr(limits, key)
        if share:
            yield f"{key} {share * 100:g}%"
    if limits.jitter:
        yield f"rate {_LINE}bit"
