"""``testbed heal``."""

from __future__ import annotations

import click

_PATIENCE = 60.0  # seconds for routes to come back


@click.command()
@click.argument("kind", required=False)
@click.argument("target", required=False)
@click.pass_obj
def command(lab: str, kind: str | None, target: str | None) -> None:
    """Undo what `testbed fail` did: of one KIND and TARGET, or all of it.

    Returns when the lab is as before: links and daemons are up, and routing has converged. Healing
    what has not failed is no error.
    """
    from testbed.errors import LabError
    from testbed.lab.client import Lab

    if kind is not None and target is None:
        raise click.UsageError("name what is healed: link A-B, node NAME or daemon HOST/NAME")
    running = Lab(lab)
    faults = running.faults()
    for one in reversed(faults) if kind is None or target is None else [(kind, target)]:
        if running.heal(*one):
            click.echo(f"{' '.join(one)} healed")
    problems = [] if running.faults() else running.settle(_PATIENCE)
    if problems:
        raise LabError(
            f"{_PATIENCE:g} s later the lab is not as before:\n  " + "\n  ".join(problems)
        )
