"""A Mininet ``Topo`` object to a :class:`~testbed.topology.model.Topology`.

Read are Mininet's own options, so that most existing ``Topo`` classes can be used: of hosts ``ip``
(with prefix length) and ``defaultRoute`` (``via ADDRESS``); of links ``bw`` (Mbit/s), ``delay``,
``jitter``, ``loss`` (per cent), ``max_queue_size``, ``ifconfig`` (``mtu N``), ``intfName1`` and
``params1``'s ``ip``, and the same for the other end. To these come, as host options: ``role``
(``node`` by default), ``zone``, ``asn`` and ``routes``; and as link options ``distribution``,
``reorder``, ``duplicate`` and ``corrupt`` (these in per cent). A switch whose ``cls`` is one of
Mininet's OVSSwitch classes is an Open vSwitch; any other is a Linux bridge. Interfaces get the
names that Mininet would give them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.topology import settings
from testbed.topology.chosen import Chosen, Values, choose
from testbed.topology.model import (
    ROLES,
    Host,
    Interface,
    Link,
    Switch,
    SwitchKind,
    Topology,
)


def from_topo(name: str, topo: Any, values: Values, where: Where) -> Topology:
    """The data of a Mininet ``Topo``, unchecked.

    Args:
        name: What the topology is called.
        topo: An instance of ``mininet.topo.Topo``.
        values: Parsed settings of links; others are left alone.
        where: Where the topology came from, for errors.

    Raises:
        InputError: An option has a value that this module does not understand.
    """
    infos = [info for _, _, info in topo.links(sort=True, withInfo=True)]
    chosen = choose(values, [(info["node1"], info["node2"]) for info in infos])
    links: list[Link] = []
    interfaces: dict[str, list[tuple[int, Interface]]] = defaultdict(list)
    for index, info in enumerate(infos):
        link = _link(index, info, chosen, where)
        for end, device in ((1, link.a_interface), (2, link.b_interface)):
            address = (info.get(f"params{end}") or {}).get("ip")
            interface = Interface(device, address, index, link.mtu)
            interfaces[info[f"node{end}"]].append((info[f"port{end}"], interface))
        links.append(link)
    hosts = tuple(
        _host(host, topo.nodeInfo(host), interfaces[host], where) for host in topo.hosts()
    )
    switches = tuple(Switch(name, _kind(topo.nodeInfo(name))) for name in topo.switches())
    return Topology(name, hosts, switches, tuple(links))


def _kind(info: Mapping[str, Any]) -> SwitchKind:
    # By name: importing mininet.node for the sake of every topology would cost 30 ms.
    ancestors = getattr(info.get("cls"), "__mro__", ())
    is_ovs = any(ancestor.__name__ == "OVSSwitch" for ancestor in ancestors)
    return "openvswitch" if is_ovs else "bridge"


def _link(index: int, info: Mapping[str, Any], chosen: Chosen, where: Where) -> Link:
    a, b = info["node1"], info["node2"]
    try:
        own = _said(info)
    except (ValueError, TypeError) as error:
        raise InputError(f"options of the link {a}-{b}: {error}", where=where) from None
    limits, mtu = chosen.link(index, own, {}, Where(where.file, field=f"{a}-{b}"))
    return Link(
        a,
        info.get("intfName1") or f"{a}-eth{info['port1']}",
        b,
        info.get("intfName2") or f"{b}-eth{info['port2']}",
        mtu=mtu,
        limits=limits,
    )


def _said(info: Mapping[str, Any]) -> Values:
    """What a link says itself.

    Raises:
        ValueError: An option has a wrong value.
        TypeError: It is of a wrong type.
    """
    own = {
        key: read(str(info[option]))
        for option, (key, read) in _OPTIONS.items()
        if info.get(option) is not None
    }
    device = re.search(r"\bmtu (\d+)", str(info.get("ifconfig", "")))
    return own | ({"mtu": settings.mtu(device[1])} if device else {})


def _rate(bw: str) -> float:
    return settings.rate(f"{float(bw) * 1e6:.3f}")


def _per_cent(text: str) -> float:
    return settings.share(f"{text}%")


def _with_unit(delay: str) -> str:
    """A bare number is in microseconds for tc(8), to which Mininet hands it."""
    return delay if delay[-1:].isalpha() else f"{delay}us"


_OPTIONS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "bw": ("rate", _rate),
    "max_queue_size": ("limit", settings.PARSERS["limit"]),
    "delay": ("delay", lambda text: settings.delay(_with_unit(text))),
    "jitter": ("jitter", lambda text: settings.jitter(_with_unit(text))),
    "distribution": ("distribution", settings.distribution),
    "loss": ("loss", _per_cent),
    "reorder": ("reorder", _per_cent),
    "duplicate": ("duplicate", _per_cent),
    "corrupt": ("corrupt", _per_cent),
}
"""Option of a link → the key of :data:`~testbed.topology.settings.LINK_KEYS`, and how to read it.

The first four and ``loss`` are those of Mininet's ``TCIntf.config`` (``mininet/link.py``).
"""


def _host(
    name: str, info: Mapping[str, Any], ends: list[tuple[int, Interface]], where: Where
) -> Host:
    role = info.get("role", "node")
    if role not in ROLES:
        raise unknown(f"role of {name!r}", str(role), ROLES, where)
    ordered = [interface for _, interface in sorted(ends, key=lambda end: end[0])]
    if ordered and ordered[0].address is None and info.get("ip"):
        first = ordered[0]
        ordered[0] = Interface(first.name, str(info["ip"]), first.link, first.mtu)
    via = re.search(r"\bvia (\S+)", str(info.get("defaultRoute") or ""))
    return Host(
        name,
        role,
        tuple(ordered),
        gateway=via[1] if via else None,
        routes=tuple((to, tuple(hops)) for to, hops in info.get("routes", ())),
        zone=info.get("zone"),
        asn=info.get("asn"),
    )
