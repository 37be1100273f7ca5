"""``testbed plan``."""

from __future__ import annotations

from typing import Any

import click

from testbed.cli.options import resolve_spec, spec_options


@click.command()
@spec_options
@click.option("-o", "--output", type=click.Choice(["yaml", "shell"]), default="yaml")
@click.pass_obj
def command(_lab: str, /, output: str, **chosen: Any) -> None:
    """Print what `up` would do, namespace by namespace; changes nothing and needs no root.

    The shell commands make the same network when they are typed by hand on bare namespaces.
    """
    from testbed.plan import shell, text
    from testbed.proxy import shell as proxy

    spec = resolve_spec(**chosen)
    if output == "shell":
        click.echo(shell.render(spec.plan, spec.topology) + proxy.render(spec.proxy_steps()))
    else:
        click.echo(text.render(spec))
