"""What is wrong with a pod's containers, beyond their structure.

The rules and words of ``pkg/apis/core/validation/validation.go`` (``validateContainers``,
``validateContainerPorts``, ``ValidateEnv``).
"""

from __future__ import annotations

import re
from typing import Any

from testbed.objects import names
from testbed.objects.env import KEYED_FIELD, PLAIN_FIELDS
from testbed.objects.probe import validate_probes
from testbed.objects.source import Findings, Manifest, Path

_PROTOCOLS = ("TCP", "UDP", "SCTP")
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_MESSAGE_POLICIES = ("File", "FallbackToLogsOnError")
_QUANTITY = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?")
_VALUE_SOURCES = "fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef or fileKeyRef"


def validate_containers(spec: Manifest, path: Path, findings: Findings) -> None:
    """Adds what is wrong with containers and init containers; names are unique over both."""
    if not spec.get("containers"):
        findings.required((*path, "containers"))
    seen: set[str] = set()
    host_ports: set[tuple[Any, ...]] = set()
    for group in ("initContainers", "containers"):
        for index, container in enumerate(spec.get(group, ())):
            place = (*path, group, index)
            _validate_container(container, place, findings)
            _unique(container.get("name"), seen, (*place, "name"), findings)
            if group == "containers":
                _validate_host_ports(container, host_ports, place, findings)
    if spec.get("ephemeralContainers"):
        findings.forbidden((*path, "ephemeralContainers"), "cannot be set on creation")


def _validate_container(container: Manifest, path: Path, findings: Findings) -> None:
    name, image = container.get("name", ""), container.get("image", "")
    if name:
        findings.invalid((*path, "name"), name, names.dns_label(name))
    else:
        findings.required((*path, "name"))
    if not image:
        findings.required((*path, "image"))
    elif image != image.strip():
        rule = "must not have leading or trailing whitespace"
        findings.invalid((*path, "image"), image, rule)
    for field, values in (
        ("imagePullPolicy", _PULL_POLICIES),
        ("terminationMessagePolicy", _MESSAGE_POLICIES),
    ):
        if container[field] not in values:
            findings.unsupported((*path, field), container[field], values)
    _validate_ports(container.get("ports", []), (*path, "ports"), findings)
    _validate_resources(container["resources"], (*path, "resources"), findings)
    validate_probes(container, path, findings)
    for index, variable in enumerate(container.get("env", ())):
        _validate_env(variable, (*path, "env", index), findings)


def _validate_ports(ports: list[Manifest], path: Path, findings: Findings) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        place, name, number = (*path, index), port.get("name", ""), port["containerPort"]
        if name:
            findings.invalid((*place, "name"), name, names.port_name(name))
            _unique(name, seen, (*place, "name"), findings)
        if number == 0:
            findings.required((*place, "containerPort"))
        else:
            findings.invalid((*place, "containerPort"), number, names.port_number(number))
        if host_port := port.get("hostPort"):
            findings.invalid((*place, "hostPort"), host_port, names.port_number(host_port))
        if port["protocol"] not in _PROTOCOLS:
            findings.unsupported((*place, "protocol"), port["protocol"], _PROTOCOLS)


def _validate_host_ports(
    container: Manifest, seen: set[tuple[Any, ...]], path: Path, findings: Findings
) -> None:
    """A port of the host can be taken only once in a pod."""
    for index, port in enumerate(container.get("ports", ())):
        if host_port := port.get("hostPort"):
            taken = (port["protocol"], port.get("hostIP", ""), host_port)
            if taken in seen:
                shown = "/".join(str(part) for part in taken)
                findings.duplicate((*path, "ports", index, "hostPort"), shown)
            seen.add(taken)


def _validate_resources(resources: Manifest, path: Path, findings: Findings) -> None:
    for group in ("limits", "requests"):
        for name, quantity in resources.get(group, {}).items():
            copied = group == "requests" and resources.get("limits", {}).get(name) == quantity
            if not copied and not _QUANTITY.fullmatch(quantity):
                rule = "must be a quantity, such as 500m, 1.5 or 64Mi"
                findings.invalid((*path, group, name), quantity, rule)


def _validate_env(variable: Manifest, path: Path, findings: Findings) -> None:
    name, sources = variable["name"], variable.get("valueFrom")
    if name:
        findings.invalid((*path, "name"), name, names.env_name(name))
    else:
        findings.required((*path, "name"))
    if sources is None:
        return
    if not sources:
        findings.invalid((*path, "valueFrom"), "", f"must specify one of: {_VALUE_SOURCES}")
    elif len(sources) > 1:
        rule = "may not have more than one field specified at a time"
        findings.invalid((*path, "valueFrom"), "", rule)
    if variable.get("value"):
        rule = "may not be specified when `value` is not empty"
        findings.invalid((*path, "valueFrom"), "", rule)
    if "fieldRef" in sources:
        _validate_field_path(sources["fieldRef"]["fieldPath"], path, findings)


def _validate_field_path(field: str, variable: Path, findings: Findings) -> None:
    path = (*variable, "valueFrom", "fieldRef", "fieldPath")
    if match := KEYED_FIELD.fullmatch(field):
        findings.invalid(path, field, names.label_key(match[1]))
    elif field not in PLAIN_FIELDS:
        findings.unsupported(path, field, [*PLAIN_FIELDS, "metadata.labels['KEY']"])


def _unique(name: str | None, seen: set[str], path: Path, findings: Findings) -> None:
    if name and name in seen:
        findings.duplicate(path, name)
    seen.add(name or "")
