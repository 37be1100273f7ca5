"""``testbed doctor``: what this machine can do, and what it takes to do more."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from testbed.cli.invm import rerun, vm_option

if TYPE_CHECKING:
    from testbed.doctor.features import Feature
    from testbed.doctor.verdict import Verdict


WIDTH = 120
"""Columns of the table where there is no terminal to fit it to."""


@click.command("doctor", short_help="Say what this machine has and lacks.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
@vm_option
@click.pass_context
def command(ctx: click.Context, output: str, vm: bool) -> int | None:
    """Tries each kernel feature and looks for each program.

    Prints what needs it and how to get it, and which modes, scenarios, topologies and limits of
    links run here. Everything is tried in namespaces that end with the command; the exit code is 0
    whatever is absent.
    """
    if vm:
        return rerun(ctx)
    from testbed.doctor.features import probe
    from testbed.doctor.needs import parts
    from testbed.doctor.probe import IN_VM
    from testbed.doctor.verdict import verdicts

    found = probe()
    said = verdicts(parts(), found, in_vm=IN_VM in os.environ)
    if output == "json":
        click.echo(json.dumps(_json(found, said), indent=2))
    else:
        _table(found, said)
    return None


def _json(found: Mapping[str, Feature], said: Sequence[Verdict]) -> dict[str, object]:
    features = {
        name: {
            "present": feature.present,
            "needed_by": list(feature.needed_by),
            "remedy": feature.remedy,
            "purpose": feature.purpose,
            "detail": feature.detail,
        }
        for name, feature in found.items()
    }
    parts = {v.part: {"runs": v.way == "here", "absent": list(v.absent)} for v in said}
    return {"features": features, "parts": parts}


def _table(found: Mapping[str, Feature], said: Sequence[Verdict]) -> None:
    """A table, how to get what is absent, and what runs; absence is a word, not only a colour."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    table = Table("feature", "present", "for", "needed by", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, feature in found.items():
        mark = "[green]yes[/]" if feature.present else "[bold red]NO[/]"
        table.add_row(name, mark, feature.purpose, grouped(feature.needed_by))
    console.print(table)
    absent = [feature for feature in found.values() if not feature.present]
    console.print(f"{len(found) - len(absent)} present, {len(absent)} absent")
    for feature in absent:
        detail = feature.detail.removesuffix(".")
        line = f"  [bold]{feature.name}[/]: {detail}. {feature.remedy}"
        console.print(line, soft_wrap=True)
    console.print()
    for line in summary(said):
        console.print(line, markup=False, soft_wrap=True)


def summary(said: Sequence[Verdict]) -> Iterator[str]:
    """What runs here, and what the rest takes, a line for each way to get it."""
    from testbed.doctor.features import remedies, split
    from testbed.doctor.needs import EVERY

    here = [v.part for v in said if v.way == "here"]
    if EVERY not in here:
        yield "No lab runs here, for what every lab needs is not all here."
    yield f"Here: {grouped(part for part in here if part != EVERY) or 'nothing'}"
    for way, title in (
        ("vm", "With testbed vm -- testbed …"),
        ("packages", "With packages"),
        ("kernel", "With another kernel"),
    ):
        lacking = [v for v in said if v.way == way]
        if lacking:
            absent = list(dict.fromkeys(name for v in lacking for name in v.absent))
            parts = grouped(v.part for v in lacking)
            yield f"{title}: {parts}; absent: {', '.join(absent)}"
            wanted = split(absent)[0] if way == "vm" else absent
            yield from (f"  {line}" for line in remedies(wanted))


def grouped(parts: Iterable[str]) -> str:
    """``CNI mode bgp``, ``CNI mode vxlan`` as ``CNI mode bgp, vxlan``."""
    kinds = groupby(parts, key=lambda part: part.rpartition(" ")[0])
    return "; ".join(
        f"{kind} {', '.join(part.rpartition(' ')[2] for part in group)}" for kind, group in kinds
    )
