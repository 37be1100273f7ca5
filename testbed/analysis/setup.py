"""What was measured, on what: a report's pictures of topologies, events, and the environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from testbed.analysis import units
from testbed.analysis.links import impaired
from testbed.analysis.topology import OPENVSWITCH, role_of, topology_svg

_EMULATES = "qemu"  # what systemd-detect-virt(1) calls QEMU without hardware virtualization

Environment = Mapping[str, Any]
"""What an ``environment.json`` says."""


def topologies(environments: Sequence[Environment]) -> dict[str, Mapping[str, Any]]:
    """Each topology once, by name and in the order of names, as in the tables."""
    found: dict[str, Mapping[str, Any]] = {}
    for environment in environments:
        found |= environment.get("topologies") or {}
    return dict(sorted(found.items()))


def drawings(environments: Sequence[Environment]) -> list[dict[str, Any]]:
    """Each topology once, drawn and in words."""
    return [
        {
            "name": name,
            "svg": Markup(topology_svg(topology)),  # noqa: S704  escapes what it draws
            "alt": alternative(topology),
            "impaired": any(map(impaired, topology.get("links", []))),
        }
        for name, topology in topologies(environments).items()
    ]


def alternative(topology: Mapping[str, Any]) -> str:
    """A topology in words: how many of what there are, and who is linked to whom."""
    links = ", ".join(f"{link['a']} to {link['b']}" for link in topology.get("links", []))
    nodes = topology.get("nodes", [])
    virtual = [str(node["name"]) for node in nodes if role_of(node) == OPENVSWITCH]
    said = [f"{len(nodes)} hosts and switches"]
    said += [f"{OPENVSWITCH} on {', '.join(virtual)}"] if virtual else []
    return "; ".join([*said, f"links: {links or 'none'}"])


def emulated(environments: Sequence[Environment], names: Sequence[str]) -> list[str]:
    """The results from a machine whose processor was emulated."""
    return [
        name for name, one in zip(names, environments, strict=True) if one.get("vm") == _EMULATES
    ]


def userspace(environments: Sequence[Environment]) -> bool:
    """Whether a lab's Open vSwitches forwarded in user space."""
    return any("user" in _values(environment, "datapath") for environment in environments)


def _values(found: Any, key: str) -> list[Any]:
    """The values of a key anywhere in a document."""
    if isinstance(found, list):
        return [value for one in found for value in _values(one, key)]
    if not isinstance(found, dict):
        return []
    own = [found[key]] if isinstance(found.get(key), str) else []
    return own + [value for one in found.values() for value in _values(one, key)]


def rows(environments: Sequence[Environment]) -> list[tuple[str, list[str]]]:
    """What ``environment.json`` says, a row for each key and a value for each folder."""
    keys = dict.fromkeys(key for environment in environments for key in environment)
    return [
        (key, [said(key, environment.get(key)) for environment in environments])
        for key in keys
        if key not in ("topologies", "headlines")
    ]


def said(key: str, value: Any) -> str:
    """A free-form value as text."""
    if value is None or value in ([], {}):
        return units.NONE
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{name} {said(name, one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_items(key, value))
    if key == "memory_bytes" and isinstance(value, int):
        return f"{value / 2**30:.1f} GiB"
    return str(value)


def _items(key: str, values: Sequence[Any]) -> Iterator[str]:
    """The items of a list; mappings in braces, so that one is told from the next."""
    for one in values:
        yield f"{{{said(key, one)}}}" if isinstance(one, dict) and one else said(key, one)
