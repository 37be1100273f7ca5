"""Environment variables of containers, and ``$(VAR)`` in commands, arguments and values.

As the kubelet does it: ``pkg/kubelet/kubelet_pods.go`` (``makeEnvironmentVariables``) and
``third_party/forked/golang/expansion/expand.go``. Fields of the pod (``valueFrom.fieldRef``) are
looked up when a container starts, because its address and its node are not known before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")

PLAIN_FIELDS = (
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
)
"""What a ``fieldRef`` may name, besides one label or annotation."""

KEYED_FIELD = re.compile(r"metadata\.(?:labels|annotations)\['([^']+)'\]")
"""A ``fieldRef`` to one label or annotation: ``metadata.labels['app']``."""


@dataclass(frozen=True, slots=True)
class EnvVar:
    """A variable as declared.

    Attributes:
        name: Its name.
        value: Its value, before expansion; None where it comes from somewhere else.
        field_path: The pod's field that it shows (``status.podIP``); None for a plain value and
            for the sources that this lab does not serve (ConfigMap, Secret, resources).
    """

    name: str
    value: str | None = None
    field_path: str | None = None

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> EnvVar:
        """The variable of a valid container."""
        if "valueFrom" not in manifest:
            return cls(manifest["name"], manifest.get("value", ""))
        return cls(
            manifest["name"], None, manifest["valueFrom"].get("fieldRef", {}).get("fieldPath")
        )


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replaces ``$(VAR)`` by its value.

    A name that is not in ``variables`` stays as it is, ``$$`` is a plain ``$`` (so ``$$(VAR)`` is
    the text ``$(VAR)``), and any other ``$`` means itself.
    """

    def replace(match: re.Match[str]) -> str:
        return "$" if match[1] is None else variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def environment(variables: Sequence[EnvVar], lookup: Callable[[str], str]) -> dict[str, str]:
    """The environment of a container.

    Args:
        variables: As declared, in their order: a value may refer to the variables before it.
        lookup: Field path (``status.podIP``, ``metadata.labels['app']``) → its value.

    Returns:
        Name → value, without variables whose source is not served.
    """
    result: dict[str, str] = {}
    for variable in variables:
        if variable.value is not None:
            result[variable.name] = expand(variable.value, result)
        elif variable.field_path is not None:
            result[variable.name] = lookup(variable.field_path)
    return result
