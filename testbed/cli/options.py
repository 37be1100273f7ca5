"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from testbed import defaults

if TYPE_CHECKING:
    from testbed.spec import Spec

Command = TypeVar("Command", bound=Callable[..., Any])


def spec_options(command: Command) -> Command:
    """The options that say what a lab shall be: those of ``up`` and ``plan``."""
    for option in reversed(
        (
            click.option(
                "-t",
                "--topology",
                default=defaults.TOPOLOGY,
                show_default=True,
                help="Topology: a name, or a .py or .yaml file.",
            ),
            click.option(
                "-f",
                "--filename",
                "paths",
                multiple=True,
                metavar="PATH",
                help="Kubernetes manifests: a file, a folder or - (may be repeated).",
            ),
            click.option("--cni", default=defaults.CNI, show_default=True, help="CNI mode."),
            click.option("--proxy", default=defaults.PROXY, show_default=True, help="Proxy mode."),
            click.option("--dns", help="Cluster DNS: coredns or none.  [default: none]"),
            click.option("--policy", default="none", show_default=True, help="Policy engine."),
            click.option(
                "--ingress", help="Ingress controller: nginx, haproxy or none.  [default: none]"
            ),
            click.option(
                "--set",
                "settings",
                multiple=True,
                metavar="KEY=VALUE",
                help="A setting: nodes, rate, delay, loss, mtu, pod_cidr, service_cidr, or one "
                "of the topology's or mode's own; of one link: A-B.rate …",
            ),
        )
    ):
        command = option(command)
    return command


def resolve_spec(
    topology: str,
    paths: tuple[str, ...],
    cni: str,
    proxy: str,
    dns: str | None,
    policy: str,
    ingress: str | None,
    settings: tuple[str, ...],
) -> Spec:
    """The lab that :func:`spec_options` ask for, with warnings about what it does not act on.

    Raises:
        InputError: Something is unknown, invalid or does not fit together.
    """
    from testbed import objects
    from testbed.errors import Where, unknown
    from testbed.spec import parse_settings, resolve

    if policy != "none":
        raise unknown("policy engine", policy, ("none",), Where("--policy"))
    given = objects.load(paths) if paths else ()
    chosen = parse_settings((*settings, *dns_setting(dns), *ingress_setting(ingress)))
    spec = resolve(topology, given, cni, proxy, chosen)
    warn_of_unserved(given)
    return spec


def dns_setting(dns: str | None) -> tuple[str, ...]:
    """What ``--dns`` says, as ``--set`` says it."""
    return () if dns is None else (f"dns={dns}",)


def ingress_setting(ingress: str | None) -> tuple[str, ...]:
    """What ``--ingress`` says, as ``--set`` says it."""
    return () if ingress is None else (f"ingress={ingress}",)


def warn_of_unserved(given: Any) -> None:
    """Says on stderr which fields of the objects have no effect here."""
    from testbed.objects import unserved_fields

    for item in given:
        fields = unserved_fields(item)
        if fields:
            name = f"{item.kind} {item.metadata.name}"
            click.echo(f"testbed: {name}: no effect here: {', '.join(fields)}", err=True)
