"""Deployments (apps/v1).

Defaults as in ``pkg/apis/apps/v1/defaults.go``; the rules are in
:mod:`testbed.objects.deploymentcheck`.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from testbed.objects import names, pod
from testbed.objects.deploymentcheck import validate
from testbed.objects.kind import Kind
from testbed.objects.labels import LabelSelector
from testbed.objects.meta import Metadata
from testbed.objects.poddefaults import default_pod, default_template
from testbed.objects.podspec import PodSpec
from testbed.objects.source import Manifest, Source


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """What the pods of a Deployment are made from.

    Attributes:
        labels: Of each pod.
        annotations: Of each pod.
        spec: Of each pod.
        manifest: The template as Kubernetes JSON: ``metadata`` and ``spec``.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: PodSpec
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class Deployment:
    """A Deployment.

    Attributes:
        metadata: Name, namespace, labels, annotations.
        replicas: How many pods there are to be.
        selector: Which pods are its own; it matches the template's labels.
        template: What the pods are made from.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "Deployment"
    api_version: ClassVar[str] = "apps/v1"

    metadata: Metadata
    replicas: int
    selector: LabelSelector
    template: PodTemplate
    manifest: Manifest
    source: Source = field(compare=False)

    def pod(self, name: str, labels: Mapping[str, str] | None = None) -> pod.Pod:
        """One of its pods, in its namespace; valid because the template is.

        Args:
            name: The pod's name.
            labels: Labels beside the template's, such as ``pod-template-hash``.
        """
        template = copy.deepcopy(self.template.manifest)
        metadata = template.get("metadata", {}) | {
            "name": name,
            "namespace": self.metadata.namespace,
            "labels": {**self.template.labels, **(labels or {})},
        }
        default_pod(template["spec"])
        manifest = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": metadata,
            "spec": template["spec"],
        }
        return pod.decode(manifest, self.source)


def _default(manifest: Manifest) -> None:
    spec = manifest["spec"]
    spec.setdefault("replicas", 1)
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    strategy = spec.setdefault("strategy", {})
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    default_template(spec["template"].setdefault("spec", {}))


def _decode(manifest: Manifest, source: Source) -> Deployment:
    spec = manifest["spec"]
    template = spec["template"]
    metadata = template.get("metadata", {})
    return Deployment(
        Metadata.decode(manifest),
        spec["replicas"],
        LabelSelector.decode(spec["selector"]),
        PodTemplate(
            metadata.get("labels", {}),
            metadata.get("annotations", {}),
            PodSpec.decode(template["spec"]),
            template,
        ),
        manifest,
        source,
    )


KIND = Kind(
    "apps/v1",
    "Deployment",
    "deployments",
    ("deploy",),
    True,
    names.dns_subdomain,
    _default,
    validate,
    _decode,
)
