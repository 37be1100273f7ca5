"""``testbed fail``."""

from __future__ import annotations

import click


def _seconds(_: click.Context, __: click.Parameter, value: str | None) -> float | None:
    from testbed.measure.events import seconds

    try:
        return None if value is None else seconds(value)
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is {error}") from None


@click.command()
@click.argument("kind", required=False)
@click.argument("target", required=False)
@click.option("--for", "duration", metavar="TIME", callback=_seconds, help="Heal it after TIME.")
@click.pass_obj
def command(lab: str, kind: str | None, target: str | None, duration: float | None) -> None:
    """Fail a link, a node or a daemon; without arguments, list what has failed.

    `link l1-sp1` loses its carrier at both ends; `node n2` (any host of the fabric) loses all
    traffic of its underlay interfaces, whose carrier stays; `daemon l1/bgpd` is killed. It stays
    so until `testbed heal`, or for the TIME of --for (500ms, 2s), for which the command waits.
    """
    import time

    from testbed.lab.client import Lab

    running = Lab(lab)
    if kind is None or target is None:
        if kind is not None:
            raise click.UsageError("name what fails: link A-B, node NAME or daemon HOST/NAME")
        for fault in running.faults():
            click.echo(" ".join(fault))
        return
    running.fail(kind, target)
    click.echo(f"{kind} {target} failed")
    if duration is not None:
        try:
            time.sleep(duration)
        finally:
            running.heal(kind, target)
            click.echo(f"{kind} {target} healed")
