"""``testbed doctor``: what this machine can do, and what it takes to do more."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from testbed.lab.features import Feature


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
def command(output: str) -> None:
    """Tries each kernel feature and looks for each program.

    Prints what needs it and how to get it. Everything is tried in namespaces that end with the
    command; the exit code is 0 whatever is absent.
    """
    from testbed.lab.features import probe

    found = probe()
    if output == "json":
        click.echo(
            json.dumps({"features": {name: _json(f) for name, f in found.items()}}, indent=2)
        )
    else:
        _table(found)


def _json(feature: Feature) -> dict[str, object]:
    return {
        "present": feature.present,
        "needed_by": list(feature.needed_by),
        "remedy": feature.remedy,
        "purpose": feature.purpose,
        "detail": feature.detail,
    }


def _table(found: Mapping[str, Feature]) -> None:
    """A table, then how to get what is absent; absence is a word, not only a colour."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    table = Table("feature", "present", "for", "needed by", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, feature in found.items():
        mark = "[green]yes[/]" if feature.present else "[bold red]NO[/]"
        table.add_row(name, mark, feature.purpose, _grouped(feature.needed_by))
    console.print(table)
    absent = [feature for feature in found.values() if not feature.present]
    console.print(f"{len(found) - len(absent)} present, {len(absent)} absent")
    for feature in absent:
        console.print(f"  [bold]{feature.name}[/]: {feature.detail}. {feature.remedy}")


def _grouped(parts: Iterable[str]) -> str:
    """``CNI mode bgp``, ``CNI mode vxlan`` as ``CNI mode bgp, vxlan``."""
    kinds = groupby(parts, key=lambda part: part.rpartition(" ")[0])
    return "; ".join(
        f"{kind} {', '.join(part.rpartition(' ')[2] for part in group)}" for kind, group in kinds
    )
