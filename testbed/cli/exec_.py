"""``testbed exec``."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": False})
@click.option("-i", "--stdin", "stdin", is_flag=True, help="Pass standard input on.")
@click.option("-t", "--tty", is_flag=True, help="Taken for kubectl's sake; a terminal is kept.")
@click.option("-n", "--namespace", default="default", show_default=True, help="The pod's.")
@click.option("-c", "--container", help="A container of the pod; its first one by default.")
@click.argument("pod")
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def command(
    lab: str,
    stdin: bool,
    tty: bool,
    namespace: str,
    container: str | None,
    pod: str,
    argv: tuple[str, ...],
) -> None:
    """Run ARGV in a pod's namespaces, or on a host: node/NAME, external/NAME, router/NAME.

    switch/NAME is where the switches are, all of them together.

    \b
    testbed exec web -- ip route
    testbed exec node/n1 -- vtysh -c 'show bgp summary'
    testbed exec switch/s1 -- bridge fdb show br s1
    """  # noqa: D301 - \b is click's
    import os

    from testbed.lab.client import HOST_KINDS, Lab

    kind, slash, name = pod.partition("/")
    if slash and kind in ("pod", "pods", "po"):
        pod, slash = name, ""
    target = pod if slash and kind in HOST_KINDS else f"{namespace}/{pod}"
    running = Lab(lab)
    if not (stdin or tty):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    running.become(target, argv, container)
