"""EndpointSlices (discovery.k8s.io/v1).

Defaults as in ``pkg/apis/discovery/v1/defaults.go``; the rules are in
:mod:`testbed.objects.endpointslicecheck`. Those that a Service's controller makes are in
:mod:`testbed.cluster.endpointslices`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from testbed.objects import names
from testbed.objects.endpointslicecheck import validate
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.podspec import Protocol
from testbed.objects.source import Manifest, Source

SERVICE_LABEL = "kubernetes.io/service-name"
"""The label that names the Service whose endpoints these are."""

MANAGER_LABEL = "endpointslice.kubernetes.io/managed-by"
"""The label that names the controller which keeps the slice."""


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """An endpoint of a slice.

    Attributes:
        addresses: The first one is what traffic is sent to.
        ready: Whether traffic may be sent to it. Unknown counts as ready, as the API defines it.
        serving: Whether it answers, terminating or not. Unknown counts as serving.
        terminating: Whether it is about to end.
        hostname: Its name in DNS; None if it has none of its own.
        node_name: Its node; None if it is on none.
        zone: That of its node; None for none.
        target: Namespace and name of its pod; None if it is something else.
        zone_hints: Zones that are to use it.
        node_hints: Nodes that are to use it.
    """

    addresses: tuple[str, ...]
    ready: bool
    serving: bool
    terminating: bool
    hostname: str | None
    node_name: str | None
    zone: str | None
    target: tuple[str, str] | None
    zone_hints: frozenset[str]
    node_hints: frozenset[str]

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> SliceEndpoint:
        """The endpoint of a valid slice."""
        conditions, hints = manifest.get("conditions", {}), manifest.get("hints", {})
        reference = manifest.get("targetRef", {})
        pod = reference.get("kind") == "Pod"
        return cls(
            tuple(manifest["addresses"]),
            conditions.get("ready", True),
            conditions.get("serving", True),
            conditions.get("terminating", False),
            manifest.get("hostname"),
            manifest.get("nodeName"),
            manifest.get("zone"),
            (reference.get("namespace", ""), reference.get("name", "")) if pod else None,
            frozenset(zone["name"] for zone in hints.get("forZones", ())),
            frozenset(node["name"] for node in hints.get("forNodes", ())),
        )


@dataclass(frozen=True, slots=True)
class SlicePort:
    """A port of a slice's endpoints.

    Attributes:
        name: That of the Service's port; may be empty.
        port: Its number; None for all ports.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
        app_protocol: What is spoken; None if it is not said.
    """

    name: str
    port: int | None
    protocol: Protocol
    app_protocol: str | None

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> SlicePort:
        """The port of a valid slice."""
        return cls(
            manifest["name"],
            manifest.get("port"),
            manifest["protocol"],
            manifest.get("appProtocol"),
        )


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """A slice: endpoints that all have the same ports.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        address_type: Of all its addresses.
        endpoints: At most 1,000; the controllers make at most 100.
        ports: Of each endpoint.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "EndpointSlice"
    api_version: ClassVar[str] = "discovery.k8s.io/v1"

    metadata: Metadata
    address_type: Literal["IPv4", "IPv6", "FQDN"]
    endpoints: tuple[SliceEndpoint, ...]
    ports: tuple[SlicePort, ...]
    manifest: Manifest
    source: Source = field(compare=False)

    @property
    def service(self) -> tuple[str, str] | None:
        """Namespace and name of the Service that it belongs to, by its label."""
        name = self.metadata.labels.get(SERVICE_LABEL)
        return (self.metadata.key[0], name) if name else None


def decode(manifest: Manifest, source: Source) -> EndpointSlice:
    """The slice of a valid manifest whose defaults are filled in."""
    return EndpointSlice(
        Metadata.decode(manifest),
        manifest["addressType"],
        tuple(SliceEndpoint.decode(one) for one in manifest["endpoints"]),
        tuple(SlicePort.decode(one) for one in manifest.get("ports", ())),
        manifest,
        source,
    )


def _default(manifest: Manifest) -> None:
    manifest.setdefault("endpoints", [])
    for port in manifest.get("ports", ()):
        port.setdefault("name", "")
        port.setdefault("protocol", "TCP")


KIND = Kind(
    EndpointSlice.api_version,
    "EndpointSlice",
    "endpointslices",
    (),
    True,
    names.dns_subdomain,
    _default,
    validate,
    decode,
)
