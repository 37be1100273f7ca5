"""A plan as YAML: one section per namespace, one line per item where it fits."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import yaml

from testbed.plan.model import Bridge, File, NamespacePlan, Veth, Vxlan

if TYPE_CHECKING:
    from testbed.spec import Spec

_KINDS = {Bridge: "bridge", Veth: "veth", Vxlan: "vxlan"}


def render(spec: Spec) -> str:
    """The plan of a lab, with what it is for."""
    namespaces = {name: _namespace(part) for name, part in spec.plan.namespaces.items()}
    head = {"topology": spec.topology.name, "cni": spec.cni, "proxy": spec.proxy}
    steps = {name: [_step(step) for step in some] for name, some in spec.proxy_steps().items()}
    proxies = {"proxies": steps} if steps else {}
    return yaml.dump(
        {**head, "namespaces": namespaces, **proxies}, Dumper=_Dumper, sort_keys=False, width=4096
    ).rstrip()


def _step(step: Any) -> dict[str, Any]:
    return {"kind": type(step).__name__, **asdict(step)}


def _namespace(part: NamespacePlan) -> dict[str, Any]:
    """The kinds that are not empty."""
    found = {}
    for kind in fields(part):
        items = getattr(part, kind.name)
        if items:
            found[kind.name] = [_item(item) for item in items]
    return found


def _item(item: Any) -> dict[str, Any]:
    kind = {"kind": _KINDS[type(item)]} if type(item) in _KINDS else {}
    values: dict[str, Any] = kind | _without_empty(asdict(item))
    if isinstance(item, File):
        values["mode"] = f"{item.mode:04o}"
    several_lines = any("\n" in str(value) for value in values.values())
    return values if several_lines else _Line(values)


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_empty(v) for k, v in value.items() if v not in (None, (), False, "")}
    if isinstance(value, tuple):
        return [_without_empty(v) for v in value]
    return value


class _Line(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes :class:`_Line` on one line, and texts of several lines as blocks."""


def _line(dumper: _Dumper, value: _Line) -> yaml.Node:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)


def _string(dumper: _Dumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(_Line, _line)
_Dumper.add_representer(str, _string)
