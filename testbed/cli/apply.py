"""``testbed apply``."""

from __future__ import annotations

import click


@click.command()
@click.option(
    "-f",
    "--filename",
    "paths",
    multiple=True,
    required=True,
    metavar="PATH",
    help="Manifests: a file, a folder or - (may be repeated).",
)
@click.pass_obj
def command(lab: str, paths: tuple[str, ...]) -> None:
    """Make or change objects of a running lab; returns when the dataplane has the change.

    All objects are checked first: if one is wrong, nothing is changed.
    """
    from testbed import objects
    from testbed.cli.options import warn_of_unserved
    from testbed.lab.client import Lab

    running = Lab(lab)
    given = objects.load(paths)
    warn_of_unserved(given)
    manifests = [
        [item.manifest, item.source.file, item.source.document, item.source.line] for item in given
    ]
    for line in running.ask("apply", manifests=manifests):
        click.echo(line)
