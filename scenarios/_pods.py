"""What the scenarios share: the pods that they measure between, and the paths between them."""

from __future__ import annotations

from collections.abc import Sequence

from testbed.errors import InputError
from testbed.measure.contract import LabHandle, Parameter, one_of
from testbed.measure.process import Flow

NAMESPACE = "bench"
CLIENT, NEAR, FAR = "client", "server-near", "server-far"

PATH = Parameter(
    default=("same-node", "cross-node", "node-to-node"),
    parse=one_of("same-node", "cross-node", "node-to-node"),
)
"""From a pod to a pod on its own node, to a pod on the last node, and, as the baseline that no CNI
mode takes part in, from the first node's own address to the last node's."""

_POD = """\
---
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}, labels: {{app: {namespace}, pod: {name}}}}}
spec:
  nodeName: {node}
  containers: [{{name: tools, image: pause}}]
"""


def manifest(nodes: Sequence[str]) -> str:
    """The namespace and three idle pods: client and near server on the first node, far on the last.

    Raises:
        InputError: There are fewer than two nodes.
    """
    if len(nodes) < 2:
        raise InputError("a path between nodes needs at least 2 nodes", hint="Say --set nodes=2.")
    places = {CLIENT: nodes[0], NEAR: nodes[0], FAR: nodes[-1]}
    head = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n"
    return head + "".join(one(pod, node) for pod, node in places.items())


def one(name: str, node: str) -> str:
    """The manifest of one idle pod, with its name as the label ``pod``."""
    return _POD.format(name=name, namespace=NAMESPACE, node=node)


def pod(name: str) -> str:
    """The target of one of the pods."""
    return f"{NAMESPACE}/{name}"


def node_of(lab: LabHandle, name: str) -> str:
    """The name of the node that one of the pods is on."""
    found = lab.objects("pods", NAMESPACE)
    places = {item["metadata"]["name"]: str(item["spec"]["nodeName"]) for item in found}
    return places[name]


def flow(lab: LabHandle, path: str) -> Flow:
    """Who sends to whom on one of the paths of :data:`PATH`."""
    if path == "node-to-node":
        source, target = (f"node/{node_of(lab, name)}" for name in (CLIENT, FAR))
    else:
        source, target = pod(CLIENT), pod(NEAR if path == "same-node" else FAR)
    return Flow(lab, source, target, lab.address(target))
