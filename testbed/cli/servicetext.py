"""Services and endpoints in a few words, as kubectl's tables have them.

Source: ``pkg/printers/internalversion/printers.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]
_MOST = 3
_BALANCER_WIDTH = 16
_NONE = "<none>"


def labels(values: Mapping[str, str]) -> str:
    """Labels in the order of their keys: ``app=web,tier=front``."""
    return ",".join(f"{key}={values[key]}" for key in sorted(values)) or _NONE


def shortened(items: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    shown = ",".join(items[:_MOST])
    return shown if len(items) <= _MOST else f"{shown} + {len(items) - _MOST} more..."


def cluster_ip(service: Json) -> str:
    """The first cluster IP; ``None`` for a headless Service."""
    addresses = service["spec"].get("clusterIPs", [])
    return str(addresses[0]) if addresses else _NONE


def external_ip(service: Json) -> str:
    """Where a Service can be reached from outside; the load balancer's part is cut if long."""
    return _external(service, _BALANCER_WIDTH)


def external_ip_whole(service: Json) -> str:
    """Where a Service can be reached from outside."""
    return _external(service, None)


def _external(service: Json, width: int | None) -> str:
    spec = service["spec"]
    external = list(spec.get("externalIPs", ()))
    if spec["type"] == "ExternalName":
        return str(spec["externalName"])
    if spec["type"] != "LoadBalancer":
        return ",".join(external) or _NONE
    ingress = service["status"]["loadBalancer"].get("ingress", ())
    balancers = ",".join(sorted({one.get("ip") or one["hostname"] for one in ingress}))
    if width is not None and len(balancers) > width:
        balancers = balancers[: width - 3] + "..."
    return ",".join([*([balancers] if balancers else []), *external]) or "<pending>"


def ports(service: Json) -> str:
    """Ports with node ports: ``80:30086/TCP,443/TCP``."""
    found = []
    for port in service["spec"].get("ports", ()):
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        found.append(f"{port['port']}{node}/{port['protocol']}")
    return ",".join(found) or _NONE


def endpoints(item: Json) -> str:
    """The first three ready addresses of Endpoints, with their ports."""
    if not item.get("subsets"):
        return _NONE
    found = []
    for subset in item["subsets"]:
        addresses = [address["ip"] for address in subset.get("addresses", ())]
        for port in subset.get("ports") or (None,):
            found += [_joined(address, port) for address in addresses]
    return shortened(found)


def _joined(address: str, port: Json | None) -> str:
    """An address with its port, if it has one; IPv6 in brackets."""
    if port is None:
        return address
    return f"[{address}]:{port['port']}" if ":" in address else f"{address}:{port['port']}"


def slice_ports(item: Json) -> str:
    """The first three ports of an EndpointSlice."""
    return shortened([_port(port) for port in item.get("ports") or ()]) or "<unset>"


def _port(port: Json) -> str:
    return str(port["port"] if "port" in port else port.get("name", "*"))


def slice_endpoints(item: Json) -> str:
    """The first three addresses of an EndpointSlice, ready or not."""
    found = [address for one in item.get("endpoints") or () for address in one["addresses"]]
    return shortened(found) or "<unset>"


def of_port(slices: Iterable[Json], name: str) -> str:
    """The first three ready endpoints of a Service's port, as ``kubectl describe`` has them.

    Args:
        slices: The Service's slices.
        name: Of the port; may be empty.
    """
    slices = list(slices)
    found = []
    for item in slices:
        ready = [
            one["addresses"][0]
            for one in item.get("endpoints") or ()
            if one.get("conditions", {}).get("ready", True)
        ]
        for port in item.get("ports") or (None,):
            if port is None or port["name"] == name:
                found += [_joined(address, port) for address in ready]
    return shortened(found) if slices else _NONE
