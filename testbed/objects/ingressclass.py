"""IngressClasses (networking.k8s.io/v1): which controller serves which Ingresses.

Validation as ``ValidateIngressClass`` in ``pkg/apis/networking/validation/validation.go``, the
default as in ``pkg/apis/networking/v1/defaults.go``, Kubernetes 1.34.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from testbed.objects import names
from testbed.objects.ingresscheck import validate_reference
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.source import Findings, Manifest, Path, Source

DEFAULT_ANNOTATION = "ingressclass.kubernetes.io/is-default-class"
"""``true`` on the class of Ingresses that name none."""

_CONTROLLER_BYTES = 250
_HTTP_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_SCOPES = ("Cluster", "Namespace")


@dataclass(frozen=True, slots=True)
class IngressClass:
    """A class of Ingresses.

    Attributes:
        metadata: Name, labels, annotations.
        controller: Who serves it, such as ``k8s.io/ingress-nginx``.
        default: Whether it is the class of Ingresses that name none.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "IngressClass"
    api_version: ClassVar[str] = "networking.k8s.io/v1"

    metadata: Metadata
    controller: str
    default: bool
    manifest: Manifest
    source: Source = field(compare=False)


def decode(manifest: Manifest, source: Source) -> IngressClass:
    """The class of a valid manifest whose defaults are filled in."""
    metadata = Metadata.decode(manifest)
    default = metadata.annotations.get(DEFAULT_ANNOTATION) == "true"
    return IngressClass(metadata, manifest["spec"]["controller"], default, manifest, source)


def _default(manifest: Manifest) -> None:
    parameters = manifest.setdefault("spec", {}).get("parameters")
    if parameters is not None:
        parameters.setdefault("scope", "Cluster")


def _validate(manifest: Manifest, findings: Findings) -> None:
    spec, path = manifest["spec"], ("spec", "controller")
    controller = spec.get("controller", "")
    if not controller:
        findings.required(path)
    else:
        if len(controller.encode()) > _CONTROLLER_BYTES:
            findings.add(path, f"Too long: may not be more than {_CONTROLLER_BYTES} bytes")
        _validate_controller(controller, path, findings)
    if "parameters" in spec:
        _validate_parameters(spec["parameters"], ("spec", "parameters"), findings)


def _validate_controller(controller: str, path: Path, findings: Findings) -> None:
    """Adds what is wrong with a domain-prefixed path (``IsDomainPrefixedPath``)."""
    domain, _, rest = controller.partition("/")
    if not domain or not rest:
        rule = 'must be a domain-prefixed path (such as "acme.io/foo")'
        findings.invalid(path, controller, rule)
        return
    findings.invalid(path, domain, names.dns_subdomain(domain))
    if not _HTTP_PATH.fullmatch(rest):
        findings.invalid(path, rest, "Invalid path")


def _validate_parameters(parameters: Manifest, path: Path, findings: Findings) -> None:
    validate_reference(parameters, path, findings)
    scope, namespace = parameters["scope"], parameters.get("namespace")
    if scope not in _SCOPES:
        findings.unsupported((*path, "scope"), scope, _SCOPES)
    elif scope == "Cluster" and namespace is not None:
        findings.forbidden((*path, "namespace"), "`parameters.scope` is set to 'Cluster'")
    elif scope == "Namespace" and namespace is None:
        findings.required((*path, "namespace"), "`parameters.scope` is set to 'Namespace'")
    elif namespace is not None:
        findings.invalid((*path, "namespace"), namespace, names.dns_label(namespace))


KIND = Kind(
    IngressClass.api_version,
    "IngressClass",
    "ingressclasses",
    (),
    False,
    names.dns_subdomain,
    _default,
    _validate,
    decode,
)
