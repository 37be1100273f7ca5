"""A Service that is changed: what it keeps, and what may not change.

As ``patchAllocatedValues`` in ``pkg/registry/core/service/storage/storage.go`` and
``ValidateServiceUpdate`` in ``pkg/apis/core/validation/validation.go``.
"""

from __future__ import annotations

from testbed.objects.serviceform import (
    has_virtual_ip,
    headless,
    needs_health_check,
    needs_node_ports,
)
from testbed.objects.source import Findings, Manifest

_ONCE = "may not change once set"


def keep_allocated(spec: Manifest, old: Manifest) -> None:
    """Fills in what the Service has and the new specification does not name.

    Args:
        spec: The new specification; changed in place.
        old: As it was; empty if there was none.
    """
    if not old:
        return
    if has_virtual_ip(old) and has_virtual_ip(spec) and not spec.get("clusterIPs"):
        spec["clusterIP"], spec["clusterIPs"] = old["clusterIP"], old["clusterIPs"]
    if needs_node_ports(old) and needs_node_ports(spec):
        _keep_node_ports(spec, old)
    if needs_health_check(old) and needs_health_check(spec):
        spec.setdefault("healthCheckNodePort", old["healthCheckNodePort"])


def _keep_node_ports(spec: Manifest, old: Manifest) -> None:
    """Ports of the same name keep their node port, if no other port has asked for it."""
    ports, before = spec.get("ports", []), old.get("ports", [])
    asked = {port["nodePort"] for port in ports if "nodePort" in port}
    named = {port.get("name", ""): port["nodePort"] for port in before if "nodePort" in port}
    for port in ports:
        kept = named.get(port.get("name", ""))
        if "nodePort" not in port and kept is not None and kept not in asked:
            port["nodePort"] = kept


def check_unchanged(spec: Manifest, old: Manifest, findings: Findings) -> None:
    """Adds changes that Kubernetes refuses.

    Args:
        spec: The new specification, with what it keeps.
        old: As it was; empty if there was none.
        findings: Takes what is wrong.
    """
    if not old:
        return
    if has_virtual_ip(old) and has_virtual_ip(spec) and not (headless(old) and headless(spec)):
        _check_addresses(spec, old, findings)
    if old["type"] == spec["type"] == "LoadBalancer":
        name = spec.get("loadBalancerClass")
        if name != old.get("loadBalancerClass"):
            findings.invalid(("spec", "loadBalancerClass"), name, _ONCE)
    checked = needs_health_check(old) and needs_health_check(spec)
    if checked and spec["healthCheckNodePort"] != old["healthCheckNodePort"]:
        findings.forbidden(("spec", "healthCheckNodePort"), "field is immutable")


def _check_addresses(spec: Manifest, old: Manifest, findings: Findings) -> None:
    new, before = spec["clusterIPs"], old["clusterIPs"]
    if new[:1] != before[:1]:
        findings.invalid(("spec", "clusterIPs", 0), new, _ONCE)
    elif not headless(spec) and spec["ipFamilies"][:1] != old["ipFamilies"][:1]:
        findings.invalid(("spec", "ipFamilies", 0), spec["ipFamilies"], _ONCE)
