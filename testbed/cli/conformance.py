"""``testbed conformance``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from testbed import defaults
from testbed.cli.invm import rerun, vm_option
from testbed.cli.options import resolve_spec, spec_options

if TYPE_CHECKING:
    from testbed.conformance.contract import Check, Suite
    from testbed.lab.client import Lab

_WAIT = 120.0  # seconds for a lab of its own to get ready, be it in software emulation
_SHOWN = 5  # failures of a check in the table


@click.command()
@click.option("--suite", default="network-model", show_default=True, help="What is checked.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@spec_options
@vm_option
@click.pass_context
def command(ctx: click.Context, /, suite: str, output: str, vm: bool, **chosen: Any) -> int | None:
    """Check by real traffic that a lab is what a Kubernetes cluster network must be.

    The lab is the one that runs. With options of `up` it is a lab of its own that ends with the
    command; with --vm it always is. Exit code 1 if a check fails. Pods that a suite needs beyond
    those of the lab are added for its time only.

    \b
    testbed conformance                           the lab that runs
    testbed conformance --cni bgp -t leafspine    a lab for the time of the checks
    testbed conformance --vm --cni bgp            the same in a virtual machine
    """  # noqa: D301 - \b is click's
    from testbed.conformance.contract import suites
    from testbed.errors import Where
    from testbed.lab.client import Lab

    own = any(ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE for name in chosen)
    if vm:
        return rerun(ctx, () if own else ("--topology", defaults.TOPOLOGY))
    found = suites.get(suite, Where("--suite"))
    _end_tidily()
    with _own_lab(chosen) if own else nullcontext(Lab(ctx.obj)) as lab:
        _check(lab, suite, found, output)
    return None


def _own_lab(chosen: Mapping[str, Any]) -> AbstractContextManager[Lab]:
    """A lab for the time of a ``with`` block, under a name that nobody else has."""
    from testbed.lab.start import running

    name = f"conformance-{os.getpid()}"
    click.echo(f"  starting lab {name!r}", err=True)
    return running(name, resolve_spec(**chosen), _WAIT)


def _check(lab: Lab, name: str, suite: Suite, output: str) -> None:
    """Runs a suite and prints what it finds.

    Raises:
        NotSo: A check failed.
    """
    from testbed.errors import NotSo

    checks = []
    for check in suite.run(lab):
        checks.append(check)
        if output == "table":
            _print(check)
    failed = [check.name for check in checks if check.failures]
    if output == "json":
        _print_json(name, checks)
    if failed:
        raise NotSo(
            f"lab {lab.name!r} fails {len(failed)} of {len(checks)} checks of {name}: "
            + ", ".join(failed)
        )


def _end_tidily() -> None:
    """Has SIGTERM end the command as Ctrl-C does, so that added pods are deleted."""
    import signal

    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _print(check: Check) -> None:
    word = "failed" if check.failures else "passed" if check.passed else "skipped"
    of = f" of {check.total}" if check.total != check.count else ""
    what = check.skipped or f"{check.count}{of}"
    colour = {"failed": "red", "passed": "green", "skipped": "yellow"}[word]
    styled = click.style(f"{word:8}", fg=colour)
    click.echo(f"{styled} {check.name:22} {what:>18} {check.seconds:6.2f} s")
    for failure in check.failures[:_SHOWN]:
        click.echo(f"    {failure}")
    if len(check.failures) > _SHOWN:
        click.echo(f"    and {len(check.failures) - _SHOWN} more (-o json has all)")


def _print_json(suite: str, checks: list[Check]) -> None:
    import json

    passed = not any(c.failures for c in checks) and any(c.passed for c in checks)
    found = {"suite": suite, "passed": passed, "checks": [c.to_dict() for c in checks]}
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
