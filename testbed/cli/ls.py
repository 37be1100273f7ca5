"""``testbed ls``."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table")
def command(output: str) -> None:
    """List the labs of this user that run."""
    labs = _labs()
    if output == "json":
        import json

        click.echo(json.dumps(labs, indent=2))
        return
    from testbed.cli.table import columns

    rows = [[str(lab[key]) for key in _KEYS] for lab in labs]
    click.echo(columns([key.upper() for key in _KEYS], rows) if rows else "No lab runs.")


_KEYS = ("name", "topology", "cni", "proxy", "nodes", "pods", "pid")


def _labs() -> list[dict[str, Any]]:
    from contextlib import suppress

    from testbed.errors import LabError
    from testbed.lab import directory
    from testbed.lab.client import Lab

    found = []
    for name in directory.running():
        with suppress(LabError):  # it ended meanwhile, or is not listening yet
            lab = Lab(name)
            found.append({key: {**lab.info, "pid": lab.pid}[key] for key in _KEYS})
    return found
