"""One results folder, from the first sample to the report; begun, or gone on with.

::

    journal.jsonl      every finished sample, at once (testbed.measure.journal)
    raw/NNNNN-*/       each tool's output, by the sample's place in the order
    environment.json   machine, versions, topologies, campaign, seed
    samples.parquet, ports.parquet, summary.csv, report.html
                       written when all samples are there
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from testbed.errors import InputError, Where
from testbed.measure import campaignfile, ports
from testbed.measure.campaign import Campaign
from testbed.measure.contract import Reading, headlines
from testbed.measure.environment import environment
from testbed.measure.journal import NAME, Journal
from testbed.measure.labs import resolve
from testbed.measure.schedule import UNIMPAIRED, Slot, Variant, schedule
from testbed.spec import Spec

RAW = "raw"
RESULTS = Path("results")
"""Where campaigns without ``--out`` go."""


@dataclass(frozen=True)
class Session:
    """A campaign with its seed, its folder and its order.

    Attributes:
        campaign: What is measured.
        seed: Of the order.
        run: Name of the run: when it began.
        out: The results folder.
        journal: What is measured already.
        specs: The labs.
        slots: All samples in their order.
    """

    campaign: Campaign
    seed: int
    run: str
    out: Path
    journal: Journal
    specs: dict[Variant, Spec]
    slots: list[Slot]

    @property
    def todo(self) -> list[Slot]:
        """The samples that are not there yet."""
        return [slot for slot in self.slots if slot.order not in self.journal.rows]

    def begin(self) -> None:
        """Makes the folder, writes the environment and the journal's first line.

        Raises:
            InputError: The folder cannot be written.
        """
        try:
            (self.out / RAW).mkdir(parents=True, exist_ok=True)
            machine = environment(list(self.specs.values()))
            about = {**machine, **self._head(), "headlines": headlines(self.campaign.scenarios)}
            (self.out / "environment.json").write_text(json.dumps(about, indent=2) + "\n")
            self.journal.begin(self._head())
        except OSError as error:
            raise InputError(
                f"cannot write: {error.strerror}", where=Where(str(self.out))
            ) from None

    def _head(self) -> dict[str, Any]:
        return {"run": self.run, "seed": self.seed, "options": self.campaign.to_dict()}

    def raw(self, slot: Slot) -> Path:
        """The folder of a sample's own."""
        return self.out / RAW / slot.folder

    def point(self, slot: Slot) -> dict[str, Any]:
        """The columns that tell a sample from the others.

        ``impairment`` is one where the campaign has that axis.
        """
        several = tuple(self.campaign.impairments) != (UNIMPAIRED,)
        return {
            "run": self.run,
            "block": slot.block,
            "order": slot.order,
            "seed": self.seed,
            "topology": self.specs[slot.variant].topology.name,
            "cni": slot.variant.cni,
            "proxy": slot.variant.proxy,
            **({"impairment": slot.variant.impairment} if several else {}),
            "scenario": slot.scenario,
            **slot.cell,
        }

    def row(self, slot: Slot, start: datetime, disturbed: bool) -> dict[str, Any]:
        """The columns that all rows of a sample have in common."""
        clock = start.astimezone(UTC).isoformat()
        return {**self.point(slot), "start": clock, "disturbed": disturbed}

    def finish(self) -> Path:
        """Writes samples, ports, summary and report from the journal and the samples' folders.

        Returns:
            The path of the report.
        """
        from testbed.analysis import frames, report, results, summary

        rows = [row for slot in self.slots for row in self.journal.rows[slot.order]]
        frames.write_samples(rows, self.out)
        ports.write([(self.point(slot), self.raw(slot)) for slot in self.slots], self.out)
        summary.write_summary(results.read([self.out]).summary, self.out)
        return report.render([self.out], self.out / "report.html")


def begin(campaign: Campaign, out: Path | None) -> Session:
    """A new session.

    Args:
        campaign: What to measure; its seed is drawn if it has none.
        out: The results folder; ``results/TIME`` if none is named.

    Raises:
        InputError: The folder has results, or the campaign is impossible.
    """
    now = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = out or RESULTS / now
    journal = Journal(folder)
    if journal.head or (folder / "samples.parquet").exists():
        hint = "Go on with --resume, or name another folder."
        raise InputError("has results already", where=Where(str(folder)), hint=hint)
    seed = random.SystemRandom().randrange(2**31) if campaign.seed is None else campaign.seed
    return _session(campaign, seed, now, folder, journal)


def resume(campaign: Campaign | None, out: Path | None) -> Session:
    """The session in a folder; a new one if nothing has begun there.

    Args:
        campaign: What the command line asks for, which must be what was begun; None for whatever
            was begun.
        out: The results folder; the newest below ``results`` if none is named.

    Raises:
        InputError: There is nothing to go on with, or it is another campaign.
    """
    folder = out or _newest()
    journal = Journal(folder)
    if not journal.head:
        if campaign is None or out is None:
            hint = "A folder to go on with has a journal.jsonl."
            raise InputError("nothing to resume", where=Where(str(folder)), hint=hint)
        return begin(campaign, out)
    begun = campaignfile.loads(json.dumps(journal.head["options"]), str(journal.path))
    seed = journal.head["seed"]
    if campaign is not None:
        _same(campaign, begun, seed, journal.path)
    return _session(begun, seed, journal.head["run"], folder, journal)


def _newest() -> Path:
    found = sorted(RESULTS.glob(f"*/{NAME}"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InputError("nothing to resume", where=Where(str(RESULTS)), hint="Name it with --out.")
    return found[-1].parent


def _same(campaign: Campaign, begun: Campaign, seed: int, path: Path) -> None:
    asked, old = campaign.to_dict(), {**begun.to_dict(), "seed": seed}
    asked["seed"] = seed if asked["seed"] is None else asked["seed"]
    differing = [key for key in asked if asked[key] != old[key]]
    if differing:
        hint = "Say --resume and --out alone to go on with what was begun."
        message = f"another campaign was begun here: it differs in {', '.join(differing)}"
        raise InputError(message, where=Where(str(path)), hint=hint)


def _session(campaign: Campaign, seed: int, run: str, out: Path, journal: Journal) -> Session:
    specs = resolve(campaign)
    slots = schedule(campaign.points(), campaign.repeat, seed)
    return Session(campaign, seed, run, out, journal, specs, slots)


def rows(common: dict[str, Any], readings: Iterable[Reading]) -> list[dict[str, Any]]:
    """The rows of a sample: one per reading."""
    return [
        {
            **common,
            "metric": one.metric.name,
            "unit": one.metric.unit,
            "better": one.metric.better,
            "value": one.value,
        }
        for one in readings
    ]
