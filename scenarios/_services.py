"""What the scenarios about Services share: pods and Services, ways to them, and padding.

The pods are those of :mod:`scenarios._pods`, and one more on the last node. *Padding* are Services
that nobody asks, with two endpoints each that are nowhere: Services without a selector, and an
EndpointSlice for each, applied in one go, so that they cost no pod. A proxy mode has as much to do
for them as for any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

from scenarios import _pods
from testbed.measure.contract import LabHandle, Parameter
from testbed.measure.servicelatency import PORT, Way

NAMESPACE = _pods.NAMESPACE
SECOND = "server-far-2"
DIRECT, CLUSTER_IP, NODE_PORT = WAYS = ("direct", "cluster-ip", "node-port")
"""Values of the parameter ``path``; the first one is the pod itself, and so the baseline."""

OF = {"same-node": _pods.NEAR, "cross-node": _pods.FAR}
"""Where the endpoint is → the pod, and the Service of it."""

PADDING_NETWORK = IPv4Address("198.18.0.0")
"""Endpoints of the padding are here: a network for benchmarks (RFC 2544, RFC 6890), which has room
for 65,000 Services."""

MOST = 30_000
"""The most Services that a scenario makes."""

FURTHER = 1000
"""How far from the first cluster IP of the lab those begin that are asked for by address."""

_SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  type: NodePort
  selector: {{pod: {name}}}
  ports: [{{port: 80, targetPort: {port}}}]
"""


def manifest(nodes: Sequence[str]) -> str:
    """The pods, and a Service for each of the servers near and far, of type NodePort.

    Raises:
        InputError: There are fewer than two nodes.
    """
    return pods(nodes) + "".join(
        _SERVICE.format(name=n, namespace=NAMESPACE, port=PORT) for n in OF.values()
    )


def pods(nodes: Sequence[str]) -> str:
    """The pods alone; errors as :func:`manifest`."""
    return _pods.manifest(nodes) + _pods.one(SECOND, nodes[-1])


def way(lab: LabHandle, path: str, name: str) -> Way:
    """How the client gets to one of the servers.

    Args:
        lab: The lab.
        path: One of :data:`WAYS`; the node port is asked at the client's own node.
        name: The server, which is also what its Service is called.
    """
    client = _pods.pod(_pods.CLIENT)
    if path == DIRECT:
        return Way(lab, client, lab.address(_pods.pod(name)), PORT)
    spec = service(lab, name)["spec"]
    if path == CLUSTER_IP:
        return Way(lab, client, spec["clusterIP"], 80)
    near = lab.address(f"node/{_pods.node_of(lab, _pods.CLIENT)}")
    return Way(lab, client, near, spec["ports"][0]["nodePort"])


def service(lab: LabHandle, name: str) -> dict[str, Any]:
    """One of the Services, as the lab has it."""
    found = lab.objects("services", NAMESPACE)
    return next(item for item in found if item["metadata"]["name"] == name)


def first_address(lab: LabHandle) -> IPv4Address:
    """The first of the cluster IPs that scenarios may ask for, and all after it."""
    return IPv4Address(service(lab, _pods.NEAR)["spec"]["clusterIP"]) + FURTHER


def bare(name: str, address: IPv4Address | None = None) -> dict[str, Any]:
    """A Service without selector, at a cluster IP or wherever the lab puts it; its port is 80."""
    there = {} if address is None else {"clusterIP": str(address)}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {**there, "ports": [{"port": 80, "targetPort": PORT}]},
    }


def endpoints(name: str, addresses: Sequence[str], node: str | None = None) -> dict[str, Any]:
    """The EndpointSlice of a Service that has no selector.

    Args:
        name: The Service.
        addresses: IPv4 addresses of its endpoints.
        node: The node that they are on, if they are on one.
    """
    there: Mapping[str, Any] = {} if node is None else {"nodeName": node}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "labels": {"kubernetes.io/service-name": name},
        },
        "addressType": "IPv4",
        "ports": [{"port": PORT}],
        "endpoints": [{"addresses": [address], **there} for address in addresses],
    }


def padding(count: int, first: IPv4Address | None = None) -> list[dict[str, Any]]:
    """Services with their slices that nobody asks; each is followed by its slice.

    Args:
        count: How many.
        first: Their first cluster IP, which the others follow; wherever the lab puts them if not
            given.
    """
    found = []
    for number in range(count):
        name = f"padding-{number:05d}"
        ends = [str(PADDING_NETWORK + 2 * number + i) for i in (0, 1)]
        found.append(bare(name, None if first is None else first + number))
        found.append(endpoints(name, ends))
    return found


def size(value: Any) -> int:
    """A parser of a number of Services, for :class:`Parameter`.

    Raises:
        ValueError: It is none.
    """
    if type(value) is not int or not 1 <= value <= MOST:
        raise ValueError(f"no whole number from 1 to {MOST:,}")
    return value


SIZES = Parameter((1, 100, 1000, 5000, 10_000), size)
"""How many Services there are."""


def servers(lab: LabHandle) -> list[str]:
    """The addresses of the two servers on the last node."""
    return [lab.address(_pods.pod(name)) for name in (_pods.FAR, SECOND)]
