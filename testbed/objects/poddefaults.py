"""The defaults of a pod's specification, as in ``pkg/apis/core/v1/defaults.go``.

An empty string counts as absent, as in Go.
"""

from __future__ import annotations

from typing import Any

from testbed.objects.source import Manifest

_SPEC = {
    "dnsPolicy": "ClusterFirst",
    "restartPolicy": "Always",
    "schedulerName": "default-scheduler",
}
_CONTAINER = {
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}
_HTTP_GET = {"path": "/", "scheme": "HTTP"}
_VOLUME_MODE = 0o644
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_VOLUMES_WITH_MODE = ("secret", "configMap", "downwardAPI", "projected")


def default_pod(spec: Manifest) -> None:
    """Completes the specification of a Pod: that of a template, and what only a Pod gets."""
    default_template(spec)
    spec.setdefault("enableServiceLinks", True)
    for container in _containers(spec):
        resources = container["resources"]
        if limits := resources.get("limits"):
            resources["requests"] = {**limits, **resources.get("requests", {})}
        for port in container.get("ports", ()) if spec.get("hostNetwork") else ():
            port["hostPort"] = port.get("hostPort") or port.get("containerPort")


def default_template(spec: Manifest) -> None:
    """Completes the specification in a template."""
    _fill(spec, _SPEC)
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    for container in _containers(spec):
        _container(container)
    for volume in spec.get("volumes", ()):
        if volume.keys() <= {"name"}:
            volume["emptyDir"] = {}
        for source in _VOLUMES_WITH_MODE:
            if source in volume:
                volume[source].setdefault("defaultMode", _VOLUME_MODE)


def pull_policy(image: str) -> str:
    """When an image is pulled: always if its tag is ``latest``, given or implied."""
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return "Always" if tag == "latest" or not (tag or digest) else "IfNotPresent"


def _container(container: Manifest) -> None:
    _fill(container, _CONTAINER | {"imagePullPolicy": pull_policy(container.get("image", ""))})
    resources = container.setdefault("resources", {})
    for kind in resources.keys() & {"limits", "requests"}:
        resources[kind] = {name: str(quantity) for name, quantity in resources[kind].items()}
    for port in container.get("ports", ()):
        _fill(port, {"protocol": "TCP"})
    for variable in container.get("env", ()):
        if field := variable.get("valueFrom", {}).get("fieldRef"):
            _fill(field, {"apiVersion": "v1"})
    for name in container.keys() & set(_PROBES):
        _fill(container[name], _PROBE)
        if "httpGet" in container[name]:
            _fill(container[name]["httpGet"], _HTTP_GET)
        if "grpc" in container[name]:
            container[name]["grpc"].setdefault("service", "")


def _containers(spec: Manifest) -> list[Manifest]:
    return [*spec.get("initContainers", ()), *spec.get("containers", ())]


def _fill(manifest: Manifest, defaults: dict[str, Any]) -> None:
    """Sets what is absent, empty or zero."""
    for name, value in defaults.items():
        if not manifest.get(name):
            manifest[name] = value
