"""What a probe's answers come to, and when it asks again: the kubelet's rules, without a clock.

Times are seconds since the container's start. Source: ``pkg/kubelet/prober/worker.go``
(``doProbe``), ``prober_manager.go`` (``UpdatePodStatus``).

The kubelet sees a container that has started when it next lists them, up to :data:`RELIST` later,
and asks for readiness at once then. Here the start is an event, so the first question comes sooner
than most programs open their port: until the kubelet would have asked, a probe for readiness asks
again after 0.05 s, then whenever as much time has gone by again. Startup and liveness, where a bad
answer counts, ask for the first time when the kubelet would at the latest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from testbed.objects.probe import Probe

Kind = Literal["startup", "readiness", "liveness"]

RELIST = 1.0
"""Seconds within which the kubelet sees a container's start (``plegRelistPeriod``)."""

_FIRST_WAIT = 0.05
_INITIAL: dict[Kind, bool | None] = {"startup": None, "readiness": False, "liveness": True}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    Attributes:
        good: What it says; None if it could not be asked.
        said: What is wrong, in words; empty if nothing is.
    """

    good: bool | None
    said: str = ""


GOOD = Answer(True)


class Unasked(Exception):
    """A question could not be asked; its text says why."""


class Tally:
    """The answers to one probe of one container since its start.

    Args:
        kind: What is asked for.
        probe: Has the thresholds.

    Attributes:
        holds: The result so far; None for a startup probe without one.
        said: The last answer; None before the first.
    """

    def __init__(self, kind: Kind, probe: Probe) -> None:
        self.holds = _INITIAL[kind]
        self.said: bool | None = None
        self._probe, self._run = probe, 0

    def take(self, good: bool) -> bool:
        """Counts an answer; whether it changes the result.

        A result changes with the last of ``successThreshold`` good or ``failureThreshold`` bad
        answers in a row.
        """
        self._run = self._run + 1 if good == self.said else 1
        self.said = good
        wanted = self._probe.success_threshold if good else self._probe.failure_threshold
        if self._run < wanted or self.holds == good:
            return False
        self.holds = good
        return True


class Rhythm:
    """When a probe asks.

    Args:
        kind: What is asked for.
        probe: Has the period and the delay.
        begin: When it may ask first: the container's start, or the end of its startup probe.
    """

    def __init__(self, kind: Kind, probe: Probe, begin: float = 0.0) -> None:
        soon = 0.0 if kind == "readiness" else RELIST
        self.first = max(begin, float(probe.initial_delay_seconds), soon)
        self._period, self._eager_until = float(probe.period_seconds), 0.0
        if self.first == 0.0:
            self._eager_until = RELIST

    def eager(self, asked: float) -> bool:
        """Whether the kubelet would not have asked yet, so that a bad answer says little."""
        return asked < self._eager_until

    def after(self, asked: float, now: float, *, good: bool) -> float:
        """When to ask again.

        Args:
            asked: When the last question was due.
            now: When its answer came. A question that has become due meanwhile is asked at once.
            good: What the answer was.
        """
        if not good and self.eager(asked):
            return max(min(max(2 * asked, _FIRST_WAIT), RELIST), now)
        return max(asked + self._period, now)
