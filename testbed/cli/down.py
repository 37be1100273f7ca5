"""``testbed down``."""

from __future__ import annotations

import click


@click.command()
@click.option("--all", "everything", is_flag=True, help="End every lab of this user.")
@click.pass_obj
def command(lab: str, everything: bool) -> None:
    """End a lab, with every process and namespace in it; that none runs is no error."""
    from testbed.lab import directory

    directory.check_name(lab)
    for name in directory.running() if everything else [lab]:
        _end(name)


def _end(name: str) -> None:
    from contextlib import suppress

    from testbed.errors import LabError
    from testbed.lab import client, directory

    with suppress(LabError):
        connection = directory.connect(name)
        client.end(directory.peer(connection)[0], connection)
        click.echo(f"Lab {name!r} is down.", err=True)
