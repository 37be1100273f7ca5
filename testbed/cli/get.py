"""``testbed get``."""

from __future__ import annotations

from typing import Any

import click

from testbed.cli.kinds import Kind, find, missing


@click.command()
@click.argument("kind")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-A", "--all-namespaces", is_flag=True)
@click.option("-l", "--selector", help="Labels, such as app=web,tier!=db or 'app in (a, b)'.")
@click.option("-o", "--output", type=click.Choice(["wide", "json", "yaml", "name"]))
@click.pass_obj
def command(
    lab: str,
    kind: str,
    names: tuple[str, ...],
    namespace: str,
    all_namespaces: bool,
    selector: str | None,
    output: str | None,
) -> None:
    """List objects: pods, nodes, deployments, namespaces, services, endpoints, endpointslices.

    Short names are kubectl's: po, no, deploy, ns, svc, ep.

    \b
    testbed get pods -A -o wide
    testbed get po -l app=web -o name
    testbed get pod web -o json
    """  # noqa: D301 - \b is click's
    from testbed.lab.client import Lab

    if "/" in kind and not names:
        kind, _, name = kind.partition("/")
        names = (name,)
    wanted = find(kind)
    scope = namespace if wanted.namespaced and not all_namespaces else None
    items = Lab(lab).objects(wanted.plural, scope)
    if names:
        items = [_named(wanted, items, name) for name in names]
    if selector is not None:
        items = _selected(items, selector)
    _print(wanted, items, output, all_namespaces, single=len(names) == 1)


def _named(kind: Kind, items: list[dict[str, Any]], name: str) -> dict[str, Any]:
    for item in items:
        if item["metadata"]["name"] == name:
            return item
    raise missing(kind, name)


def _selected(items: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    from testbed.objects import parse_selector

    selector = parse_selector(text)
    return [item for item in items if selector.matches(item["metadata"].get("labels", {}))]


def _print(
    kind: Kind, items: list[dict[str, Any]], output: str | None, everywhere: bool, single: bool
) -> None:
    if output in ("json", "yaml"):
        whole = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}
        click.echo(_dump(items[0] if single and items else whole, output))
    elif output == "name":
        click.echo("".join(f"{kind.title}/{i['metadata']['name']}\n" for i in items), nl=False)
    elif not items:
        click.echo("No resources found", err=True)
    else:
        _table(kind, items, wide=output == "wide", everywhere=everywhere and kind.namespaced)


def _dump(value: Any, output: str) -> str:
    if output == "json":
        import json

        return json.dumps(value, indent=4)
    import yaml

    text: str = yaml.safe_dump(value, sort_keys=False)
    return text.rstrip()


def _table(kind: Kind, items: list[dict[str, Any]], *, wide: bool, everywhere: bool) -> None:
    from testbed.cli.table import columns

    shown = kind.columns
    if wide:
        shown = (*((title, kind.whole.get(title, value)) for title, value in shown), *kind.wide)
    if everywhere:
        shown = (("NAMESPACE", lambda item: item["metadata"]["namespace"]), *shown)
    rows = [[str(value(item)) for _, value in shown] for item in items]
    click.echo(columns([title for title, _ in shown], rows))
