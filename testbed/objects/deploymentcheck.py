"""What is wrong with a Deployment, beyond its structure and metadata.

The rules and words of ``pkg/apis/apps/validation/validation.go``.
"""

from __future__ import annotations

import re
from typing import Any

from testbed.objects.labels import LabelSelector, validate_selector
from testbed.objects.meta import validate_annotations, validate_labels
from testbed.objects.podcheck import validate_spec
from testbed.objects.source import Findings, Manifest, Path

_STRATEGIES = ("Recreate", "RollingUpdate")
_COUNTS = ("replicas", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")


def validate(manifest: Manifest, findings: Findings) -> None:
    """Adds what is wrong with a Deployment beyond its structure and metadata."""
    spec = manifest["spec"]
    for name in _COUNTS:
        if spec.get(name, 0) < 0:
            rule = "must be greater than or equal to 0"
            findings.invalid(("spec", name), spec[name], rule)
    if spec["progressDeadlineSeconds"] <= spec.get("minReadySeconds", 0):
        rule = "must be greater than minReadySeconds"
        findings.invalid(("spec", "progressDeadlineSeconds"), spec["progressDeadlineSeconds"], rule)
    _validate_strategy(spec["strategy"], findings)
    _validate_template(spec["template"], findings)
    _validate_selector(spec, findings)


def _validate_selector(spec: Manifest, findings: Findings) -> None:
    selector = spec["selector"]
    valid = validate_selector(selector, ("spec", "selector"), findings)
    labels = spec["template"].get("metadata", {}).get("labels", {})
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        rule = "empty selector is invalid for deployment"
        findings.invalid(("spec", "selector"), selector, rule)
    elif valid and not LabelSelector.decode(selector).matches(labels):
        path = ("spec", "template", "metadata", "labels")
        findings.invalid(path, labels, "`selector` does not match template `labels`")


def _validate_template(template: Manifest, findings: Findings) -> None:
    path = ("spec", "template")
    metadata, spec = template.get("metadata", {}), template["spec"]
    validate_labels(metadata.get("labels", {}), (*path, "metadata", "labels"), findings)
    annotations = (*path, "metadata", "annotations")
    validate_annotations(metadata.get("annotations", {}), annotations, findings)
    validate_spec(spec, (*path, "spec"), findings)
    if spec["restartPolicy"] in {"OnFailure", "Never"}:
        findings.unsupported((*path, "spec", "restartPolicy"), spec["restartPolicy"], ["Always"])
    if "activeDeadlineSeconds" in spec:
        rule = "activeDeadlineSeconds in ReplicaSet is not Supported"
        findings.forbidden((*path, "spec", "activeDeadlineSeconds"), rule)


def _validate_strategy(strategy: Manifest, findings: Findings) -> None:
    path = ("spec", "strategy")
    kind, rolling = strategy["type"], strategy.get("rollingUpdate")
    if kind not in _STRATEGIES:
        findings.unsupported((*path, "type"), kind, _STRATEGIES)
    elif kind == "Recreate" and rolling is not None:
        rule = "may not be specified when strategy `type` is 'Recreate'"
        findings.forbidden((*path, "rollingUpdate"), rule)
    elif rolling is not None:
        good = [
            _is_count(rolling[name], (*path, "rollingUpdate", name), findings)
            for name in ("maxUnavailable", "maxSurge")
        ]
        if all(good) and all(_zero(rolling[name]) for name in ("maxUnavailable", "maxSurge")):
            rule = "may not be 0 when `maxSurge` is 0"
            where = (*path, "rollingUpdate", "maxUnavailable")
            findings.invalid(where, rolling["maxUnavailable"], rule)


def _is_count(value: Any, path: Path, findings: Findings) -> bool:
    """Whether it is a number of pods: an integer from 0, or a percentage."""
    if isinstance(value, int):
        reason = "must be greater than or equal to 0" if value < 0 else ""
    elif re.fullmatch("[0-9]{1,9}%", value):
        over = path[-1] == "maxUnavailable" and int(value[:-1]) > 100
        reason = "must not be greater than 100%" if over else ""
    else:
        reason = "must be an integer or a percentage (e.g '5%')"
    if reason:
        findings.invalid(path, value, reason)
    return not reason


def _zero(value: int | str) -> bool:
    return int(str(value).rstrip("%")) == 0
