"""``testbed logs``."""

from __future__ import annotations

import click


@click.command()
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-c", "--container", help="A container of the pod; its first one by default.")
@click.argument("pod")
@click.pass_obj
def command(lab: str, namespace: str, container: str | None, pod: str) -> None:
    """Print what a pod's processes printed, their errors included."""
    from testbed.lab.client import Lab

    name = pod.removeprefix("pod/")
    text = Lab(lab).ask("logs", namespace=namespace, pod=name, container=container)
    click.echo(text, nl=False)
