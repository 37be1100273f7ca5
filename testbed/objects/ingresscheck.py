"""What is wrong with an Ingress, beyond its structure and metadata.

The rules, paths and words of ``ValidateIngressCreate`` in
``pkg/apis/networking/validation/validation.go``, Kubernetes 1.34. One difference: the deprecated
annotation is named by its real path, ``metadata.annotations``.
"""

from __future__ import annotations

import re

from testbed.objects import names
from testbed.objects.addresses import parse
from testbed.objects.source import Findings, Manifest, Path

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
"""The deprecated way to name an Ingress's class."""

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_SEQUENCES = ("//", "/./", "/../", "%2f", "%2F")
_SUFFIXES = ("/..", "/.")
_WILDCARD = re.compile(r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_WILDCARD_RULE = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which "
    "must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric "
    "character (e.g. '*.example.com')"
)
_HOST_BYTES = 253


def validate(manifest: Manifest, findings: Findings) -> None:
    """Adds what is wrong with an Ingress beyond its structure and metadata."""
    spec, path = manifest["spec"], ("spec",)
    if not spec.get("rules") and "defaultBackend" not in spec:
        rule = "either `defaultBackend` or `rules` must be specified"
        findings.invalid(path, spec.get("rules"), rule)
    if "defaultBackend" in spec:
        _validate_backend(spec["defaultBackend"], (*path, "defaultBackend"), findings)
    for index, rule in enumerate(spec.get("rules", ())):
        _validate_rule(rule, (*path, "rules", index), findings)
    for index, tls in enumerate(spec.get("tls", ())):
        _validate_tls(tls, (*path, "tls", index), findings)
    _validate_class(manifest, findings)


def _validate_class(manifest: Manifest, findings: Findings) -> None:
    name = manifest["spec"].get("ingressClassName")
    if name is None:
        return
    findings.invalid(("spec", "ingressClassName"), name, names.dns_subdomain(name))
    old = manifest["metadata"].get("annotations", {}).get(CLASS_ANNOTATION, name)
    if old != name:
        rule = "must match `ingressClassName` when both are specified"
        findings.invalid(("metadata", "annotations", CLASS_ANNOTATION), old, rule)


def _host_reasons(host: str) -> list[str]:
    if "*" not in host:
        return names.dns_subdomain(host)
    long = len(host) > _HOST_BYTES
    reasons = [f"must be no more than {_HOST_BYTES} bytes"] if long else []
    return reasons if _WILDCARD.fullmatch(host) else [*reasons, _WILDCARD_RULE]


def _validate_tls(tls: Manifest, path: Path, findings: Findings) -> None:
    for index, host in enumerate(tls.get("hosts", ())):
        findings.invalid((*path, "hosts", index), host, _host_reasons(host))
    name = tls.get("secretName", "")
    if name:
        findings.invalid((*path, "secretName"), name, names.dns_subdomain(name))


def _validate_rule(rule: Manifest, path: Path, findings: Findings) -> None:
    host = rule.get("host", "")
    if host:
        if parse(host) is not None:
            findings.invalid((*path, "host"), host, "must be a DNS name, not an IP address")
        findings.invalid((*path, "host"), host, _host_reasons(host))
    if "http" not in rule:
        return
    place = (*path, "http", "paths")
    if not rule["http"]["paths"]:
        findings.required(place)
    for index, item in enumerate(rule["http"]["paths"]):
        _validate_path(item, (*place, index), findings)


def _validate_path(item: Manifest, path: Path, findings: Findings) -> None:
    kind, text, place = item["pathType"], item.get("path", ""), (*path, "path")
    if kind not in PATH_TYPES:
        findings.unsupported((*path, "pathType"), kind, PATH_TYPES)
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        findings.invalid(place, text, "must be an absolute path")
    if kind in {"Exact", "Prefix"}:
        for part in _SEQUENCES:
            if part in text:
                findings.invalid(place, text, f"must not contain '{part}'")
        for part in _SUFFIXES:
            if text.endswith(part):
                findings.invalid(place, text, f"cannot end with '{part}'")
    _validate_backend(item["backend"], (*path, "backend"), findings)


def _validate_backend(backend: Manifest, path: Path, findings: Findings) -> None:
    if "resource" in backend and "service" in backend:
        findings.invalid(path, "", "cannot set both resource and service backends")
    elif "resource" in backend:
        validate_reference(backend["resource"], (*path, "resource"), findings)
    elif "service" in backend:
        _validate_service(backend["service"], path, findings)
    else:
        findings.invalid(path, "", "resource or service backend is required")


def _validate_service(service: Manifest, path: Path, findings: Findings) -> None:
    name, inner = service["name"], (*path, "service")
    if name:
        findings.invalid((*inner, "name"), name, names.dns_1035_label(name))
    else:
        findings.required((*inner, "name"))
    port = service.get("port", {})
    word, number = port.get("name", ""), port.get("number", 0)
    if word and number:
        findings.invalid(path, "", "cannot set both port name & port number")
    elif word:
        findings.invalid((*inner, "port", "name"), word, names.port_name(word))
    elif number:
        findings.invalid((*inner, "port", "number"), number, names.port_number(number))
    else:
        findings.required(path, "port name or number is required")


def validate_reference(reference: Manifest, path: Path, findings: Findings) -> None:
    """Adds what is wrong with a reference (``validateIngressTypedLocalObjectReference``)."""
    if "apiGroup" in reference:
        group = reference["apiGroup"]
        findings.invalid((*path, "apiGroup"), group, names.dns_subdomain(group))
    for field in ("kind", "name"):
        value = reference[field]
        if value:
            findings.invalid((*path, field), value, _segment(value))
        else:
            findings.required((*path, field))


def _segment(value: str) -> list[str]:
    """What may not be a part of a path (``IsValidPathSegmentName``)."""
    if value in {".", ".."}:
        return [f"may not be '{value}'"]
    return [f"may not contain '{part}'" for part in ("/", "%") if part in value]
