"""``testbed report``: the report again, from stored results."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("report", short_help="Write the report of stored results as one HTML file.")
@click.argument(
    "folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; report.html in the first DIR if not given.",
)
@click.option(
    "--figures",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write figures (SVG, PDF) and tables (LaTeX, CSV) too, for a paper.",
)
def command(folders: tuple[Path, ...], output: Path | None, figures: Path | None) -> None:
    """Writes the report of the results in DIR and prints its path.

    Several folders are put side by side, and compared with the first one.
    """
    from testbed.analysis import export, report

    if figures:
        for path in export.export(folders, figures):
            click.echo(path)
    click.echo(report.render(folders, output or folders[0] / "report.html"))
