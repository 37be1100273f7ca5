"""Where a port of a Service is to be found on a node, and what becomes of packets there.

Common to both modes: whether there are endpoints for traffic from inside and from outside, which
addresses are dispatched to chains, and which reject or drop.

Source: ``pkg/proxy/nftables/proxier.go`` (``syncProxyRules``), Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, collapse_addresses

from testbed.cluster.categorize import Categorized, Endpoints
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.proxy.contract import ProxyNode
from testbed.proxy.modes._nftfragment import Claim
from testbed.proxy.nft import Element

LONGEST_COMMENT = 128
"""Characters; nft refuses more, and a namespace, a Service and a port may have 143 together."""


@dataclass(frozen=True)
class Port:
    """A port of a Service on a node.

    Attributes:
        name: Its name.
        info: What it is.
        chosen: Its endpoints as the node uses them.
    """

    name: ServicePortName
    info: ServicePortInfo
    chosen: Categorized

    @property
    def inside(self) -> Endpoints:
        """Where packets to the cluster IP go."""
        chosen = self.chosen
        return chosen.local if self.info.internal_policy_local else chosen.cluster

    @property
    def outside(self) -> Endpoints:
        """Where packets to other addresses go, unless a pod or the node itself sent them."""
        chosen = self.chosen
        return chosen.local if self.info.external_policy_local else chosen.cluster

    @property
    def protocol(self) -> str:
        """As in keys."""
        return self.info.protocol.lower()

    @property
    def has_outside_chain(self) -> bool:
        """Whether packets to other addresses are dispatched to a chain.

        They are even if there is no endpoint for those from outside, because of pods and the node.
        """
        return self.chosen.has_any and self.info.externally_accessible

    def key(self, address: str) -> str:
        """Of an address in ``service-ips``."""
        return f"{address} . {self.protocol} . {self.info.port}"

    @property
    def cluster_key(self) -> str:
        """Of the cluster IP in ``service-ips``."""
        return self.key(self.info.cluster_ip)

    @property
    def outside_keys(self) -> tuple[str, ...]:
        """Of the other addresses in ``service-ips``."""
        addresses = (*self.info.external_ips, *self.info.load_balancer_vips)
        return tuple(self.key(address) for address in dict.fromkeys(addresses))

    @property
    def node_key(self) -> str:
        """Of the node port in ``service-nodeports``; empty for none."""
        return f"{self.protocol} . {self.info.node_port}" if self.info.node_port else ""

    @property
    def guarded_keys(self) -> tuple[str, ...]:
        """Of the addresses that only some may use."""
        info = self.info
        return tuple(self.key(vip) for vip in info.load_balancer_vips if info.source_ranges)


@dataclass
class Claims:
    """The addresses of a port, while they are collected."""

    port: Port
    _found: dict[str, dict[tuple[str, str], Element]] = field(default_factory=dict)

    def add(self, key: str, *elements: Element) -> None:
        """Elements at an address; a later one takes the place of an earlier one."""
        mine = self._found.setdefault(key, {})
        mine.update({(one.container, one.key): one for one in elements})

    def dispatch(self, inside: str, outside: str, node_port: str) -> None:
        """Which chains packets go to, and what becomes of those for which there is no endpoint.

        Args:
            inside: The chain for the cluster IP.
            outside: The chain for other addresses.
            node_port: The chain for node ports.
        """
        port = self.port
        self._dispatch(port.cluster_key, "service-ips", inside if port.inside else "")
        self._deny(port.cluster_key, "no-endpoint-services", bool(port.inside))
        has, served = port.has_outside_chain, bool(port.outside)
        for key in port.outside_keys:
            self._dispatch(key, "service-ips", outside if has else "")
            self._deny(key, "no-endpoint-services", served)
        if port.node_key:
            self._dispatch(port.node_key, "service-nodeports", node_port if has else "")
            self._deny(port.node_key, "no-endpoint-nodeports", served)

    def _dispatch(self, key: str, container: str, chain: str) -> None:
        self.add(key, *([Element(container, key, f"goto {chain}")] if chain else []))

    def _deny(self, key: str, container: str, served: bool) -> None:
        verdict = "drop" if self.port.chosen.has_any else "goto reject-chain"
        comment = str(self.port.name)
        if len(comment) > LONGEST_COMMENT:
            comment = comment[: LONGEST_COMMENT - 3] + "..."
        self.add(key, *([] if served else [Element(container, key, verdict, comment)]))

    def done(self) -> dict[str, Claim]:
        """The addresses with what is needed there."""
        first = self.port.cluster_key
        return {
            key: Claim(key == first, tuple(elements.values()))
            for key, elements in self._found.items()
        }


def sources(node: ProxyNode, info: ServicePortInfo) -> tuple[str, ...]:
    """Who may use the load balancer's addresses, as ranges that do not overlap.

    A node that may has the load balancer's addresses, too: where they are local to it, its packets
    to them come from them.
    """
    ranges = [IPv4Network(text) for text in info.source_ranges]
    if any(IPv4Address(node.addresses[0]) in one for one in ranges):
        ranges += [IPv4Network(vip) for vip in info.load_balancer_vips]
    return tuple(_text(one) for one in _distinct(ranges))


def _distinct(ranges: Iterable[IPv4Network]) -> list[IPv4Network]:
    """As they are if they do not overlap, as kube-proxy has them."""
    given = list(dict.fromkeys(ranges))
    apart = not any(a.overlaps(b) for i, a in enumerate(given) for b in given[:i])
    return given if apart else list(collapse_addresses(given))


def _text(network: IPv4Network) -> str:
    return str(network.network_address if network.prefixlen == 32 else network)
