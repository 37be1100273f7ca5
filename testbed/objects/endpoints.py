"""Endpoints (v1), the older form of EndpointSlices.

Defaults as in ``pkg/apis/core/v1/defaults.go`` (``SetDefaults_Endpoints``), rules and words as in
``pkg/apis/core/validation/validation.go`` (``ValidateEndpoints``). Those that a Service's
controller makes are in :mod:`testbed.cluster.endpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from testbed.objects import names
from testbed.objects.addresses import validate_address, validate_endpoint
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.serviceports import PROTOCOLS
from testbed.objects.source import Findings, Manifest, Path, Source

_LISTS = ("addresses", "notReadyAddresses")


@dataclass(frozen=True, slots=True)
class Subset:
    """Addresses that all have the same ports; the items are Kubernetes JSON.

    Attributes:
        addresses: Those that are ready: ``ip``, ``hostname``, ``nodeName``, ``targetRef``.
        not_ready_addresses: Those that are not.
        ports: ``name``, ``port``, ``protocol``, ``appProtocol``.
    """

    addresses: tuple[Mapping[str, Any], ...]
    not_ready_addresses: tuple[Mapping[str, Any], ...]
    ports: tuple[Mapping[str, Any], ...]

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> Subset:
        """The subset of valid Endpoints."""
        addresses, not_ready = (tuple(manifest.get(name, ())) for name in _LISTS)
        return cls(addresses, not_ready, tuple(manifest.get("ports", ())))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The endpoints of the Service of the same name.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        subsets: The endpoints, by their ports.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Endpoints"
    api_version: ClassVar[str] = "v1"

    metadata: Metadata
    subsets: tuple[Subset, ...]
    manifest: Manifest
    source: Source = field(compare=False)


def decode(manifest: Manifest, source: Source) -> Endpoints:
    """The Endpoints of a valid manifest whose defaults are filled in."""
    subsets = tuple(Subset.decode(one) for one in manifest.get("subsets", ()))
    return Endpoints(Metadata.decode(manifest), subsets, manifest, source)


def _default(manifest: Manifest) -> None:
    for subset in manifest.get("subsets", ()):
        for name in (name for name in (*_LISTS, "ports") if not subset.get(name)):
            subset.pop(name, None)
        for port in subset.get("ports", ()):
            port["protocol"] = port.get("protocol") or "TCP"


def _validate(manifest: Manifest, findings: Findings) -> None:
    for index, subset in enumerate(manifest.get("subsets", ())):
        path: Path = ("subsets", index)
        if not any(subset.get(name) for name in _LISTS):
            findings.required(path, "must specify `addresses` or `notReadyAddresses`")
        for name in _LISTS:
            for number, address in enumerate(subset.get(name, ())):
                _validate_address(address, (*path, name, number), findings)
        ports = subset.get("ports", [])
        for number, port in enumerate(ports):
            _validate_port(port, len(ports) > 1, (*path, "ports", number), findings)


def _validate_address(manifest: Manifest, path: Path, findings: Findings) -> None:
    address = validate_address(manifest["ip"], (*path, "ip"), findings)
    if address is None:
        findings.invalid((*path, "ip"), manifest["ip"], "must be a valid IP address")
    else:
        validate_endpoint(address, manifest["ip"], (*path, "ip"), findings)
    if name := manifest.get("hostname"):
        findings.invalid((*path, "hostname"), name, names.dns_label(name))
    if "nodeName" in manifest:
        name = manifest["nodeName"]
        findings.invalid((*path, "nodeName"), name, names.dns_subdomain(name))


def _validate_port(port: Manifest, several: bool, path: Path, findings: Findings) -> None:
    name = port.get("name", "")
    if name:
        findings.invalid((*path, "name"), name, names.dns_label(name))
    elif several:
        findings.required((*path, "name"))
    findings.invalid((*path, "port"), port["port"], names.port_number(port["port"]))
    if port["protocol"] not in PROTOCOLS:
        findings.unsupported((*path, "protocol"), port["protocol"], PROTOCOLS)
    if "appProtocol" in port:
        value = port["appProtocol"]
        findings.invalid((*path, "appProtocol"), value, names.label_key(value))


KIND = Kind(
    "v1", "Endpoints", "endpoints", ("ep",), True, names.dns_subdomain, _default, _validate, decode
)
