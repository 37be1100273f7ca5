"""What is wrong with an EndpointSlice, beyond its structure and metadata.

The rules and words of ``pkg/apis/discovery/validation/validation.go``.
"""

from __future__ import annotations

from collections.abc import Sequence

from testbed.objects import names
from testbed.objects.addresses import validate_address, validate_endpoint
from testbed.objects.meta import validate_labels
from testbed.objects.serviceports import PROTOCOLS
from testbed.objects.source import Findings, Manifest, Path

_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")
_MOST_ENDPOINTS = 1000
_MOST_ADDRESSES = 100
_MOST_PORTS = 20_000
_MOST_TOPOLOGY = 16
_MOST_HINTS = 8


def validate(manifest: Manifest, findings: Findings) -> None:
    """Adds what is wrong with an EndpointSlice beyond its structure and metadata."""
    kind = manifest["addressType"]
    if not kind:
        findings.required(("addressType",))
    elif kind not in _ADDRESS_TYPES:
        findings.unsupported(("addressType",), kind, _ADDRESS_TYPES)
    if _few(manifest.get("ports", ()), _MOST_PORTS, ("ports",), findings):
        _validate_ports(manifest.get("ports", []), findings)
    if _few(manifest["endpoints"], _MOST_ENDPOINTS, ("endpoints",), findings):
        for index, endpoint in enumerate(manifest["endpoints"]):
            _validate_endpoint(endpoint, kind, ("endpoints", index), findings)


def _few(items: Sequence[object] | Manifest, most: int, path: Path, findings: Findings) -> bool:
    if len(items) > most:
        findings.add(path, f"Too many: {len(items)}: must have at most {most} items")
    return len(items) <= most


def _validate_ports(ports: list[Manifest], findings: Findings) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = ("ports", index), port["name"]
        if name:
            findings.invalid((*path, "name"), name, names.dns_label(name))
        if name in seen:
            findings.duplicate((*path, "name"), name)
        seen.add(name)
        if port["protocol"] not in PROTOCOLS:
            findings.unsupported((*path, "protocol"), port["protocol"], PROTOCOLS)
        if "appProtocol" in port:
            value = port["appProtocol"]
            findings.invalid((*path, "appProtocol"), value, names.label_key(value))


def _validate_endpoint(endpoint: Manifest, kind: str, path: Path, findings: Findings) -> None:
    addresses = endpoint.get("addresses", [])
    if not addresses:
        findings.required((*path, "addresses"), "must contain at least 1 address")
    _few(addresses, _MOST_ADDRESSES, (*path, "addresses"), findings)
    for index, text in enumerate(addresses):
        _validate_address(text, kind, (*path, "addresses", index), findings)
    if "nodeName" in endpoint:
        name = endpoint["nodeName"]
        findings.invalid((*path, "nodeName"), name, names.dns_subdomain(name))
    if "hostname" in endpoint:
        name = endpoint["hostname"]
        findings.invalid((*path, "hostname"), name, names.dns_label(name))
    topology = endpoint.get("deprecatedTopology", {})
    _few(topology, _MOST_TOPOLOGY, (*path, "deprecatedTopology"), findings)
    validate_labels(topology, (*path, "deprecatedTopology"), findings)
    for name, rule in (("forZones", names.label_value), ("forNodes", names.dns_subdomain)):
        _validate_hints(endpoint, name, rule, path, findings)


def _validate_address(text: str, kind: str, path: Path, findings: Findings) -> None:
    if kind == "FQDN":
        _validate_domain(text, path, findings)
    elif kind in _ADDRESS_TYPES:
        address = validate_address(text, path, findings)
        if address is None:
            return
        if f"IPv{address.version}" != kind:
            findings.invalid(path[:-1], text, f"must be an {kind} address")
        validate_endpoint(address, text, path, findings)


def _validate_domain(text: str, path: Path, findings: Findings) -> None:
    name = text.removesuffix(".")
    if not text:
        findings.required(path)
    elif reasons := names.dns_subdomain(name):
        findings.invalid(path, name, ",".join(reasons))
    elif "." not in name:
        rule = "should be a domain with at least two segments separated by dots"
        findings.invalid(path, name, rule)
    else:
        for label in name.split("."):
            findings.invalid(path, label, names.dns_label(label))


def _validate_hints(
    endpoint: Manifest, name: str, rule: names.Rule, path: Path, findings: Findings
) -> None:
    hints, place = endpoint.get("hints", {}).get(name, []), (*path, "hints", name)
    if not _few(hints, _MOST_HINTS, place, findings):
        return
    seen: set[str] = set()
    for index, hint in enumerate(hints):
        if hint["name"] in seen:
            findings.duplicate((*place, index, "name"), hint["name"])
        seen.add(hint["name"])
        findings.invalid((*place, index, "name"), hint["name"], rule(hint["name"]))
