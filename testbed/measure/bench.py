"""Taking the samples of a session: all labs up at once, one sample after the other.

A sample is marked *disturbed* when its figures may be somebody else's doing:

- the hypervisor stole more than :data:`STEAL` of the machine's cores while it ran, or
- right before it, while the labs idle, others kept more than :data:`FOREIGN` cores busy for
  :data:`IDLE` seconds.

Disturbed samples stay in the results: the analysis counts them, and whoever reads sees how many.

The campaign's events happen in every sample (:mod:`testbed.measure.injection`); after it the lab is
given :data:`SETTLE` seconds to be as it was.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from testbed.doctor.features import require
from testbed.errors import LabError, TestbedError
from testbed.lab.client import Lab
from testbed.lab.start import running
from testbed.measure import ports
from testbed.measure.contract import Cell, Reading, scenarios
from testbed.measure.cpu import Window
from testbed.measure.events import KINDS
from testbed.measure.injection import Injection
from testbed.measure.schedule import Slot, Variant, warm_up
from testbed.measure.session import Session, rows
from testbed.plan.targets import NEEDS

STEAL = 0.02
"""Share of the machine's core-seconds."""

FOREIGN = 0.5
"""Busy cores; ``/proc/stat`` resolves a fifth of a core in so short a time."""

IDLE = 0.05
"""Seconds."""

SETTLE = 60.0
"""Seconds."""


class Progress(Protocol):
    """Who is told how far it is."""

    def say(self, text: str) -> None:
        """Something is about to be done that takes a while."""

    def done(self, slot: Slot) -> None:
        """A sample has been taken."""


def run(session: Session, progress: Progress) -> None:
    """Takes all samples of the session that are not there yet.

    Raises:
        MissingError: The machine lacks a program that a scenario needs.
        LabError: A lab could not be started or has ended, or a tool has failed. What has been
            measured until then is in the journal.
    """
    campaign = session.campaign
    needs = {need for name in campaign.scenarios for need in scenarios.get(name).needs}
    kinds = {KINDS[event.kind] for event in campaign.events}
    require(needs | {need for kind in kinds for need in NEEDS.get(kind, ())})
    session.begin()
    with contextlib.ExitStack() as stack:
        labs: dict[Variant, Lab] = {}
        for number, (variant, spec) in enumerate(session.specs.items(), 1):
            progress.say(f"starting the lab {variant}")
            labs[variant] = stack.enter_context(running(f"bench-{os.getpid()}-{number}", spec))
            _prepare(campaign.points()[variant], labs[variant], variant)
        progress.say("warming up")
        for slot in warm_up(session.campaign.points()):
            _readings(session, labs, slot)
        for slot in session.todo:
            session.journal.add(slot.order, _sample(session, labs, slot))
            progress.done(slot)


def _prepare(points: Sequence[tuple[str, Cell]], lab: Lab, variant: Variant) -> None:
    """Puts a lab into the state that its scenario wants of it."""
    for name in dict.fromkeys(name for name, _ in points):
        scenario = scenarios.get(name)
        if variant.state:
            scenario.prepare(lab, dict(variant.state))


def _sample(session: Session, labs: Mapping[Variant, Lab], slot: Slot) -> list[dict[str, Any]]:
    with Window() as idle:
        time.sleep(IDLE)
    lab, start = labs[slot.variant], datetime.now(UTC)
    before = lab.ports()
    with Window() as window:
        found = _readings(session, labs, slot)
    ports.store(ports.difference(before, lab.ports()), session.raw(slot))
    stolen = window.used.steal / window.seconds / (os.cpu_count() or 1)
    disturbed = stolen > STEAL or idle.busy / idle.seconds > FOREIGN
    return rows(session.row(slot, start, disturbed), found)


def _readings(session: Session, labs: Mapping[Variant, Lab], slot: Slot) -> list[Reading]:
    raw, lab = session.raw(slot), labs[slot.variant]
    raw.mkdir(parents=True, exist_ok=True)
    try:
        with _events(session, lab, raw):
            run = scenarios.get(slot.scenario).run
            return list(run(lab, slot.cell, raw, session.campaign.seconds))
    except (TestbedError, OSError) as error:
        for variant, one in labs.items():
            _check_alive(variant, one)
        raise LabError(f"sample {slot} (lab {lab.name!r}): {error}") from error


@contextlib.contextmanager
def _events(session: Session, lab: Lab, raw: Path) -> Iterator[None]:
    """The campaign's events happen during the ``with`` block; after it the lab is well again."""
    if not session.campaign.events:
        yield
        return
    with (
        contextlib.closing(Lab(lab.name)) as own,  # the scenario uses the other connection
        Injection(own, session.campaign.events, raw) as injection,
    ):
        lab.events = injection.happened
        yield
    problems = lab.settle(SETTLE)
    if problems:
        problems.insert(0, f"{SETTLE:g} s after its events the lab is not as before:")
        raise LabError("\n  ".join(problems))


def _check_alive(variant: Variant, lab: Lab) -> None:
    try:
        lab.ask("info")
    except LabError as error:
        raise LabError(
            f"the lab {variant} ({lab.name!r}) has ended while it was measured: its supervisor, "
            f"process {lab.pid}, was killed or died",
            hint="The other labs of the campaign have been ended too.",
        ) from error
