"""``testbed kubeconfig``."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("--inside", is_flag=True, help="For programs in pods and on nodes of the lab.")
@click.pass_obj
def command(lab: str, inside: bool) -> None:
    """Print a kubeconfig for the lab's Kubernetes API.

    From outside, the API is reached by a port of 127.0.0.1 that is opened when this is asked for
    the first time, and closed with the lab. Only you and root get through.

    \b
    testbed kubeconfig > lab.yaml
    kubectl --kubeconfig lab.yaml get pods -A -o wide -w
    """  # noqa: D301 - \b is click's
    from testbed import kubeconfig
    from testbed.lab.client import Lab

    running = Lab(lab)
    server = _inside(running) if inside else f"http://127.0.0.1:{running.api_port()}"
    click.echo(kubeconfig.text(lab, server), nl=False)


def _inside(lab: Any) -> str:
    """The API on the first node, which every pod and node reaches."""
    from testbed.kubeconfig import PORT

    name = lab.objects("nodes")[0]["metadata"]["name"]
    return f"http://{lab.address(f'node/{name}')}:{PORT}"
