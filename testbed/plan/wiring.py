"""How a pod is connected to its node: the two ways that CNI plugins do it.

``bridged`` is the reference ``bridge`` plugin as Flannel uses it, ``routed`` is Calico's: no
bridge, a /32 at each end and proxy ARP. A mode picks one.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

from testbed.cluster.ipam import gateway
from testbed.cluster.model import BoundPod, Cluster, Node
from testbed.plan.model import (
    Address,
    Bridge,
    NamespacePlan,
    Neighbour,
    NextHop,
    Plan,
    Route,
    Sysctl,
    Veth,
)
from testbed.plan.names import mac_of_address, veth_of_pod

DEFAULT = "0.0.0.0/0"
BRIDGE = "cni0"
CALICO_GATEWAY = "169.254.1.1"
_CALICO_MAC = "ee:ee:ee:ee:ee:ee"


def bridged(cluster: Cluster, mtu: int) -> Plan:
    """Pods as ports of the bridge ``cni0``, which has the first address of the node's share.

    containernetworking/plugins ``bridge`` with ``isDefaultGateway`` and ``hairpinMode``, as in
    Flannel's conflist; its network is named ``cbr0``, its bridge ``cni0``.

    Args:
        cluster: The cluster.
        mtu: Of pods and bridge, in bytes.
    """
    plan = {node.namespace: _bridge_node(cluster, node, mtu) for node in cluster.nodes}
    for pod in _own_network(cluster.pods.values()):
        plan[pod.namespace] = _bridge_pod(cluster.node(pod.node), pod)
    return Plan(plan)


def _own_network(pods: Iterable[BoundPod]) -> list[BoundPod]:
    """The pods that are to be connected; those with ``hostNetwork`` are their nodes already."""
    return [pod for pod in pods if not pod.host_network]


def _bridge_node(cluster: Cluster, node: Node, mtu: int) -> NamespacePlan:
    address = f"{gateway(node.pod_cidr)}/{IPv4Network(node.pod_cidr).prefixlen}"
    mac = mac_of_address(gateway(node.pod_cidr))
    ports = (
        Veth(
            name=veth_of_pod("veth", *pod.key),
            peer="eth0",
            peer_namespace=pod.namespace,
            peer_mac=mac_of_address(pod.address),
            mtu=mtu,
            master=BRIDGE,
            hairpin=True,
        )
        for pod in _own_network(cluster.pods_on(node.name))
    )
    return NamespacePlan(
        links=(Bridge(BRIDGE, mac, mtu), *ports),
        addresses=(Address(BRIDGE, address),),
        neighbours=tuple(
            Neighbour(BRIDGE, pod.address, mac_of_address(pod.address))
            for pod in _own_network(cluster.pods_on(node.name))
        ),
    )


def _bridge_pod(node: Node, pod: BoundPod) -> NamespacePlan:
    length, first = IPv4Network(node.pod_cidr).prefixlen, gateway(node.pod_cidr)
    return NamespacePlan(
        addresses=(Address("eth0", f"{pod.address}/{length}"),),
        neighbours=(Neighbour("eth0", first, mac_of_address(first)),),
        routes=(Route(DEFAULT, (NextHop(first, "eth0"),)),),
    )


def routed(cluster: Cluster, mtu: int) -> Plan:
    """Pods with a /32 and the gateway 169.254.1.1, which their node answers for by proxy ARP.

    Calico's cni-plugin and Felix (``endpoint_mgr.go``): a host route per pod, ``proxy_arp`` on the
    node's end, and a blackhole for the node's whole share, so that a packet to an address without a
    pod does not loop back to the fabric.

    Args:
        cluster: The cluster.
        mtu: Of the pods, in bytes.
    """
    plan = {node.namespace: _routed_node(cluster, node, mtu) for node in cluster.nodes}
    for pod in _own_network(cluster.pods.values()):
        plan[pod.namespace] = _routed_pod(pod)
    return Plan(plan)


def _routed_node(cluster: Cluster, node: Node, mtu: int) -> NamespacePlan:
    own = _own_network(cluster.pods_on(node.name))
    pods = [(pod, veth_of_pod("cali", *pod.key)) for pod in own]
    links = (
        Veth(name, "eth0", pod.namespace, mac_of_address(pod.address), mtu, mac=_CALICO_MAC)
        for pod, name in pods
    )
    routes = (
        Route(f"{pod.address}/32", (NextHop(device=name),), scope="link") for pod, name in pods
    )
    sysctls = (
        sysctl
        for _, name in pods
        for sysctl in (
            Sysctl(f"net/ipv4/conf/{name}/proxy_arp", "1"),
            Sysctl(f"net/ipv4/neigh/{name}/proxy_delay", "0"),
        )
    )
    blackhole = Route(node.pod_cidr, kind="blackhole", protocol=4)
    return NamespacePlan(
        links=tuple(links),
        neighbours=tuple(
            Neighbour(name, pod.address, mac_of_address(pod.address)) for pod, name in pods
        ),
        routes=(blackhole, *routes),
        sysctls=tuple(sysctls),
    )


def _routed_pod(pod: BoundPod) -> NamespacePlan:
    return NamespacePlan(
        addresses=(Address("eth0", f"{pod.address}/32"),),
        neighbours=(Neighbour("eth0", CALICO_GATEWAY, _CALICO_MAC),),
        routes=(
            Route(f"{CALICO_GATEWAY}/32", (NextHop(device="eth0"),), scope="link"),
            Route(DEFAULT, (NextHop(CALICO_GATEWAY, "eth0"),)),
        ),
    )
