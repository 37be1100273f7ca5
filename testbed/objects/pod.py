"""Pods (v1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from testbed.objects import names
from testbed.objects.kind import Kind
from testbed.objects.meta import Metadata
from testbed.objects.podcheck import validate_spec
from testbed.objects.poddefaults import default_pod
from testbed.objects.podspec import PodSpec
from testbed.objects.source import Findings, Manifest, Source


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        spec: What it runs, and where.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Pod"
    api_version: ClassVar[str] = "v1"

    metadata: Metadata
    spec: PodSpec
    manifest: Manifest
    source: Source = field(compare=False)


def _default(manifest: Manifest) -> None:
    default_pod(manifest.setdefault("spec", {}))


def _validate(manifest: Manifest, findings: Findings) -> None:
    validate_spec(manifest["spec"], ("spec",), findings)


def decode(manifest: Manifest, source: Source) -> Pod:
    """The pod of a valid manifest whose defaults are filled in."""
    return Pod(Metadata.decode(manifest), PodSpec.decode(manifest["spec"]), manifest, source)


KIND = Kind("v1", "Pod", "pods", ("po",), True, names.dns_subdomain, _default, _validate, decode)
