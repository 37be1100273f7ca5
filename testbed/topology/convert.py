"""A Mininet ``Topo`` object to a :class:`~testbed.topology.model.Topology`.

Read are Mininet's own options, so that most existing ``Topo`` classes can be used: of hosts ``ip``
(with prefix length) and ``defaultRoute`` (``via ADDRESS``); of links ``bw`` (Mbit/s), ``delay``,
``loss`` (per cent), ``ifconfig`` (``mtu N``), ``intfName1`` and ``params1``'s ``ip``, and the same
for the other end. To these come, as host options: ``role`` (``node`` by default), ``zone``,
``asn`` and ``routes``. A switch whose ``cls`` is one of Mininet's OVSSwitch classes is an Open
vSwitch; any other is a Linux bridge. Interfaces get the names that Mininet would give them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.topology import settings
from testbed.topology.model import (
    DEFAULT_MTU,
    ROLES,
    Host,
    Interface,
    Link,
    Switch,
    SwitchKind,
    Topology,
)


def from_topo(name: str, topo: Any, where: Where) -> Topology:
    """The data of a Mininet ``Topo``, unchecked.

    Args:
        name: What the topology is called.
        topo: An instance of ``mininet.topo.Topo``.
        where: Where it came from, for errors.

    Raises:
        InputError: An option has a value that this module does not understand.
    """
    links: list[Link] = []
    interfaces: dict[str, list[tuple[int, Interface]]] = defaultdict(list)
    for _, _, info in topo.links(sort=True, withInfo=True):
        try:
            link = _link(info)
        except (ValueError, TypeError) as error:
            ends = f"{info['node1']}-{info['node2']}"
            raise InputError(f"options of the link {ends}: {error}", where=where) from None
        for end, device in ((1, link.a_interface), (2, link.b_interface)):
            address = (info.get(f"params{end}") or {}).get("ip")
            interface = Interface(device, address, len(links), link.mtu)
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


def _link(info: Mapping[str, Any]) -> Link:
    device = re.search(r"\bmtu (\d+)", str(info.get("ifconfig", "")))
    rate, delay, loss = info.get("bw"), info.get("delay"), info.get("loss")
    return Link(
        info["node1"],
        info.get("intfName1") or f"{info['node1']}-eth{info['port1']}",
        info["node2"],
        info.get("intfName2") or f"{info['node2']}-eth{info['port2']}",
        rate=None if rate is None else round(float(rate) * 1e6, 3),
        delay=None if delay is None else settings.delay(_with_unit(str(delay))),
        loss=None if loss is None else settings.loss(f"{loss}%"),
        mtu=settings.mtu(device[1]) if device else DEFAULT_MTU,
    )


def _with_unit(delay: str) -> str:
    """A bare number is in microseconds for tc(8), to which Mininet hands it."""
    return delay if delay[-1:].isalpha() else f"{delay}us"


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
