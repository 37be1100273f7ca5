"""Ingresses (networking.k8s.io/v1).

The rules are in :mod:`testbed.objects.ingresscheck`. Annotations are kept as written: what of them
a controller understands is :mod:`testbed.ingress.annotations`. Kubernetes fills in no defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from testbed.objects import names
from testbed.objects.ingresscheck import CLASS_ANNOTATION, validate
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.source import Manifest, Source

PathType = Literal["Exact", "Prefix", "ImplementationSpecific"]


@dataclass(frozen=True, slots=True)
class IngressBackend:
    """Where requests go.

    Attributes:
        service: Name of a Service in the Ingress's namespace; empty for a ``resource``.
        port: Of the Service: its number or name.
        resource: ``Kind/name`` of another object; empty for a Service.
    """

    service: str
    port: int | str
    resource: str = ""

    @classmethod
    def decode(cls, backend: Mapping[str, Any]) -> IngressBackend:
        """The backend of a valid Ingress."""
        if "resource" in backend:
            return cls("", 0, f"{backend['resource']['kind']}/{backend['resource']['name']}")
        service = backend["service"]
        port = service["port"]
        return cls(service["name"], port.get("name") or port["number"])


@dataclass(frozen=True, slots=True)
class IngressPath:
    """A path of a rule.

    Attributes:
        path: As written; empty (for ``ImplementationSpecific`` only) means all.
        type: How it is compared.
        backend: Where its requests go.
    """

    path: str
    type: PathType
    backend: IngressBackend


@dataclass(frozen=True, slots=True)
class IngressRule:
    """The paths of a host.

    Attributes:
        host: A name, a wildcard such as ``*.example.com``, or empty for all other hosts.
        paths: In the order of declaration; without any, all requests go to the default backend.
    """

    host: str
    paths: tuple[IngressPath, ...]

    @classmethod
    def decode(cls, rule: Mapping[str, Any]) -> IngressRule:
        """The rule of a valid Ingress."""
        paths = rule.get("http", {}).get("paths", ())
        return cls(
            rule.get("host", ""),
            tuple(
                IngressPath(p.get("path", ""), p["pathType"], IngressBackend.decode(p["backend"]))
                for p in paths
            ),
        )


@dataclass(frozen=True, slots=True)
class IngressTls:
    """Hosts and their certificate.

    Attributes:
        hosts: Names or wildcards; empty for those that the certificate has.
        secret: Name of a Secret in the Ingress's namespace; empty for the controller's own.
    """

    hosts: tuple[str, ...]
    secret: str


@dataclass(frozen=True, slots=True)
class Ingress:
    """An Ingress.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        class_name: Of its IngressClass, by its field or else by the deprecated annotation; None if
            neither is there, so that the default class is meant.
        default_backend: For requests that no rule takes; None if it has none.
        rules: In the order of declaration.
        tls: In the order of declaration.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Ingress"
    api_version: ClassVar[str] = "networking.k8s.io/v1"

    metadata: Metadata
    class_name: str | None
    default_backend: IngressBackend | None
    rules: tuple[IngressRule, ...]
    tls: tuple[IngressTls, ...]
    manifest: Manifest
    source: Source = field(compare=False)

    @property
    def by_annotation(self) -> bool:
        """Whether its class is named by the deprecated annotation only."""
        return self.class_name is not None and "ingressClassName" not in self.manifest["spec"]


def decode(manifest: Manifest, source: Source) -> Ingress:
    """The Ingress of a valid manifest."""
    metadata, spec = Metadata.decode(manifest), manifest["spec"]
    backend = spec.get("defaultBackend")
    tls = spec.get("tls", ())
    return Ingress(
        metadata,
        spec.get("ingressClassName", metadata.annotations.get(CLASS_ANNOTATION)),
        None if backend is None else IngressBackend.decode(backend),
        tuple(IngressRule.decode(rule) for rule in spec.get("rules", ())),
        tuple(IngressTls(tuple(t.get("hosts", ())), t.get("secretName", "")) for t in tls),
        manifest,
        source,
    )


def _default(manifest: Manifest) -> None:
    manifest.setdefault("spec", {})


KIND = Kind(
    Ingress.api_version,
    "Ingress",
    "ingresses",
    ("ing",),
    True,
    names.dns_subdomain,
    _default,
    validate,
    decode,
)
