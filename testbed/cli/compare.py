"""``testbed compare``: the gate of a CI job.

Exit code 1 if and only if a metric is worse; what is too noisy to judge does not fail.
"""

from __future__ import annotations

from pathlib import Path

import click

from testbed.errors import NotSo


@click.command("compare", short_help="Say whether new results are worse than old ones.")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--threshold",
    default="5%",
    show_default=True,
    help="The relative change that matters, as 5% or 0.05.",
)
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "markdown", "junit"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
def command(base: Path, new: Path, threshold: str, output: str) -> None:
    """Compares the results folder NEW with BASE, metric by metric.

    A metric is worse when the 95 % interval of the ratio of its medians lies wholly beyond the
    threshold on the bad side; then the exit code is 1.
    """
    from testbed.analysis import comparison, frames, verdicts

    limit = comparison.parse_threshold(threshold)
    rows = comparison.compare(frames.load(base), frames.load(new), limit)
    click.echo(verdicts.FORMATS[output](rows, limit))
    worse = comparison.counts(rows)["worse"]
    if worse:
        raise NotSo(f"{worse} of {len(rows)} metrics are worse by more than {limit * 100:.3g} %")
