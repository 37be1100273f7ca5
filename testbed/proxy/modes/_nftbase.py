"""What is in the table whatever Services there are: maps, sets, and the way of a packet.

::

    prerouting, output  -110   firewall-check: who may use a load balancer's address
    prerouting, output  -100   services: the endpoint is chosen, the address translated
    input, forward, output  0  no endpoints: rejected or dropped; cluster IPs: other ports are
                               rejected, addresses that no Service has are dropped
    postrouting         100    masquerading: what was marked

Source: ``pkg/proxy/nftables/proxier.go`` (``setupNFTables``) and ``pkg/proxy/util/nodeport_
addresses.go``, Kubernetes 1.34. Node ports are at the node's primary address unless
``nodeport_addresses`` says otherwise, and never at 127.0.0.1
(``cmd/kube-proxy/app/server_linux.go``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from testbed.proxy import options
from testbed.proxy.contract import ProxyNode
from testbed.proxy.nft import TABLE, AddHook, AddRule, Command

MARK = "0x4000"
"""Bit of the packet's mark that asks for masquerading (``--iptables-masquerade-bit`` 14)."""

KEY = "ip daddr . meta l4proto . th dport"
"""What a packet is looked up by in maps of addresses."""

PORT_KEY = "meta l4proto . th dport"
"""The same in maps of node ports."""

MASQUERADE = "jump mark-for-masquerade"

_ADDRESSES = "type ipv4_addr . inet_proto . inet_service : verdict"
_PORTS = "type inet_proto . inet_service : verdict"

_CONTAINERS = {
    "set cluster-ips": ("type ipv4_addr", "Active ClusterIPs"),
    "map no-endpoint-services": (
        _ADDRESSES,
        "vmap to drop or reject packets to services with no endpoints",
    ),
    "map no-endpoint-nodeports": (
        _PORTS,
        "vmap to drop or reject packets to service nodeports with no endpoints",
    ),
    "map firewall-ips": (
        _ADDRESSES,
        "destinations that are subject to LoadBalancerSourceRanges",
    ),
    "map service-ips": (_ADDRESSES, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
    "map service-nodeports": (_PORTS, "NodePort traffic"),
}

_CHAINS = (
    "nodeport-endpoints-check",
    "service-endpoints-check",
    "firewall-check",
    "services",
    "masquerading",
    "cluster-ips-check",
    "mark-for-masquerade",
)

_HOOKS = (
    ("filter-prerouting-pre-dnat", "filter", "prerouting", -110),
    ("filter-output-pre-dnat", "filter", "output", -110),
    ("filter-input", "filter", "input", 0),
    ("filter-forward", "filter", "forward", 0),
    ("filter-output", "filter", "output", 0),
    ("nat-prerouting", "nat", "prerouting", -100),
    ("nat-output", "nat", "output", -100),
    ("nat-postrouting", "nat", "postrouting", 100),
)

_JUMPS = (
    ("filter-input", "ct state new jump nodeport-endpoints-check"),
    ("filter-input", "ct state new jump service-endpoints-check"),
    ("filter-forward", "ct state new jump service-endpoints-check"),
    ("filter-output", "ct state new jump service-endpoints-check"),
    ("filter-prerouting-pre-dnat", "ct state new jump firewall-check"),
    ("filter-output-pre-dnat", "ct state new jump firewall-check"),
    ("nat-output", "jump services"),
    ("nat-prerouting", "jump services"),
    ("nat-postrouting", "jump masquerading"),
    ("filter-forward", "ct state new jump cluster-ips-check"),
    ("filter-output", "ct state new jump cluster-ips-check"),
)


def table(node: ProxyNode) -> Iterator[str]:
    """A new table in place of any other of its name, with everything but hooks."""
    yield f'add table {TABLE} {{ comment "rules for kube-proxy" ; }}'
    yield f"delete table {TABLE}"
    yield f'add table {TABLE} {{ comment "rules for kube-proxy" ; }}'
    for what, (kind, comment) in _CONTAINERS.items():
        yield f'add {what.replace(" ", f" {TABLE} ")} {{ {kind} ; comment "{comment}" ; }}'
    yield from (f"add chain {TABLE} {name}" for name in _CHAINS)
    helper = "helper for @no-endpoint-services / @no-endpoint-nodeports"
    yield f'add chain {TABLE} reject-chain {{ comment "{helper}" ; }}'
    at = _node_addresses(node)
    if at is not None:
        comment = "IPs that accept NodePort traffic"
        yield f'add set {TABLE} nodeport-ips {{ type ipv4_addr ; comment "{comment}" ; }}'
        yield from (f"add element {TABLE} nodeport-ips {{ {address} }}" for address in at)
    yield from (f"add rule {TABLE} {chain} {rule}" for chain, rule in _rules(node, at is None))


def hooks() -> Iterator[Command]:
    """What makes packets go through the table."""
    yield from (AddHook(*hook) for hook in _HOOKS)
    yield from (AddRule(chain, rule) for chain, rule in _JUMPS)


def from_pods(node: ProxyNode) -> str:
    """The match of what comes from a pod; empty if that is not to be known."""
    known = options.flag(node.settings, "detect_local")
    return f"ip saddr {node.pod_cidr}" if known else ""


def from_elsewhere(node: ProxyNode) -> str:
    """The opposite match."""
    return from_pods(node).replace("saddr ", "saddr != ")


def _node_addresses(node: ProxyNode) -> tuple[str, ...] | None:
    """Addresses with node ports; None for all of the node's that are not loopback."""
    ranges = options.ranges(node.settings)
    if any(network.prefixlen == 0 for network in ranges):
        return None
    return options.within(node.addresses, ranges) if ranges else node.addresses[:1]


def _rules(node: ProxyNode, everywhere: bool) -> Iterable[tuple[str, str]]:
    node_port = "ip daddr != 127.0.0.0/8" if everywhere else "ip daddr @nodeport-ips"
    local = "fib daddr type local " if everywhere else ""
    return (
        ("mark-for-masquerade", f"mark set mark or {MARK}"),
        ("masquerading", f"mark and {MARK} == 0 return"),
        ("masquerading", f"mark set mark xor {MARK}"),
        ("masquerading", "masquerade fully-random"),
        (
            "cluster-ips-check",
            'ip daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
        ),
        (
            "cluster-ips-check",
            f"ip daddr {{ {node.service_cidr} }} drop "
            'comment "Drop traffic to unallocated ClusterIPs"',
        ),
        ("reject-chain", "reject"),
        ("service-endpoints-check", f"{KEY} vmap @no-endpoint-services"),
        ("nodeport-endpoints-check", f"{node_port} {PORT_KEY} vmap @no-endpoint-nodeports"),
        ("firewall-check", f"{KEY} vmap @firewall-ips"),
        ("services", f"{KEY} vmap @service-ips"),
        ("services", f"{local}{node_port} {PORT_KEY} vmap @service-nodeports"),
    )
