"""How long it takes until a change of Services has reached every node, seen by packets.

**What it is.** Each node has a client that connects again and again until it gets through. In a lab
with next to no Services so many (``services``) are applied at once, with two endpoints each:
``full`` is the time from then until every client has got through to the first, the middle and the
last of them. Then one Service more is applied, with one endpoint (``service``), and then a second
endpoint for it (``endpoint``), which the client must be answered by. The time counts from the
moment at which the lab is told, as by ``testbed apply``, so reading and checking of the objects is
in it. ``…-applied`` is when the lab has answered, which is when every proxy has said that it is
done; ``…-after`` is how much later than that the last client got through (0 if it was not). Of the
modes of this project the lab tells the parts: ``…-plan``, from the call until its proxies began,
``…-rules``, until they had worked out what to load on all nodes, and ``…-kernel``, until it was
loaded.

**Resolution.** A client tries once in a millisecond, each of its addresses in turns, or after a
second once in a thousandth of the time that it has tried. ``resolution`` is the longest pause that
there really was between two tries of a client that had got through, in all three parts.

**What it is not.** The time of a proxy alone: ``benchmarks/services.py`` has that, without a lab.
All nodes are programmed on the same cores. What is applied is deleted again when the sample ends,
which is not measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from scenarios import _pods, _services
from testbed.errors import TestbedError
from testbed.measure import cpu, knock
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
)
from testbed.measure.knock import ANY, Knocking
from testbed.measure.servicelatency import PORT

CHANGES = ("full", "service", "endpoint")
THROUGH = {change: Metric(f"{change}-through", "s", "lower", {}) for change in CHANGES}
APPLIED = {change: Metric(f"{change}-applied", "s", "none") for change in CHANGES}
AFTER = {change: Metric(f"{change}-after", "s", "none") for change in CHANGES}
PARTS = {
    (change, part): Metric(f"{change}-{part}", "s", "none")
    for change in CHANGES
    for part in ("plan", "rules", "kernel")
}
RESOLUTION = Metric("resolution", "s", "none")

LIMIT = 300.0
"""Seconds that a change may take."""

NEW = "zz-new"
"""The Service more."""


class ServiceProgramming(Scenario):
    """See the module's text."""

    summary = "time from a change of Services until packets get through on every node"
    parameters: Mapping[str, Parameter] = {"services": _services.SIZES}
    metrics: tuple[Metric, ...] = (
        *THROUGH.values(), *APPLIED.values(), *AFTER.values(), *PARTS.values(), RESOLUTION,
        *cpu.METRICS,
    )  # fmt: skip
    proxied = True

    def manifest(self, nodes: Sequence[str]) -> str:
        """The pods, and two Services, whose addresses tell where others can be."""
        return _services.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Applies all Services, one more and an endpoint more; however long that takes."""
        targets = [_pods.pod(name) for name in (_pods.FAR, _services.SECOND)]
        words = dict(zip(targets, ("first", "second"), strict=True))
        found: list[Reading] = []
        with knock.servers(lab, words, PORT, raw), cpu.Window() as used, _Made(lab) as made:
            work = _Work(made, cell["services"], raw)
            for change in CHANGES:
                found += work.measure(change)
        (raw / "changes.json").write_text(json.dumps(work.record) + "\n")
        yield from found
        yield Reading(RESOLUTION, work.resolution)
        yield from used.readings()


class _Made:
    """What a sample applies, until its end."""

    def __init__(self, lab: LabHandle) -> None:
        self.lab = lab
        self._applied: dict[tuple[str, str], Mapping[str, Any]] = {}

    def __enter__(self) -> _Made:
        """Nothing is made yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """Deletes all of it."""
        if self._applied:
            self.lab.delete(list(self._applied.values()))

    def apply(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        """Applies manifests."""
        try:
            self.lab.apply(manifests)
        except TestbedError as error:
            if error.exit_code == 4:  # the objects are there, and their rules are not
                self._note(manifests)
            raise
        self._note(manifests)

    def _note(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        self._applied |= {(one["kind"], one["metadata"]["name"]): one for one in manifests}


class _Work:
    """The changes of a sample, and what was measured of them.

    Args:
        made: Applies them.
        count: How many Services.
        raw: The sample's folder.
    """

    def __init__(self, made: _Made, count: int, raw: Path) -> None:
        self._made, self._count, self._raw = made, count, raw
        lab = made.lab
        self._nodes = [f"node/{item['metadata']['name']}" for item in lab.objects("nodes")]
        self._first = _services.first_address(lab)
        self._servers = _services.servers(lab)
        self._place = _pods.node_of(lab, _pods.FAR)
        self.record: dict[str, dict[str, float]] = {}

    @property
    def resolution(self) -> float:
        """The longest pause between two tries."""
        return max(one["pause"] for one in self.record.values())

    def measure(self, change: str) -> Iterator[Reading]:
        """Makes one of the changes and measures it."""
        manifests, addresses, word = self._what(change)
        raw = self._raw / change
        with Knocking(self._made.lab, self._nodes, addresses, 80, word, raw) as clients:
            start = time.monotonic()
            self._made.apply(manifests)
            applied = time.monotonic() - start
            last, pause = clients.through(LIMIT)
        through = last - start
        self.record[change] = {"start": start, "applied": applied, "through": through}
        self.record[change]["pause"] = pause
        yield Reading(THROUGH[change], through)
        yield Reading(APPLIED[change], applied)
        yield Reading(AFTER[change], max(0.0, through - applied))
        moments = self._made.lab.programmed()
        if moments is not None and moments[0] >= start:
            parts = pairwise((start, *moments))
            for part, (early, late) in zip(("plan", "rules", "kernel"), parts, strict=True):
                yield Reading(PARTS[change, part], late - early)

    def _what(self, change: str) -> tuple[list[dict[str, Any]], list[str], str]:
        """What is applied, which addresses are tried, and which answer counts."""
        count, first = self._count, self._first
        if change == "full":
            watched = sorted({0, count // 2, count - 1})
            made = _services.padding(count, first)
            for number in watched:
                name = made[2 * number]["metadata"]["name"]
                made[2 * number + 1] = _services.endpoints(name, self._servers, self._place)
            return made, [str(first + number) for number in watched], ANY
        address, ends = first + count, self._servers[: 1 if change == "service" else 2]
        made = [_services.endpoints(NEW, ends, self._place)]
        if change == "service":
            return [_services.bare(NEW, address), *made], [str(address)], "first"
        return made, [str(address)], "second"


scenario: Scenario = ServiceProgramming()
