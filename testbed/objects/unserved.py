"""Fields that Kubernetes acts on and this lab does not.

They are accepted, so that a manifest made for a real cluster loads unchanged. Those that would
change what a process does or what its network is are named here, so that the command line can warn.
Fields without such an effect (resources, tolerations, labels of all kinds) are not.
"""

from __future__ import annotations

from collections.abc import Iterator

from testbed.objects.kind import Object
from testbed.objects.source import Manifest, Path, dotted

_POD = (
    "hostPID",
    "hostIPC",
    "hostAliases",
    "volumes",
    "activeDeadlineSeconds",
    "readinessGates",
    "schedulingGates",
    "setHostnameAsFQDN",
)
_CONTAINER = (
    "envFrom",
    "lifecycle",
    "volumeDevices",
    "volumeMounts",
)
_ENV_SOURCES = ("configMapKeyRef", "fileKeyRef", "resourceFieldRef", "secretKeyRef")


def unserved_fields(obj: Object) -> list[str]:
    """The paths of an object's fields that would have an effect and have none here.

    Args:
        obj: Any object.

    Returns:
        Paths such as ``spec.containers[0].livenessProbe``, in the order of the object.
    """
    path: Path = ("spec",)
    spec = obj.manifest.get("spec", {})
    if "template" in spec:
        path, spec = ("spec", "template", "spec"), spec["template"]["spec"]
    return [dotted(found) for found in _unserved(spec, path)]


def _unserved(spec: Manifest, path: Path) -> Iterator[Path]:
    yield from ((*path, name) for name in _POD if spec.get(name))
    if spec.get("securityContext", {}).get("sysctls"):
        yield (*path, "securityContext", "sysctls")
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group, ())):
            yield from _unserved_of_container(container, (*path, group, index))


def _unserved_of_container(container: Manifest, path: Path) -> Iterator[Path]:
    yield from ((*path, name) for name in _CONTAINER if container.get(name))
    for index, variable in enumerate(container.get("env", ())):
        for source in _ENV_SOURCES:
            if source in variable.get("valueFrom", {}):
                yield (*path, "env", index, "valueFrom", source)
