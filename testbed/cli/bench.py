"""``testbed bench``: measure a matrix of modes and scenarios, and write a results folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from testbed.cli.invm import rerun, vm_option

if TYPE_CHECKING:
    from testbed.measure.campaign import Campaign
    from testbed.measure.session import Session


class _Bench(click.Command):
    """Names the scenarios at the end of the help; they are imported for that alone."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the scenarios with their summaries."""
        from testbed.measure.contract import scenarios

        with formatter.section("Scenarios"):
            formatter.write_dl([(n, scenarios.get(n).summary) for n in scenarios.names()])


def _names(_: click.Context, __: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if value else ()


@click.command("bench", cls=_Bench, short_help="Measure modes and scenarios against each other.")
@click.argument("campaign", required=False, type=click.Path(path_type=Path))
@click.option("-t", "--topology", callback=_names, help="Topologies: names or files, A,B.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="As of up; repeatable.")
@click.option("--cni", callback=_names, help="CNI modes, A,B.")
@click.option("--proxy", callback=_names, help="Proxy modes, A,B.")
@click.option("--dns", help="As of up.")
@click.option("--ingress", help="As of up.")
@click.option("--scenario", callback=_names, help="Scenarios, A,B.")
@click.option("--repeat", type=click.IntRange(1, 1000), help="How often everything is measured.")
@click.option("--seed", type=click.IntRange(0), help="Of the order; drawn if it is not given.")
@click.option("--out", type=click.Path(path_type=Path), help="Results folder [results/TIME].")
@click.option("--resume", is_flag=True, help="Go on where a run that was ended stopped.")
@click.option("--dry-run", is_flag=True, help="Print the order of the samples; measure nothing.")
@vm_option
@click.pass_context
def command(
    ctx: click.Context, /, *, out: Path | None, resume: bool, dry_run: bool, vm: bool, **given: Any
) -> int | None:
    """Measures what the file CAMPAIGN says, or scenarios/default.yaml, and writes a results folder.

    Keeps one lab per topology, CNI mode and proxy mode up at once and measures them in turns, in an
    order drawn anew for each repetition. Prints the comparison; the report is in the folder.
    """
    if vm:
        return _in_vm(ctx, out)
    session = _session(given, out, resume)
    if dry_run:
        for slot in session.slots:
            click.echo(slot)
        return None
    _measure(session)
    return None


def _in_vm(ctx: click.Context, out: Path | None) -> int:
    """The same in the virtual machine, which writes only to folders that exist."""
    from testbed.errors import InputError, Where

    if out is None:
        return rerun(ctx)
    before = out.exists()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: {error.strerror}", where=Where("--out")) from None
    try:
        return rerun(ctx, writable=[out])
    finally:
        if not before and not any(out.iterdir()):
            out.rmdir()


def _session(given: Mapping[str, Any], out: Path | None, resume: bool) -> Session:
    from testbed.measure import session as sessions

    if resume:
        return sessions.resume(_campaign(given) if any(given.values()) else None, out)
    return sessions.begin(_campaign(given), out)


def _campaign(given: Mapping[str, Any]) -> Campaign:
    from testbed.cli.options import dns_setting, ingress_setting
    from testbed.measure import available, campaign, campaignfile
    from testbed.spec import parse_settings

    read = campaignfile.read(given["campaign"] or campaignfile.DEFAULT)
    names = {key: given[key] for key in ("topology", "cni", "proxy") if given[key]}
    numbers = {key: given[key] for key in ("repeat", "seed")}
    addons = (*dns_setting(given["dns"]), *ingress_setting(given["ingress"]))
    chosen = parse_settings((*given["settings"], *addons))
    asked = campaign.override(read, names, given["scenario"], chosen, **numbers)
    found, notes = available.only(asked)
    for note in notes:
        click.echo(note, err=True)
    return found


def _measure(session: Session) -> None:
    from testbed.measure import bench, progress

    todo = session.todo
    click.echo(f"{len(todo)} samples, seed {session.seed}, into {session.out}", err=True)
    try:
        if todo:
            with progress.shown(todo) as display:
                bench.run(session, display)
    except BaseException:
        if session.journal.head:
            done, every = len(session.journal.rows), len(session.slots)
            go_on = f"testbed bench --resume --out {session.out}"
            click.echo(f"{done} of {every} samples are there. To go on: {go_on}", err=True)
        raise
    _print(session)


def _print(session: Session) -> None:
    from testbed.analysis import frames, table

    report = session.finish()
    table.print_table(frames.load(session.out))
    click.echo(f"Report: {report}")
