"""``testbed conformance``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from testbed.conformance.contract import Check

_SHOWN = 5  # failures of a check in the table


@click.command()
@click.option("--suite", default="network-model", show_default=True, help="What is checked.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
@click.pass_obj
def command(lab: str, suite: str, output: str) -> None:
    """Check by real traffic that the running lab is what a Kubernetes cluster network must be.

    Exit code 1 if a check fails. Pods that a suite needs beyond those of the lab are added for its
    time only.
    """
    from testbed.conformance.contract import suites
    from testbed.errors import NotSo, Where
    from testbed.lab.client import Lab

    chosen = suites.get(suite, Where("--suite"))
    _end_tidily()
    running = Lab(lab)
    checks = []
    for check in chosen.run(running):
        checks.append(check)
        if output == "table":
            _print(check)
    failed = [check.name for check in checks if check.failures]
    if output == "json":
        _print_json(suite, checks)
    if failed:
        raise NotSo(
            f"lab {lab!r} fails {len(failed)} of {len(checks)} checks of {suite}: "
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
