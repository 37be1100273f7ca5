"""The rules of one port of a Service, as kube-proxy writes them in its iptables mode.

=================  =================================================================
chain              what for
=================  =================================================================
``KUBE-SVC-HASH``  choice among the endpoints of the policy Cluster
``KUBE-SVL-HASH``  choice among the node's own endpoints, of the policy Local
``KUBE-EXT-HASH``  what came to an external address: masquerade, short circuit
``KUBE-FW-HASH``   source ranges of the load balancer's addresses
``KUBE-SEP-HASH``  one endpoint: hairpin, affinity, DNAT
=================  =================================================================

A port without usable endpoint has none of them, but rules in ``filter`` that reject what is sent to
it; one that has endpoints, but none that the node may use, drops it.

Source: ``pkg/proxy/iptables/proxier.go`` (``syncProxyRules``, ``writeServiceToEndpointRules``),
Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import Endpoint, ServicePortInfo, ServicePortName
from testbed.proxy import options
from testbed.proxy.contract import ProxyNode
from testbed.proxy.modes import _iptables_names as names
from testbed.proxy.modes._iptables_names import EXTERNAL_SERVICES, MARK_MASQ, NODE_PORTS, SERVICES

OPTIONAL = "\0"
"""Encloses comments of rules that are left out where there are many endpoints."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What a node needs for a port.

    Attributes:
        filter: Rules of the common chains of ``filter``, without ``-A``.
        common: Rules of the common chains of ``nat``, without ``-A``.
        chains: The port's own chains, in ``nat``.
        rules: Their rules, each a line; some have a part in :data:`OPTIONAL`.
        endpoints: How many endpoints it has.
    """

    filter: tuple[str, ...]
    common: tuple[str, ...]
    chains: tuple[str, ...]
    rules: str
    endpoints: int


def fragment(
    node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
) -> Fragment:
    """The rules of a port on a node."""
    port = _Port(node, name, info, chosen)
    own = list(port.own())
    return Fragment(
        tuple(port.filter()),
        tuple(port.common()),
        tuple(dict.fromkeys(port.chains())),
        "".join(f"-A {rule}\n" for rule in own),
        len(chosen.reachable),
    )


class _Port:
    """The rules of a port, group by group."""

    def __init__(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> None:
        self.node, self.info, self.chosen = node, info, chosen
        self.title, self.protocol = str(name), name.protocol.lower()
        ending = names.port_hash(name)
        self.cluster, self.local = f"KUBE-SVC-{ending}", f"KUBE-SVL-{ending}"
        self.external, self.firewall = f"KUBE-EXT-{ending}", f"KUBE-FW-{ending}"
        self.endpoints = {one: names.endpoint_chain(name, str(one)) for one in chosen.reachable}
        self.internal = self.local if info.internal_policy_local else self.cluster
        self.has_internal = chosen.has_any and not (info.internal_policy_local and not chosen.local)
        self.has_external = chosen.has_any and not (info.external_policy_local and not chosen.local)
        self.has_firewall = bool(chosen.has_any and info.load_balancer_vips and info.source_ranges)
        self.match = f"-m {self.protocol} -p {self.protocol}"

    def _to(self, address: str) -> str:
        return f"{self.match} -d {address} --dport {self.info.port}"

    def filter(self) -> Iterator[str]:
        """Of the common chains of ``filter``."""
        info, absent = self.info, self._absent()
        if not self.has_internal:
            yield f"{SERVICES} {absent[0]} {self._to(info.cluster_ip)} -j {absent[1]}"
        if self.has_firewall:
            comment = f'-m comment --comment "{self.title} traffic not accepted by {self.firewall}"'
            for vip in info.load_balancer_vips:
                yield f"{names.PROXY_FIREWALL} {comment} {self._to(vip)} -j DROP"
        if not self.has_external:
            for address in (*info.external_ips, *info.load_balancer_vips):
                yield f"{EXTERNAL_SERVICES} {absent[0]} {self._to(address)} -j {absent[1]}"
            if info.node_port:
                yield (
                    f"{EXTERNAL_SERVICES} {absent[0]} -m addrtype --dst-type LOCAL"
                    f" {self.match} --dport {info.node_port} -j {absent[1]}"
                )
        if info.health_check_node_port:
            yield (
                f'{NODE_PORTS} -m comment --comment "{self.title} health check node port"'
                f" -m tcp -p tcp --dport {info.health_check_node_port} -j ACCEPT"
            )

    def _absent(self) -> tuple[str, str]:
        """Comment and target of what cannot be served: rejected if nobody can serve it."""
        if self.chosen.has_any:
            return f'-m comment --comment "{self.title} has no local endpoints"', "DROP"
        return f'-m comment --comment "{self.title} has no endpoints"', "REJECT"

    def common(self) -> Iterator[str]:
        """Of the common chains of ``nat``: which address leads to which chain."""
        info, comment = self.info, f'-m comment --comment "{self.title}'
        if self.has_internal:
            yield f'{SERVICES} {comment} cluster IP" {self._to(info.cluster_ip)} -j {self.internal}'
        if not self.chosen.has_any:
            return
        for address in info.external_ips:
            yield f'{SERVICES} {comment} external IP" {self._to(address)} -j {self.external}'
        balanced = self.firewall if self.has_firewall else self.external
        for vip in info.load_balancer_vips:
            yield f'{SERVICES} {comment} loadbalancer IP" {self._to(vip)} -j {balanced}'
        if info.node_port:
            to_port = f"{self.match} --dport {info.node_port}"
            yield f'{NODE_PORTS} {comment}" {to_port} -j {self.external}'

    def chains(self) -> Iterator[str]:
        """The chains that are the port's own."""
        info, chosen = self.info, self.chosen
        if chosen.has_any and info.externally_accessible:
            yield self.external
        if self.has_firewall:
            yield self.firewall
        if chosen.cluster:
            yield self.cluster
        if chosen.local:
            yield self.local
        yield from self.endpoints.values()

    def own(self) -> Iterator[str]:
        """The rules of these chains."""
        info, chosen = self.info, self.chosen
        if self.has_internal:
            yield from self._masquerade_internal()
        if chosen.has_any and info.externally_accessible:
            yield from self._external()
        if self.has_firewall:
            yield from self._ranges()
        if chosen.cluster:
            yield from self._choice(self.cluster, chosen.cluster)
        if chosen.local:
            yield from self._choice(self.local, chosen.local)
        for endpoint, chain in self.endpoints.items():
            yield from self._endpoint(endpoint, chain)

    def _masquerade_internal(self) -> Iterator[str]:
        """What comes to the cluster IP from outside may be sent on to another node."""
        settings = self.node.settings
        start = f'{self.internal} -m comment --comment "{self.title} cluster IP"'
        start = f"{start} {self._to(self.info.cluster_ip)}"
        if options.flag(settings, "masquerade_all"):
            yield f"{start} -j {MARK_MASQ}"
        elif options.flag(settings, "detect_local"):
            yield f"{start} ! -s {self.node.pod_cidr} -j {MARK_MASQ}"

    def _external(self) -> Iterator[str]:
        """External addresses; the policy Local lets pods and the node itself go anywhere."""
        chain, to = self.external, f'for {self.title} external destinations"'
        if not self.info.external_policy_local:
            yield f'{chain} -m comment --comment "masquerade traffic {to} -j {MARK_MASQ}'
        else:
            if options.flag(self.node.settings, "detect_local"):
                yield (
                    f'{chain} -m comment --comment "pod traffic {to} -s {self.node.pod_cidr}'
                    f" -j {self.cluster}"
                )
            for what, target in (("masquerade", MARK_MASQ), ("route", self.cluster)):
                yield (
                    f'{chain} -m comment --comment "{what} LOCAL traffic {to}'
                    f" -m addrtype --src-type LOCAL -j {target}"
                )
        if self.has_external:
            policy = self.local if self.info.external_policy_local else self.cluster
            yield f"{chain} -j {policy}"

    def _ranges(self) -> Iterator[str]:
        """Who may use the load balancer's addresses; who may not is left to ``filter``."""
        info, chain = self.info, self.firewall
        start = f'{chain} -m comment --comment "{self.title} loadbalancer IP"'
        for source in info.source_ranges:
            yield f"{start} -s {source} -j {self.external}"
        own = ip_address(self.node.addresses[0])
        if any(own in ip_network(source) for source in info.source_ranges):
            # The node's own packets to the address have it as their source, too.
            for vip in info.load_balancer_vips:
                yield f"{start} -s {vip} -j {self.external}"
        yield (
            f'{chain} -m comment --comment "other traffic to {self.title} will be dropped by'
            f' {names.PROXY_FIREWALL}"'
        )

    def _choice(self, chain: str, endpoints: tuple[Endpoint, ...]) -> Iterator[str]:
        """Affinity first, then each endpoint with the same probability."""
        seconds, left = self.info.affinity_seconds, len(endpoints)
        for one in endpoints if seconds else ():
            target = self.endpoints[one]
            yield (
                f"{chain}{self._toward(one)} -m recent --name {target} --rcheck"
                f" --seconds {seconds} --reap -j {target}"
            )
        for one in endpoints:
            chance = (
                f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
            )
            yield f"{chain}{self._toward(one)}{chance} -j {self.endpoints[one]}"
            left -= 1

    def _toward(self, endpoint: Endpoint) -> str:
        return f'{OPTIONAL} -m comment --comment "{self.title} -> {endpoint}"{OPTIONAL}'

    def _endpoint(self, endpoint: Endpoint, chain: str) -> Iterator[str]:
        """Hairpin, affinity, and where it is."""
        start = f"{chain}{OPTIONAL} -m comment --comment {self.title}{OPTIONAL}"
        recent = f" -m recent --name {chain} --set" if self.info.affinity_seconds else ""
        yield f"{start} -s {endpoint.ip} -j {MARK_MASQ}"
        yield f"{start}{recent} {self.match} -j DNAT --to-destination {endpoint}"
