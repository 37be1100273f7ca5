"""``nftables-flat``: kube-proxy's nftables mode with no chain and no set per Service.

The table, its hooks and what it does to every packet are kube-proxy's. But what differs from one
Service to the next is data, in maps that are there anyway, and not code::

    services → service-ips: 10.96.0.10 . tcp . 80 → tcp-internal-2
      not from a pod: marked, to be masqueraded
      tcp-endpoints: 10.96.0.10 . 80 . (0 or 1 by chance) → 10.244.1.2 . 8080
    masquerading: translated, and from 10.244.1.2 to 10.244.1.2: marked
                  what is marked is masqueraded

So a Service with two endpoints is four elements of hash tables, where kube-proxy has four chains
with five rules and an anonymous map, and a change of it costs the kernel the change and not a walk
through everything that is there. See :mod:`testbed.proxy.modes._flatchains` for the chains and for
affinity, and ``docs/nftables-flat.md`` for the design.

Source of what it does: ``pkg/proxy/nftables/proxier.go``, Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256

from testbed.cluster.categorize import Categorized, Endpoints
from testbed.cluster.serviceview import Endpoint, ServicePortInfo, ServicePortName
from testbed.proxy import options, timeouts
from testbed.proxy.contract import ProxyMode, ProxyNode, Step
from testbed.proxy.modes import _flatbase as flat
from testbed.proxy.modes import _flatchains as chains
from testbed.proxy.modes import _nftbase as base
from testbed.proxy.modes import _nftload as load
from testbed.proxy.modes._flatchains import ADDRESS, NODE_PORT, SHORT, Place
from testbed.proxy.modes._nftfragment import Chain, Fragment
from testbed.proxy.modes._nftport import Claims, Port, sources
from testbed.proxy.nft import Element

CHUNK = 1000
"""Ports of a transaction of a full load: with 5,000 the maps take the kernel six times as long."""

_NUMBERS = 1 << 30  # of endpoints with affinity; above it bits that mark them as no tc class


class NftablesFlatMode(ProxyMode):
    """See the module's text."""

    summary = "nftables with no chain and no set per Service"
    needs: tuple[str, ...] = ("nft", "nftables", "nft-numgen-keys", "conntrack")
    settings: Mapping[str, str] = options.COMMON
    primary_node_ports = True

    def check(self, settings: Mapping[str, str]) -> None:
        """See :func:`testbed.proxy.options.check`.

        Raises:
            InputError: A value means nothing.
        """
        options.check(settings)

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> Fragment:
        """The elements of a port, and the chains that it needs to be there."""
        return _Service(node, Port(name, info, chosen)).fragment()

    def full(
        self, node: ProxyNode, fragments: Mapping[ServicePortName, Fragment]
    ) -> tuple[Step, ...]:
        """The table, the ports, the hooks."""
        steps = load.full(flat.table(node), fragments, CHUNK, base.hooks())
        return (*timeouts.CONNECTIONS, *steps)

    def change(
        self,
        node: ProxyNode,
        fragments: Mapping[ServicePortName, Fragment],
        old: Mapping[ServicePortName, Fragment],
        new: Mapping[ServicePortName, Fragment],
    ) -> tuple[Step, ...]:
        """One transaction."""
        return load.change(fragments, old, new)


class _Service:
    """The elements of one port."""

    def __init__(self, node: ProxyNode, port: Port) -> None:
        self._node, self._port, self._info = node, port, port.info
        self._address, self._node_port = ADDRESS[port.protocol], NODE_PORT[port.protocol]
        sticky = port.info.affinity_seconds
        self._numbers = _numbers(port.name, port.chosen.reachable) if sticky else {}

    def fragment(self) -> Fragment:
        """All of it."""
        port, claims = self._port, Claims(self._port)
        inside = self._inside()
        outside, node_port = self._outside(self._address), self._outside(self._node_port)
        claims.dispatch(*(one[-1].name if one else "" for one in (inside, outside, node_port)))
        claims.add(port.cluster_key, *self._throw(self._address, port.cluster_key, port.inside))
        for key in port.outside_keys if outside else ():
            claims.add(key, *self._throw_outside(self._address, key))
        if port.node_key and node_port:
            claims.add(port.node_key, *self._throw_outside(self._node_port, port.node_key))
        for key in port.guarded_keys:
            claims.add(key, *self._guard(key))
        used = (*inside, *(outside if port.outside_keys else ()), *node_port)
        return Fragment(claims.done(), self._shared(), tuple(dict.fromkeys(used)))

    def _inside(self) -> tuple[Chain, ...]:
        count = len(self._port.inside)
        seconds = self._info.affinity_seconds
        return chains.internal(self._node, self._address, count, seconds) if count else ()

    def _outside(self, place: Place) -> tuple[Chain, ...]:
        port, seconds = self._port, self._info.affinity_seconds
        if not port.has_outside_chain or (place == self._node_port and not port.node_key):
            return ()
        own = len(port.outside)
        if not self._info.external_policy_local:
            return chains.external(place, own, seconds)
        return chains.local(self._node, place, len(port.chosen.cluster), own, seconds)

    def _throw_outside(self, place: Place, key: str) -> Iterator[Element]:
        yield from self._throw(place, key, self._port.outside)
        if self._info.external_policy_local:
            yield from self._throw(place, key, self._port.chosen.cluster, SHORT)

    def _throw(self, place: Place, key: str, ends: Endpoints, first: int = 0) -> Iterator[Element]:
        """The elements by which an endpoint is chosen, from a place on."""
        key = place.short(key)
        for index, end in enumerate(ends, first):
            to, number = f"{end.ip} . {end.port}", self._numbers.get(end)
            if number is None:
                yield Element(f"{place.prefix}endpoints", f"{key} . {index}", to)
            else:
                yield Element(f"{place.prefix}session-ids", f"{key} . {index}", number)
                yield Element(f"{place.prefix}session-endpoints", f"{key} . {number}", to)

    def _guard(self, key: str) -> Iterator[Element]:
        yield Element("firewall-ips", key, f"goto {flat.GUARD}")
        for source in sources(self._node, self._info):
            yield Element("firewall-sources", f"{key} . {source}")

    def _shared(self) -> frozenset[Element]:
        pairs = (Element("hairpin", f"{e.ip} . {e.ip}") for e in self._port.chosen.reachable)
        return frozenset((Element("cluster-ips", self._info.cluster_ip), *pairs))


def _numbers(name: ServicePortName, ends: Endpoints) -> dict[Endpoint, str]:
    """A number for each endpoint, as the handle of a traffic class, which a priority is.

    It depends on the port and the endpoint alone. Two endpoints of one port never have the same;
    two of different ports might, one time in a thousand million: a client of both would then begin
    with the second where the first sent it.
    """
    found: dict[str, Endpoint] = {}
    for end in ends:
        number = _number(f"{name}/{name.protocol}/{end}")
        while number in found:
            number = _number(number)
        found[number] = end
    return {end: number for number, end in found.items()}


def _number(text: str) -> str:
    value = int.from_bytes(sha256(text.encode()).digest()[:4]) % _NUMBERS + 3 * _NUMBERS
    return f"{value >> 16:x}:{value & 0xFFFF:x}"


mode: ProxyMode = NftablesFlatMode()
