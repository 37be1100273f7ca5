"""``nftables``: kube-proxy's own, chain by chain.

A packet to cluster IP 10.96.0.10, port 80, of Service ``default/web``::

    services → service-ips: 10.96.0.10 . tcp . 80 → service-HASH-default/web/tcp/
      not from a pod: marked, to be masqueraded
      affinity: the client is in affinity-HASH-…__10.244.1.2/80 → endpoint-HASH-…__10.244.1.2/80
      one of the endpoints by chance → endpoint-HASH-default/web/tcp/__10.244.1.2/80
        from 10.244.1.2 itself: marked, to be masqueraded
        to 10.244.1.2:80

Other addresses and node ports lead to ``external-HASH-…`` first, which marks (policy Cluster), or
sends what pods and the node sent to ``service-…`` and all else to ``local-…`` (policy Local).

A change is one small transaction. A full load is one for each 250 ports: in one of 10,000 Services
the kernel needs five times as long.

Unlike kube-proxy, chains that are not needed any more are deleted at once, which kernels before 6.1
could not do (kube-proxy empties them and deletes them later), and ranges of
``loadBalancerSourceRanges`` that overlap are merged, which kube-proxy leaves to nft.

Source: ``pkg/proxy/nftables/proxier.go``, Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from testbed.cluster.categorize import Categorized, Endpoints
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.proxy import options, timeouts
from testbed.proxy.contract import ProxyMode, ProxyNode, Step
from testbed.proxy.modes import _nftbase as base
from testbed.proxy.modes import _nftload as load
from testbed.proxy.modes import _nftnames as names
from testbed.proxy.modes._nftfragment import Affinity, Chain, Fragment
from testbed.proxy.modes._nftport import Claims, Port, sources
from testbed.proxy.nft import Element

CHUNK = 250
"""Ports of a transaction of a full load."""


class NftablesMode(ProxyMode):
    """See the module's text."""

    summary = "kube-proxy's nftables mode"
    needs: tuple[str, ...] = ("nft", "nftables", "conntrack")
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
        """The chains of a port, and its elements in the maps."""
        return _Service(node, Port(name, info, chosen)).fragment()

    def full(
        self, node: ProxyNode, fragments: Mapping[ServicePortName, Fragment]
    ) -> tuple[Step, ...]:
        """The table, the ports in chunks, the hooks."""
        steps = load.full(base.table(node), fragments, CHUNK, base.hooks())
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
    """The rules of one port."""

    def __init__(self, node: ProxyNode, port: Port) -> None:
        self._node, self._port, self._info = node, port, port.info
        self._name = names.service(port.name)
        self._sticky = bool(port.info.affinity_seconds)
        ends = port.chosen.reachable
        self._ends = {end: names.endpoint(port.name, end) for end in ends}

    def fragment(self) -> Fragment:
        """All of it."""
        info, claims = self._info, Claims(self._port)
        inside = names.LOCAL if info.internal_policy_local else names.SERVICE
        outside = names.EXTERNAL + self._name
        claims.dispatch(inside + self._name, outside, outside)
        for key in self._port.guarded_keys:
            firewall = f"goto {names.FIREWALL}{self._name}"
            claims.add(key, Element("firewall-ips", key, firewall))
        shared = frozenset({Element("cluster-ips", info.cluster_ip)})
        return Fragment(claims.done(), shared, tuple(self._chains()), self._affinities())

    def _affinities(self) -> tuple[Affinity, ...]:
        seconds, ends = self._info.affinity_seconds, self._ends.values()
        return tuple(Affinity(names.AFFINITY + end, seconds) for end in ends if seconds)

    def _chains(self) -> Iterator[Chain]:
        """Those to which others go come first."""
        info, chosen = self._info, self._port.chosen
        for end, name in self._ends.items():
            yield Chain(names.ENDPOINT + name, tuple(self._endpoint(end.ip, str(end), name)))
        if chosen.cluster and info.uses_cluster_endpoints:
            yield self._policy(names.SERVICE, chosen.cluster, not info.internal_policy_local)
        if chosen.local and info.uses_local_endpoints:
            yield self._policy(names.LOCAL, chosen.local, info.internal_policy_local)
        if self._port.has_outside_chain:
            yield Chain(names.EXTERNAL + self._name, tuple(self._external()))
        if self._port.guarded_keys:
            ranges = " , ".join(sources(self._node, info))
            yield Chain(names.FIREWALL + self._name, (f"ip saddr != {{ {ranges} }} drop",))

    def _endpoint(self, ip: str, end: str, name: str) -> Iterator[str]:
        yield f"ip saddr {ip} {base.MASQUERADE}"
        if self._sticky:
            yield f"update @{names.AFFINITY}{name} {{ ip saddr }}"
        yield f"meta l4proto {self._port.protocol} dnat to {end}"

    def _policy(self, prefix: str, ends: Endpoints, inside: bool) -> Chain:
        """The chain that chooses an endpoint; the one of traffic from inside marks, too."""
        rules = [*self._inside()] if inside else []
        mine = [self._ends[end] for end in ends]
        if self._sticky:
            rules += [f"ip saddr @{names.AFFINITY}{n} goto {names.ENDPOINT}{n}" for n in mine]
        choices = " , ".join(f"{i} : goto {names.ENDPOINT}{n}" for i, n in enumerate(mine))
        rules.append(f"numgen random mod {len(mine)} vmap {{ {choices} }}")
        return Chain(prefix + self._name, tuple(rules))

    def _inside(self) -> Iterator[str]:
        to = f"ip daddr {self._info.cluster_ip}"
        if options.flag(self._node.settings, "masquerade_all"):
            yield f"{to} {base.MASQUERADE}"
        elif elsewhere := base.from_elsewhere(self._node):
            yield f"{to} {elsewhere} {base.MASQUERADE}"

    def _external(self) -> Iterator[str]:
        every = names.SERVICE + self._name
        if not self._info.external_policy_local:
            yield base.MASQUERADE
            yield f"goto {every}"
            return
        if pods := base.from_pods(self._node):
            yield f'{pods} goto {every} comment "short-circuit pod traffic"'
        yield f'fib saddr type local {base.MASQUERADE} comment "masquerade local traffic"'
        yield f'fib saddr type local goto {every} comment "short-circuit local traffic"'
        if self._port.outside:
            yield f"goto {names.LOCAL}{self._name}"


mode: ProxyMode = NftablesMode()
