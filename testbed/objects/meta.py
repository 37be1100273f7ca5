"""The metadata of every object: name, namespace, labels, annotations.

Validation as in apimachinery ``pkg/api/validation/objectmeta.go``. Fields that only the API server
sets (``uid``, ``resourceVersion``, ``managedFields`` …) are dropped when an object is read, so that
the output of ``kubectl get -o yaml`` can be applied.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.objects import names
from testbed.objects.source import Findings, Manifest, Path

ADDRESS_ANNOTATION = "cni.projectcalico.org/ipAddrs"
"""Asks for a pod's address: a JSON list with one IPv4 address (Calico's annotation)."""

SERVER_FIELDS = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
)
"""Fields of metadata that belong to the API server."""

NameRule = Callable[[str], list[str]]
"""Reasons why a name is refused: a function of :mod:`testbed.objects.names`."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """An object's metadata.

    Attributes:
        name: Unique among objects of the kind in the namespace.
        namespace: None for kinds that have none.
        labels: As written, with Kubernetes' own added.
        annotations: As written.
    """

    name: str
    namespace: str | None
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @classmethod
    def decode(cls, manifest: Manifest) -> Metadata:
        """The metadata of a valid object."""
        metadata = manifest["metadata"]
        return cls(
            metadata["name"],
            metadata.get("namespace"),
            metadata.get("labels", {}),
            metadata.get("annotations", {}),
        )

    @property
    def key(self) -> tuple[str, str]:
        """Namespace (empty for kinds that have none) and name."""
        return self.namespace or "", self.name


def validate(manifest: Manifest, name_rule: NameRule, namespaced: bool, findings: Findings) -> None:
    """Adds what is wrong with an object's metadata."""
    metadata: dict[str, Any] = manifest.get("metadata") or {}
    path: Path = ("metadata",)
    name = metadata.get("name", "")
    if name:
        findings.invalid((*path, "name"), name, name_rule(name))
    elif metadata.get("generateName"):
        findings.forbidden((*path, "generateName"), "this lab does not make up names; set name")
    else:
        findings.required((*path, "name"))
    namespace = metadata.get("namespace", "")
    if namespace and not namespaced:
        findings.forbidden((*path, "namespace"), "not allowed on this type")
    elif namespace:
        findings.invalid((*path, "namespace"), namespace, names.dns_label(namespace))
    validate_labels(metadata.get("labels", {}), (*path, "labels"), findings)
    validate_annotations(metadata.get("annotations", {}), (*path, "annotations"), findings)


def validate_labels(labels: Mapping[str, str], path: Path, findings: Findings) -> None:
    """Adds what is wrong with labels, or with a node selector."""
    for key, value in labels.items():
        findings.invalid((*path, key), key, names.label_key(key))
        findings.invalid((*path, key), value, names.label_value(value))


def validate_annotations(annotations: dict[str, str], path: Path, findings: Findings) -> None:
    """Adds what is wrong with annotations; of their values only the asked address is looked at."""
    for key in annotations:
        findings.invalid((*path, key), key, names.label_key(key.lower()))
    for reason in names.annotations_size(annotations):
        findings.add(path, f"Too long: {reason}")
    if ADDRESS_ANNOTATION in annotations:
        value = annotations[ADDRESS_ANNOTATION]
        if requested_address(annotations) is None:
            rule = "must be a JSON list with exactly one IPv4 address, such as '[\"10.244.1.9\"]'"
            findings.invalid((*path, ADDRESS_ANNOTATION), value, rule)


def requested_address(annotations: Mapping[str, str]) -> ipaddress.IPv4Address | None:
    """The address that a pod asks for; None where it asks for none."""
    try:
        addresses = json.loads(annotations.get(ADDRESS_ANNOTATION, "null"))
    except json.JSONDecodeError:
        return None
    if not isinstance(addresses, list) or len(addresses) != 1 or not isinstance(addresses[0], str):
        return None
    try:
        return ipaddress.IPv4Address(addresses[0])
    except ValueError:
        return None
