"""``testbed up``."""

from __future__ import annotations

import time
from typing import Any

import click

from testbed.cli.options import resolve_spec, spec_options


@click.command()
@spec_options
@click.option(
    "--timeout", default=30.0, show_default=True, help="Seconds for pods and routes to get ready."
)
@click.pass_obj
def command(lab: str, /, timeout: float, **chosen: Any) -> None:
    """Start a lab and apply the manifests.

    Returns when every pod is ready and routing has converged.

    \b
    testbed up                                    three nodes in one network, vxlan
    testbed up -f app.yaml --cni bgp              with the pods of app.yaml, routed by BGP
    testbed up -t leafspine --set spines=4        on a routed fabric
    """  # noqa: D301 - \b is click's
    from testbed.errors import LabError
    from testbed.lab import directory
    from testbed.lab.start import start

    directory.check_name(lab)
    spec = resolve_spec(**chosen)
    began = time.monotonic()
    started = start(lab, spec, timeout, lambda step: click.echo(f"  {step}", err=True))
    started.let_go()
    if started.problems:
        raise LabError(
            f"lab {lab!r} runs, but after {timeout:g} s not everything is ready:\n  "
            + "\n  ".join(started.problems)
        )
    seconds = time.monotonic() - began
    nodes, pods = len(spec.cluster.nodes), len(spec.cluster.pods)
    click.echo(
        f"Lab {lab!r} is up: {spec.topology.name}, {spec.cni}, {nodes} nodes, {pods} pods "
        f"({seconds:.1f} s).",
        err=True,
    )
