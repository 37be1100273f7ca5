"""Services and their endpoints at length, as ``kubectl describe`` prints them.

Source: ``kubectl/pkg/describe/describe.go`` (``describeService``, ``describeEndpoints``,
``describeEndpointSliceV1``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from testbed.cli import servicetext
from testbed.cli.table import tabbed

Json = Mapping[str, Any]
Line = tuple[str, ...]
"""Cells, of which all but the last are padded."""

_SERVICE_LABEL = "kubernetes.io/service-name"
_LONGEST = 140


def service(item: Json, slices: Sequence[Json]) -> list[str]:
    """A Service with its endpoints."""
    meta, spec = item["metadata"], item["spec"]
    own = [one for one in slices if _belongs(one, meta)]
    lines = [*_head(meta), ("Selector:", servicetext.labels(spec.get("selector", {})))]
    lines.append(("Type:", spec["type"]))
    lines += _addresses(item)
    for port in spec.get("ports", ()):
        lines += _port(port, servicetext.of_port(own, port.get("name", "")))
    lines.append(("Session Affinity:", spec["sessionAffinity"]))
    for title, name in (
        ("External Traffic Policy:", "externalTrafficPolicy"),
        ("Internal Traffic Policy:", "internalTrafficPolicy"),
        ("HealthCheck NodePort:", "healthCheckNodePort"),
        ("LoadBalancer Source Ranges:", "loadBalancerSourceRanges"),
        ("Traffic Distribution:", "trafficDistribution"),
    ):
        if spec.get(name):
            value = spec[name]
            lines.append((title, ",".join(value) if isinstance(value, list) else str(value)))
    return tabbed([*lines, ("Events:", "<none>")])


def _belongs(item: Json, meta: Json) -> bool:
    own = item["metadata"]
    label = own.get("labels", {}).get(_SERVICE_LABEL)
    return bool((own["namespace"], label) == (meta["namespace"], meta["name"]))


def _head(meta: Json) -> Iterator[Line]:
    yield ("Name:", meta["name"])
    yield ("Namespace:", meta["namespace"])
    labels = sorted(f"{key}={value}" for key, value in meta.get("labels", {}).items())
    annotations = meta.get("annotations", {})
    notes = [line for key in sorted(annotations) for line in _annotation(key, annotations[key])]
    for title, texts in (("Labels:", labels), ("Annotations:", notes)):
        yield (title, texts[0] if texts else "<none>")
        yield from (("", text) for text in texts[1:])


def _annotation(key: str, value: str) -> Iterator[str]:
    value = value.removesuffix("\n")
    if len(key) + len(value) + 2 <= _LONGEST and "\n" not in value:
        yield f"{key}: {value}"
        return
    yield f"{key}:"
    for line in value.split("\n"):
        yield "  " + (line if len(line) <= _LONGEST - 2 else line[: _LONGEST - 2] + "...")


def _addresses(item: Json) -> Iterator[Line]:
    spec = item["spec"]
    if "ipFamilyPolicy" in spec:
        yield ("IP Family Policy:", spec["ipFamilyPolicy"])
    yield ("IP Families:", ",".join(spec.get("ipFamilies", ())) or "<none>")
    yield ("IP:", spec.get("clusterIP", ""))
    yield ("IPs:", ",".join(spec.get("clusterIPs", ())) or "<none>")
    if spec.get("externalIPs"):
        yield ("External IPs:", ",".join(spec["externalIPs"]))
    for title, name in (
        ("Desired LoadBalancer IP:", "loadBalancerIP"),
        ("External Name:", "externalName"),
    ):
        if spec.get(name):
            yield (title, spec[name])
    ingress = item["status"]["loadBalancer"].get("ingress", ())
    if ingress:
        yield (
            "LoadBalancer Ingress:",
            ", ".join(f"{one['ip']} ({one['ipMode']})" for one in ingress),
        )


def _port(port: Json, endpoints: str) -> Iterator[Line]:
    name, protocol = port.get("name") or "<unset>", port["protocol"]
    yield ("Port:", name, f"{port['port']}/{protocol}")
    yield ("TargetPort:", f"{port['targetPort']}/{protocol}")
    if port.get("nodePort"):
        yield ("NodePort:", name, f"{port['nodePort']}/{protocol}")
    yield ("Endpoints:", endpoints)


def endpoints(item: Json, _: Sequence[Json]) -> list[str]:
    """Endpoints, subset by subset."""
    lines: list[Line] = [*_head(item["metadata"]), ("Subsets:",)]
    for subset in item.get("subsets", ()):
        for title, name in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            addresses = ",".join(address["ip"] for address in subset.get(name, ()))
            lines.append((f"  {title}:", addresses or "<none>"))
        if subset.get("ports"):
            lines += [
                ("  Ports:",),
                ("    Name", "Port", "Protocol"),
                ("    ----", "----", "--------"),
            ]
            for port in subset["ports"]:
                name, number = port.get("name") or "<unset>", str(port["port"])
                lines.append((f"    {name}", number, port["protocol"]))
        lines.append(("",))
    return tabbed([*lines, ("Events:", "<none>")])


def endpoint_slice(item: Json, _: Sequence[Json]) -> list[str]:
    """An EndpointSlice, endpoint by endpoint."""
    lines: list[Line] = [*_head(item["metadata"]), ("AddressType:", item["addressType"])]
    if item.get("ports"):
        lines += [("Ports:",), ("  Name", "Port", "Protocol"), ("  ----", "----", "--------")]
        for port in item["ports"]:
            name, number = port.get("name") or "<unset>", str(port.get("port", "<unset>"))
            lines.append((f"  {name}", number, port["protocol"]))
    else:
        lines.append(("Ports: <unset>",))
    lines.append(("Endpoints:",) if item.get("endpoints") else ("Endpoints: <none>",))
    for one in item.get("endpoints") or ():
        lines += _endpoint(one)
    return tabbed([*lines, ("Events:", "<none>")])


def _endpoint(one: Json) -> Iterator[Line]:
    ready = one.get("conditions", {}).get("ready")
    yield ("  - Addresses:", ", ".join(one["addresses"]))
    yield ("    Conditions:",)
    yield ("      Ready:", "<unset>" if ready is None else str(ready).lower())
    yield ("    Hostname:", one.get("hostname", "<unset>"))
    if "targetRef" in one:
        yield ("    TargetRef:", f"{one['targetRef'].get('kind')}/{one['targetRef'].get('name')}")
    yield ("    NodeName:", one.get("nodeName", "<unset>"))
    yield ("    Zone:", one.get("zone", "<unset>"))
