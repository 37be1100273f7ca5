"""What scenarios from outside the cluster share: the client there, and its ways to a pod.

The client is the first host outside the cluster. The *direct* way to a pod, the baseline, meets
neither Service nor load balancer nor Ingress: the pod's own address. A client on the nodes' link
gets a route to it through the pod's node for as long as it asks; elsewhere the fabric has to know
the way, as it does with the CNI mode ``bgp``.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any

from scenarios import _pods
from testbed.cluster.announcers import answering
from testbed.errors import LabError
from testbed.measure.contract import LabHandle

DIRECT = "direct"
POOL = "198.51.100.{}"
"""Addresses of load balancers in a lab's own pool; scenarios take those from .100 on."""

NO_DIRECT_WAY = "Pods are reached from outside on the topology single, or with the CNI mode bgp."


def client(lab: LabHandle) -> str:
    """The target of the first host outside the cluster.

    Raises:
        LabError: There is none.
    """
    found = [name for name in lab.info["addresses"] if name.startswith("external/")]
    if not found:
        raise LabError("there is no host outside the cluster", hint="Say --set externals=1.")
    return str(min(found))


def far_from(nodes: Sequence[str], address: int = 100) -> str:
    """An address for which the first node answers in L2 mode, so that others have the pods.

    Args:
        nodes: The lab's nodes.
        address: The number in the pool from which on one is looked for.
    """
    some = (POOL.format(number) for number in range(address, 255))
    return next(one for one in some if answering({one: nodes}, nodes)[one] == nodes[0])


def balanced(lab: LabHandle, kind: str, name: str) -> str:
    """The load balancer's address of a Service or Ingress (``services``, ``ingresses``).

    Raises:
        LabError: It has none.
    """
    for item in lab.objects(kind, _pods.NAMESPACE):
        given = item.get("status", {}).get("loadBalancer", {}).get("ingress", [])
        if item["metadata"]["name"] == name and given:
            return str(given[0]["ip"])
    hint = "Say --ingress nginx." if kind == "ingresses" else ""
    raise LabError(f"{name} of {kind} has no address for those outside", hint=hint)


@contextlib.contextmanager
def direct(lab: LabHandle, pod: str) -> Iterator[str]:
    """The address of a pod, which the client reaches during the ``with`` block if it can be."""
    address, source = lab.address(_pods.pod(pod)), client(lab)
    node = lab.address(f"node/{_pods.node_of(lab, pod)}")
    if "gateway" in _ip(lab, source, "route", "get", node)[0]:
        yield address
        return
    _ip(lab, source, "route", "replace", address, "via", node)
    try:
        yield address
    finally:
        _ip(lab, source, "route", "del", address, "via", node)


def _ip(lab: LabHandle, target: str, *words: str) -> list[dict[str, Any]]:
    argv = ["ip", "-j", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with lab.popen(target, argv, **pipes) as process:
        output, errors = process.communicate()
    if process.returncode:
        raise LabError(f"{' '.join(argv)} in {target}: {errors.decode().strip()}")
    found: list[dict[str, Any]] = json.loads(output or b"[]")
    return found
