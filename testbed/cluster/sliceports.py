"""The order of ports in EndpointSlices and Endpoints.

kube-controller-manager sorts them by the MD5 sum of Go's printed form of each: ``portsInOrder`` in
``k8s.io/endpointslice/util/controller_utils.go``, ``portsByHash`` in
``pkg/api/v1/endpoints/util.go``, ``apimachinery/pkg/util/dump``. That is seen: in ``kubectl get
endpoints``, for one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from testbed.objects.source import Manifest

PortsKey = tuple[tuple[str, int | None, str, str | None], ...]
"""Ports as a key: name, number, protocol, application protocol of each."""


def ports_key(ports: Iterable[Mapping[str, Any]]) -> PortsKey:
    """Ports in their order as something that can be compared and looked up."""
    return tuple(
        (p.get("name", ""), p.get("port"), p["protocol"], p.get("appProtocol")) for p in ports
    )


def sort_slice_ports(ports: list[Manifest]) -> list[Manifest]:
    """The ports of an EndpointSlice in the controller's order."""
    return ports if len(ports) < 2 else sorted(ports, key=lambda port: _sum(_in_slice(port)))


def sort_subset_ports(ports: list[Manifest]) -> list[Manifest]:
    """The ports of a subset of Endpoints in the controller's order."""
    return ports if len(ports) < 2 else sorted(ports, key=lambda port: _sum(_in_subset(port)))


def _sum(text: str) -> bytes:
    return hashlib.md5(text.encode(), usedforsecurity=False).digest()


def _in_slice(port: Manifest) -> str:
    application, number = port.get("appProtocol", "<nil>"), port.get("port", "<nil>")
    return (
        f"(v1.EndpointPort){{Name:(*string){port['name']} "
        f"Protocol:(*v1.Protocol){port['protocol']} "
        f"Port:(*int32){number} AppProtocol:(*string){application}}}"
    )


def _in_subset(port: Manifest) -> str:
    application = port.get("appProtocol", "<nil>")
    return (
        f"(v1.EndpointPort){{Name:(string){port.get('name', '')} Port:(int32){port['port']} "
        f"Protocol:(v1.Protocol){port['protocol']} AppProtocol:(*string){application}}}"
    )
