"""``testbed delete``."""

from __future__ import annotations

import click

from testbed.cli.kinds import find


@click.command()
@click.option("-f", "--filename", "paths", multiple=True, metavar="PATH", help="Manifests.")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.argument("kind", required=False)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_obj
def command(
    lab: str, paths: tuple[str, ...], namespace: str, kind: str | None, names: tuple[str, ...]
) -> None:
    """Delete objects of a running lab, by manifest or by KIND and NAME.

    Returns when the dataplane has the change.

    \b
    testbed delete -f app.yaml
    testbed delete pod web
    """  # noqa: D301 - \b is click's
    from testbed.errors import InputError
    from testbed.lab.client import Lab

    if bool(paths) == bool(kind):
        raise InputError("give either -f PATH, or KIND and NAME")
    keys = _keys_of(paths) if paths else _keys(str(kind), names, namespace)
    for line in Lab(lab).ask("delete", keys=keys):
        click.echo(line)


def _keys_of(paths: tuple[str, ...]) -> list[list[str]]:
    from testbed import objects

    found = objects.load(paths)
    return [[o.kind, *o.metadata.key] for o in reversed(found)]


def _keys(kind: str, names: tuple[str, ...], namespace: str) -> list[list[str]]:
    from testbed.errors import InputError

    if "/" in kind and not names:
        kind, _, name = kind.partition("/")
        names = (name,)
    wanted = find(kind)
    if not names:
        raise InputError(f"which {wanted.plural}? Give at least one name")
    return [[wanted.kind, namespace if wanted.namespaced else "", name] for name in names]
