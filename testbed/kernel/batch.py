"""Items of a plan to the netlink messages of one namespace, in the order that the kernel needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from testbed.kernel import netlink
from testbed.kernel.netns import Message, NetNs
from testbed.plan.model import Bridge, Link, NamespacePlan, Route, Veth, Vxlan

_POD_INDEX = 100  # of eth0 in a new namespace: above what drivers put into each (lo, tunl0, sit0 …)


def links(netns: NetNs, part: NamespacePlan, all_netns: Mapping[str, NetNs]) -> Iterator[Message]:
    """Makes the namespace's links, veth peers straight in their own namespaces, and sets them up.

    The thread must be in the namespace. A veth cannot be made up (ENOTCONN: its peer is not there
    yet), so a second message does that.
    """
    for port in part.ports:
        yield port, netlink.port(port, netns.index(port.device))
    for item in part.links:
        yield item, _new_link(netns, item, all_netns)
        yield item, netlink.set_up(netns.index(item.name))
        if isinstance(item, Veth) and item.hairpin:
            yield item, netlink.hairpin(netns.index(item.name))


def _new_link(netns: NetNs, item: Link, all_netns: Mapping[str, NetNs]) -> bytes:
    index = netns.allocate(item.name)
    if isinstance(item, Bridge):
        return netlink.bridge(item, index)
    if isinstance(item, Vxlan):
        return netlink.vxlan(item, index, netns.index(item.parent))
    peer = all_netns[item.peer_namespace]
    peer.allocate(item.peer, _POD_INDEX)
    master = None if item.master is None else netns.index(item.master)
    return netlink.veth(item, index, _POD_INDEX, peer.descriptor, master)


def up(netns: NetNs, devices: tuple[str, ...]) -> Iterator[Message]:
    """Sets devices up that exist already."""
    for device in devices:
        yield device, netlink.set_up(netns.index(device))


def layer3(netns: NetNs, part: NamespacePlan, *, again: bool = False) -> Iterator[Message]:
    """Adds addresses, ARP and forwarding entries, and routes; the thread must be inside.

    With ``again`` some of the entries and routes may still be there.
    """
    for address in part.addresses:
        yield address, netlink.address(address, netns.index(address.device))
    for neighbour in part.neighbours:
        yield neighbour, netlink.neighbour(neighbour, netns.index(neighbour.device))
    for fdb in part.fdb:
        yield fdb, netlink.fdb(fdb, netns.index(fdb.device))
    for route in part.routes:
        yield route, netlink.route(route, _hops(netns, route), replace=again)
    for rule in part.routing_rules:
        yield rule, netlink.routing_rule(rule)


def removal(netns: NetNs, part: NamespacePlan) -> Iterator[Message]:
    """Removes what ``links`` and ``layer3`` add, in the opposite order.

    A link takes its addresses and routes with it, so those of removed links are left out.
    """
    gone = {item.name for item in part.links}
    yield from _unrouted(netns, part, gone)
    for fdb in part.fdb:
        if fdb.device not in gone:
            yield fdb, netlink.fdb(fdb, netns.index(fdb.device), delete=True)
    for neighbour in part.neighbours:
        if neighbour.device not in gone:
            yield (
                neighbour,
                netlink.neighbour(neighbour, netns.index(neighbour.device), delete=True),
            )
    for address in part.addresses:
        if address.device not in gone:
            yield address, netlink.address(address, netns.index(address.device), delete=True)
    for item in part.links:
        yield item, netlink.delete_link(netns.index(item.name))


def _unrouted(netns: NetNs, part: NamespacePlan, gone: set[str]) -> Iterator[Message]:
    """Removes rules and routes."""
    for rule in part.routing_rules:
        yield rule, netlink.routing_rule(rule, delete=True)
    for route in part.routes:
        if not gone & {hop.device for hop in route.next_hops}:
            yield route, netlink.route(route, _hops(netns, route), delete=True)


def _hops(netns: NetNs, route: Route) -> list[int | None]:
    return [None if hop.device is None else netns.index(hop.device) for hop in route.next_hops]


def present(netns: NetNs, part: NamespacePlan) -> NamespacePlan:
    """What of a part can be there: what its device is there for; the thread must be inside."""
    there = netns.devices()
    return replace(
        part,
        links=tuple(link for link in part.links if link.name in there),
        addresses=tuple(item for item in part.addresses if item.device in there),
        neighbours=tuple(item for item in part.neighbours if item.device in there),
        fdb=tuple(item for item in part.fdb if item.device in there),
        routes=tuple(
            route
            for route in part.routes
            if {hop.device for hop in route.next_hops if hop.device is not None} <= there
        ),
    )


def without_links_of(netns: NetNs, part: NamespacePlan) -> NamespacePlan:
    """A part without those links that are there; the thread must be inside."""
    there = netns.devices()
    return replace(part, links=tuple(link for link in part.links if link.name not in there))
