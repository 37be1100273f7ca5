"""Namespaces (v1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from testbed.objects import names
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.source import Findings, Manifest, Source

NAME_LABEL = "kubernetes.io/metadata.name"
"""The label that the API server puts on every namespace, with its name."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace.

    Attributes:
        metadata: Name and labels, :data:`NAME_LABEL` among them.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Namespace"
    api_version: ClassVar[str] = "v1"

    metadata: Metadata
    manifest: Manifest
    source: Source = field(compare=False)


def _default(manifest: Manifest) -> None:
    metadata = manifest["metadata"]
    metadata.setdefault("labels", {})[NAME_LABEL] = metadata["name"]
    manifest["spec"] = {"finalizers": ["kubernetes"]} | manifest.get("spec", {})


def _validate(_manifest: Manifest, _findings: Findings) -> None:
    """A namespace is nothing but its metadata."""


def _decode(manifest: Manifest, source: Source) -> Namespace:
    return Namespace(Metadata.decode(manifest), manifest, source)


KIND = Kind(
    "v1", "Namespace", "namespaces", ("ns",), False, names.dns_label, _default, _validate, _decode
)
