"""What is wrong with a pod's specification, beyond its structure.

The rules and words of ``pkg/apis/core/validation/validation.go``, for the fields that this lab
acts on. Containers have a module of their own, :mod:`testbed.objects.containercheck`.
"""

from __future__ import annotations

import ipaddress

from testbed.objects import dnsconfig, names
from testbed.objects.containercheck import validate_containers
from testbed.objects.meta import validate_labels
from testbed.objects.source import Findings, Manifest, Path

_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_DEADLINE_MAX = 2**31 - 1


def validate_spec(spec: Manifest, path: Path, findings: Findings) -> None:
    """Adds what is wrong with the specification of a pod or of a template."""
    validate_containers(spec, path, findings)
    _validate_host_network(spec, path, findings)
    _validate_choices(spec, path, findings)
    _validate_names(spec, path, findings)
    grace = spec["terminationGracePeriodSeconds"]
    if grace < 0:
        rule = "must be greater than or equal to 0"
        findings.invalid((*path, "terminationGracePeriodSeconds"), grace, rule)
    deadline = spec.get("activeDeadlineSeconds", 1)
    if not 1 <= deadline <= _DEADLINE_MAX:
        rule = f"must be between 1 and {_DEADLINE_MAX}, inclusive"
        findings.invalid((*path, "activeDeadlineSeconds"), deadline, rule)
    for index, alias in enumerate(spec.get("hostAliases", ())):
        try:
            ipaddress.ip_address(alias["ip"])
        except ValueError:
            rule = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
            findings.invalid((*path, "hostAliases", index, "ip"), alias["ip"], rule)


def _validate_host_network(spec: Manifest, path: Path, findings: Findings) -> None:
    """A port of the node's network is what it is; nobody forwards another one to it."""
    for i, container in enumerate(spec.get("containers", ()) if spec.get("hostNetwork") else ()):
        for j, port in enumerate(container.get("ports", ())):
            taken = port.get("hostPort", 0)
            if taken and taken != port["containerPort"]:
                rule = "must match `containerPort` when `hostNetwork` is true"
                findings.invalid((*path, "containers", i, "ports", j, "hostPort"), taken, rule)


def _validate_choices(spec: Manifest, path: Path, findings: Findings) -> None:
    policy = spec["restartPolicy"]
    if policy not in _RESTART_POLICIES:
        findings.unsupported((*path, "restartPolicy"), policy, _RESTART_POLICIES)
    policy = spec["dnsPolicy"]
    if policy not in _DNS_POLICIES:
        findings.unsupported((*path, "dnsPolicy"), policy, _DNS_POLICIES)
    dnsconfig.validate(spec, path, findings)


def _validate_names(spec: Manifest, path: Path, findings: Findings) -> None:
    rules = {
        "nodeName": names.dns_subdomain,
        "hostname": names.dns_label,
        "subdomain": names.dns_label,
        "serviceAccountName": names.dns_subdomain,
    }
    for name, rule in rules.items():
        if value := spec.get(name):
            findings.invalid((*path, name), value, rule(value))
    validate_labels(spec.get("nodeSelector", {}), (*path, "nodeSelector"), findings)
