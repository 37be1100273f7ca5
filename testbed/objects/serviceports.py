"""What is wrong with a Service's ports.

The rules and words of ``validateServicePort`` and ``validateService`` in
``pkg/apis/core/validation/validation.go``.
"""

from __future__ import annotations

from testbed.objects import names
from testbed.objects.serviceform import headless
from testbed.objects.source import Findings, Manifest, Path

PROTOCOLS = ("SCTP", "TCP", "UDP")


def validate_ports(spec: Manifest, findings: Findings) -> None:
    """Adds what is wrong with the ports of a Service."""
    ports, path = spec.get("ports", []), ("spec", "ports")
    if not ports and not headless(spec) and spec["type"] != "ExternalName":
        findings.required(path)
    for index, port in enumerate(ports):
        _validate_port(port, len(ports) > 1, (*path, index), findings)
        if spec["type"] == "ClusterIP" and "nodePort" in port:
            rule = "may not be used when `type` is 'ClusterIP'"
            findings.forbidden((*path, index, "nodePort"), rule)
    _validate_unique(ports, path, findings)


def _validate_port(port: Manifest, several: bool, path: Path, findings: Findings) -> None:
    name = port.get("name", "")
    if name:
        findings.invalid((*path, "name"), name, names.dns_label(name))
    elif several:
        findings.required((*path, "name"))
    findings.invalid((*path, "port"), port["port"], names.port_number(port["port"]))
    if port["protocol"] not in PROTOCOLS:
        findings.unsupported((*path, "protocol"), port["protocol"], PROTOCOLS)
    target = port["targetPort"]
    findings.invalid((*path, "targetPort"), target, names.port_reference(target))
    if "appProtocol" in port:
        value = port["appProtocol"]
        findings.invalid((*path, "appProtocol"), value, names.label_key(value))


def _validate_unique(ports: list[Manifest], path: Path, findings: Findings) -> None:
    named: set[str] = set()
    outer: set[tuple[str, int]] = set()
    taken: set[tuple[str, int]] = set()
    for index, port in enumerate(ports):
        name, protocol = port.get("name", ""), port["protocol"]
        if name in named:
            findings.duplicate((*path, index, "name"), name)
        if "nodePort" in port and (protocol, port["nodePort"]) in outer:
            findings.duplicate((*path, index, "nodePort"), port["nodePort"])
        if (protocol, port["port"]) in taken:
            findings.duplicate((*path, index), {"port": port["port"], "protocol": protocol})
        named |= {name} - {""}
        outer.add((protocol, port.get("nodePort", 0)))
        taken.add((protocol, port["port"]))
