"""A topology written as YAML.

::

    name: edge                    # by default the file's stem
    defaults: {mtu: 1500}         # of links that say nothing else: what a link may have
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
        mtu: 1400
        rate: 50Mbit                      # this and all that follows: each way
        limit: 100                        # packets that wait for the line
        delay: 10ms
        jitter: 2ms
        distribution: normal              # of the jitter; uniform by default
        loss: 0.1%
        reorder: 1%
        duplicate: 0.1%
        corrupt: 0.1%

A host's ``address`` is that of its first link without one in ``addresses``. Interfaces are named
as Mininet names them: ``n1-eth0``, and from ``eth1`` on at switches. The settings of links
(:data:`~testbed.topology.settings.LINK_KEYS`) take the place of ``defaults``, and ``nodes=N`` keeps
the first N nodes of the file. What the limits mean is in :mod:`testbed.topology.limits`.
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
from testbed.topology.chosen import Values, choose
from testbed.topology.model import (
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
_LIMITS = dict.fromkeys(settings.LINK_KEYS, _QUANTITY)
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


def read(path: Path, values: Values) -> Topology:
    """The topology in a YAML file.

    Args:
        path: The file.
        values: Parsed settings: ``nodes``, ``switches``, and those of links.

    Raises:
        InputError: It cannot be read, is not of this form, or describes nothing possible.
    """
    origin = _document(path)
    _validate(origin)
    if "nodes" in values:
        _keep_nodes(origin, values["nodes"])
    topology = _Reader(origin, values).topology(path.stem)
    return check(topology.with_switches(values.get("switches")), origin.where)


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

    def __init__(self, origin: Origin, values: Values) -> None:
        self._origin, self._root = origin, origin.root
        self._chosen = choose(values, [tuple(link["ends"]) for link in self._root["links"]])
        self._defaults = self._said(self._root.get("defaults", {}), "defaults")
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
        own, place = self._said(link, "links", index), self._origin.where(("links", index))
        limits, mtu = self._chosen.link(index, own, self._defaults, place)
        (a, b), devices = link["ends"], []
        for end in (a, b):
            device = f"{end}-eth{self._ports[end]}"
            self._ports[end] += 1
            devices.append(device)
            address = addresses.get(end) or self._wanted.get(end)
            if address and address == self._wanted.get(end):
                self._wanted[end] = None
            self._ends[end].append(Interface(device, address, index, mtu))
        return Link(a, devices[0], b, devices[1], mtu, limits)

    def _said(self, holder: Mapping[str, Any], *path: str | int) -> Values:
        """The values that a link, or the defaults, have in the file."""
        return {
            key: settings.read(key, holder[key], self._origin.where((*path, key)))
            for key in settings.LINK_KEYS
            if key in holder
        }

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
