"""An empty cluster: the topology's nodes, each with its share of the pod CIDR.

As kube-controller-manager's node IPAM does it (``--cluster-cidr``, ``--node-cidr-mask-size``), but
that the first node gets the second share, so that ``n1`` has ``10.244.1.0/24``; the first share is
used last.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from itertools import islice

from testbed.cluster import egress
from testbed.cluster.model import SYSTEM_NAMESPACES, Cluster, Node, Options
from testbed.errors import InputError, Where
from testbed.objects import Namespace, from_manifest
from testbed.topology.model import Host, Topology

_RESERVED = tuple(
    IPv4Network(text)
    for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
)


def new(topology: Topology, options: Options) -> Cluster:
    """A cluster of the topology's nodes with no pods.

    Raises:
        InputError: A CIDR is none, two overlap, or the pod CIDR has too few shares.
    """
    pods = _network("pod_cidr", options.pod_cidr)
    services = _network("service_cidr", options.service_cidr)
    pool = _network("lb_pool", options.lb_pool)
    _check_apart(topology, pods, services, pool)
    shares = _shares(pods, options.node_cidr_mask_size, len(topology.nodes))
    nodes = tuple(_node(host, share) for host, share in zip(topology.nodes, shares, strict=True))
    options = replace(options, pod_cidr=str(pods), service_cidr=str(services), lb_pool=str(pool))
    options = replace(options, egress_exempt=",".join(egress.ranges(options.egress_exempt)))
    return Cluster(topology, options, nodes, {name: _namespace(name) for name in SYSTEM_NAMESPACES})


def _network(key: str, text: str) -> IPv4Network:
    try:
        network = IPv4Network(text)
        if any(network.overlaps(reserved) for reserved in _RESERVED):
            raise ValueError("it has addresses that no host may have (RFC 6890)")
        return network
    except ValueError as error:
        raise InputError(
            f"{text!r} is no IPv4 network: {error}",
            where=Where("--set", field=key),
            hint="Write it like 10.244.0.0/16.",
        ) from None


def _check_apart(
    topology: Topology, pods: IPv4Network, services: IPv4Network, pool: IPv4Network
) -> None:
    underlay = [(f"the underlay of {topology.name}", IPv4Network(n)) for n in topology.subnets]
    ranges = [("pod_cidr", pods), ("service_cidr", services), ("lb_pool", pool)]
    pairs = [
        (one, other) for i, one in enumerate(ranges) for other in (*ranges[i + 1 :], *underlay)
    ]
    for (key, ours), (what, theirs) in pairs:
        if ours.overlaps(theirs):
            raise InputError(
                f"{ours} overlaps {what} {theirs}",
                where=Where("--set", field=key),
                hint="Pods, Services, load balancers and the underlay need ranges of their own.",
            )


def _shares(pods: IPv4Network, mask: int, count: int) -> list[str]:
    if not pods.prefixlen <= mask <= 30:
        raise InputError(
            f"a node's share /{mask} does not fit into pod_cidr {pods}",
            where=Where("--set", field="node_cidr_mask_size"),
            hint=f"Give a prefix length from {pods.prefixlen} to 30, or a larger pod_cidr.",
        )
    room = 2 ** (mask - pods.prefixlen)
    if room < count:
        raise InputError(
            f"pod_cidr {pods} has {room} shares of /{mask} for {count} nodes",
            where=Where("--set", field="pod_cidr"),
            hint="Take a larger pod_cidr or a larger node_cidr_mask_size.",
        )
    first, *rest = islice(pods.subnets(new_prefix=mask), count + 1)
    return [str(share) for share in (*rest[:count], first)][:count]


def _node(host: Host, share: str) -> Node:
    labels = {"kubernetes.io/hostname": host.name, "kubernetes.io/os": "linux"}
    if host.zone:
        labels["topology.kubernetes.io/zone"] = host.zone
    interface = host.primary
    return Node(host.name, host.address, interface.name, share, interface.mtu, labels)


def _namespace(name: str) -> Namespace:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    made = from_manifest(manifest)
    assert isinstance(made, Namespace)  # noqa: S101 - the manifest above says so
    return made
