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
    import yaml

    from testbed.lab.client import Lab

    running = Lab(lab)
    server = _inside(running) if inside else f"http://127.0.0.1:{running.api_port()}"
    click.echo(yaml.safe_dump(config(lab, server), sort_keys=False), nl=False)


def config(lab: str, server: str) -> dict[str, Any]:
    """A kubeconfig (client-go ``tools/clientcmd/api/v1``) for an API without credentials.

    Args:
        lab: The lab's name, which cluster, user and context get.
        server: The URL.
    """
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": lab, "cluster": {"server": server}}],
        "users": [{"name": lab, "user": {}}],
        "contexts": [{"name": lab, "context": {"cluster": lab, "user": lab}}],
        "current-context": lab,
    }


def _inside(lab: Any) -> str:
    """The API on the first node, which every pod and node reaches."""
    from testbed.lab.apiserver import PORT

    name = lab.objects("nodes")[0]["metadata"]["name"]
    return f"http://{lab.address(f'node/{name}')}:{PORT}"
