"""A topology written as YAML.

::

    name: edge                    # by default the file's stem
    defaults: {mtu: 1500}         # rate, delay, loss, mtu of links that say nothing else
    hosts:
      - {name: n1, address: 192.168.1.11/24, gateway: 192.168.1.1, zone: core}
      - {name: client, role: external, address: 192.168.1.200/24}
      - name: r1
        role: router              # node (by default), external or router
        asn: 65001                # its BGP autonomous system, if it speaks BGP
        routes:                   # static ones; several next hops are equal-cost paths
          - {to: 10.9.0.0/16, via: [192.168.1.11]}
    switches: [s1]                # Linux bridges; {name: s2, kind: openvswitch} is run by SDN
    links:
      - ends: [n1, s1]
      - ends: [client, s1]
      - ends: [r1, s1]
        addresses: {r1: 192.168.1.1/24}   # where an end has several links
        rate: 50Mbit                      # each way
        delay: 10ms                       # one way
        loss: 0.1%                        # each way
        mtu: 1400

A host's ``address`` is that of its first link without one in ``addresses``. Interfaces are named
as Mininet names them: ``n1-eth0``, and from ``eth1`` on at switches. The settings ``rate``,
``delay``, ``loss`` and ``mtu`` take the place of ``defaults``, and ``nodes=N`` keeps the first N
nodes of the file.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from testbed.errors import InputError, Where
from testbed.objects.source import Origin, Source
from testbed.objects.yamltext import documents
from testbed.topology import settings
from testbed.topology.check import check
from testbed.topology.model import (
    DEFAULT_MTU,
    SWITCH_KINDS,
    Host,
    Interface,
    Link,
    Switch,
    Topology,
)

LARGEST_FILE = 1_000_000
"""Bytes; 200 nodes are 20,000."""

_QUANTITY = {"type": ["string", "number"]}
_LIMITS = {"rate": _QUANTITY, "delay": _QUANTITY, "loss": _QUANTITY, "mtu": {"type": "integer"}}
_STRING = {"type": "string", "minLength": 1}


def _closed(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


_ROUTE = _closed(
    {"to": _STRING, "via": {"type": "array", "items": _STRING, "minItems": 1}}, "to", "via"
)
_HOST = _closed(
    {
        "name": _STRING,
        "role": {"enum": ["node", "external", "router"]},
        "address": _STRING,
        "gateway": _STRING,
        "zone": _STRING,
        "asn": {"type": "integer", "minimum": 1, "maximum": 2**32 - 2},
        "routes": {"type": "array", "items": _ROUTE},
    },
    "name",
)
_LINK = _closed(
    {
        "ends": {"type": "array", "items": _STRING, "minItems": 2, "maxItems": 2},
        "addresses": {"type": "object", "additionalProperties": _STRING},
        **_LIMITS,
    },
    "ends",
)
_SWITCH = _closed({"name": _STRING, "kind": {"enum": list(SWITCH_KINDS)}}, "name")
SCHEMA = _closed(
    {
        "name": _STRING,
        "defaults": _closed(_LIMITS),
        "hosts": {"type": "array", "items": _HOST, "minItems": 1},
        "switches": {"type": "array", "items": {"anyOf": [_STRING, _SWITCH]}},
        "links": {"type": "array", "items": _LINK},
    },
    "hosts",
    "links",
)
"""JSON Schema (draft 2020-12) of the form."""


def read(path: Path, values: Mapping[str, Any]) -> Topology:
    """The topology in a YAML file.

    Args:
        path: The file.
        values: Parsed settings: rate, delay, loss, mtu, nodes.

    Raises:
        InputError: It cannot be read, is not of this form, or describes nothing possible.
    """
    origin = _document(path)
    _validate(origin)
    if "nodes" in values:
        _keep_nodes(origin, values["nodes"])
    return check(_Reader(origin, values).topology(path.stem), origin.where)


def _document(path: Path) -> Origin:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"a topology may have {LARGEST_FILE:,} bytes", where=Where(str(path)))
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"cannot read the topology: {why}", where=Where(str(path))) from None
    found = documents(text, str(path))
    if len(found) != 1:
        raise InputError("a topology is exactly one YAML document", where=Where(str(path)))
    source = Source(str(path), line=found[0].line)
    return Origin(source, found[0].value, found[0].lines)


def _validate(origin: Origin) -> None:
    import jsonschema

    validator = jsonschema.Draft202012Validator(SCHEMA)
    error = jsonschema.exceptions.best_match(validator.iter_errors(origin.root))
    if error is not None:
        raise InputError(error.message, where=origin.where(tuple(error.absolute_path)))


def _keep_nodes(origin: Origin, count: int) -> None:
    """Drops the nodes after the first ``count``, with their links."""
    nodes = [host["name"] for host in origin.root["hosts"] if host.get("role", "node") == "node"]
    if count > len(nodes):
        where = Where("--set", field="nodes")
        raise InputError(f"{origin.source.file} has {len(nodes)} nodes, not {count}", where=where)
    gone = set(nodes[count:])
    hosts, links = origin.root["hosts"], origin.root["links"]
    _drop(origin, hosts, [host["name"] in gone for host in hosts])
    _drop(origin, links, [bool(gone.intersection(link["ends"])) for link in links])


def _drop(origin: Origin, items: list[Any], gone: list[bool]) -> None:
    """Drops items in place; those that stay keep their lines."""
    kept = [i for i, dropped in enumerate(gone) if not dropped]
    lines = dict(origin.lines[id(items)])
    items[:] = [items[i] for i in kept]
    table = origin.lines[id(items)]
    assert isinstance(table, dict)  # noqa: S101 - as the YAML reader makes them
    table |= {new: lines[old] for new, old in enumerate(kept)}


class _Reader:
    """Builds the model from a document that the schema accepts."""

    def __init__(self, origin: Origin, values: Mapping[str, Any]) -> None:
        self._origin, self._root = origin, origin.root
        self._values = values
        self._switches = tuple(map(_switch, self._root.get("switches", ())))
        self._ports: dict[str, int] = defaultdict(int, {s.name: 1 for s in self._switches})
        self._ends: dict[str, list[Interface]] = defaultdict(list)
        self._wanted = {host["name"]: host.get("address") for host in self._root["hosts"]}

    def topology(self, stem: str) -> Topology:
        links = tuple(self._link(i, link) for i, link in enumerate(self._root["links"]))
        hosts = tuple(self._host(host) for host in self._root["hosts"])
        return Topology(self._root.get("name", stem), hosts, self._switches, links)

    def _link(self, index: int, link: Mapping[str, Any]) -> Link:
        addresses = link.get("addresses", {})
        for name in addresses:
            if name not in link["ends"]:
                where = self._origin.where(("links", index, "addresses", name))
                raise InputError(f"{name!r} is no end of this link", where=where)
        limits = {key: self._limit(key, index) for key in ("rate", "delay", "loss", "mtu")}
        limits["mtu"] = limits["mtu"] or DEFAULT_MTU
        (a, b), devices = link["ends"], []
        for end in (a, b):
            device = f"{end}-eth{self._ports[end]}"
            self._ports[end] += 1
            devices.append(device)
            address = addresses.get(end) or self._wanted.get(end)
            if address and address == self._wanted.get(end):
                self._wanted[end] = None
            self._ends[end].append(Interface(device, address, index, limits["mtu"]))
        return Link(a, devices[0], b, devices[1], **limits)

    def _limit(self, key: str, link: int) -> Any:
        """A link's own limit, else the setting's, else the file's default, else None."""
        path: tuple[str | int, ...]
        for path in (("links", link, key), ("defaults", key)):
            holder: Any = self._root
            for step in path[:-1]:
                holder = holder.get(step, {}) if isinstance(holder, dict) else holder[step]
            if path[0] == "defaults" and key in self._values:
                return self._values[key]
            if key in holder:
                return self._parsed(key, holder[key], path)
        return None

    def _parsed(self, key: str, value: Any, path: tuple[str | int, ...]) -> Any:
        try:
            return settings.PARSERS[key](str(value))
        except ValueError as error:
            hint = f"{str(error)[0].upper()}{str(error)[1:]}."
            where = self._origin.where(path)
            raise InputError(f"invalid value {value!r}", where=where, hint=hint) from None

    def _host(self, host: Mapping[str, Any]) -> Host:
        return Host(
            host["name"],
            host.get("role", "node"),
            tuple(self._ends[host["name"]]),
            gateway=host.get("gateway"),
            routes=tuple((route["to"], tuple(route["via"])) for route in host.get("routes", ())),
            zone=host.get("zone"),
            asn=host.get("asn"),
        )


def _switch(item: str | Mapping[str, Any]) -> Switch:
    return Switch(item) if isinstance(item, str) else Switch(**item)
