"""What is wrong with a Service, beyond its structure and metadata.

The rules, paths and words of ``validateService`` in ``pkg/apis/core/validation/validation.go``,
Kubernetes 1.34. Three differences: what the API server allocates before it validates may be absent
here; a field that a Service of another type has left behind is an error also where the API server,
which knows the Service as it was, would drop it (``dropTypeDependentFields``); and source ranges
are named by their field's real name.
"""

from __future__ import annotations

from testbed.objects import names
from testbed.objects.addresses import validate_address, validate_endpoint, validate_network
from testbed.objects.meta import validate_labels
from testbed.objects.serviceform import (
    VIRTUAL,
    externally_accessible,
    has_virtual_ip,
    headless,
    needs_health_check,
)
from testbed.objects.serviceips import validate_cluster_ips
from testbed.objects.serviceports import validate_ports
from testbed.objects.source import Findings, Manifest

SOURCE_RANGES_ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges"
_MODE_ANNOTATIONS = (
    "service.kubernetes.io/topology-aware-hints",
    "service.kubernetes.io/topology-mode",
)
_TYPES = tuple(sorted((*VIRTUAL, "ExternalName")))
_POLICIES = ("Cluster", "Local")
_AFFINITIES = ("ClientIP", "None")
_AFFINITY_MAX = 86_400
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_BALANCERS_ONLY = "may only be used when `type` is 'LoadBalancer'"


def validate(manifest: Manifest, findings: Findings) -> None:
    """Adds what is wrong with a Service beyond its structure and metadata."""
    spec = manifest["spec"]
    if spec["type"] not in _TYPES:
        findings.unsupported(("spec", "type"), spec["type"], _TYPES)
    _validate_type(spec, findings)
    validate_ports(spec, findings)
    validate_labels(spec.get("selector", {}), ("spec", "selector"), findings)
    _validate_affinity(spec, findings)
    if spec["type"] != "ExternalName":
        validate_cluster_ips(spec, findings)
    for index, text in enumerate(spec.get("externalIPs", ())):
        path = ("spec", "externalIPs", index)
        address = validate_address(text, path, findings)
        if address is not None:
            validate_endpoint(address, text, path, findings)
    _validate_policies(spec, findings)
    _validate_balancer(spec, findings)
    _validate_annotations(manifest, findings)


def _validate_type(spec: Manifest, findings: Findings) -> None:
    kind = spec["type"]
    if kind in {"LoadBalancer", "NodePort"} and headless(spec):
        rule = f"may not be set to 'None' for {kind} services"
        findings.invalid(("spec", "clusterIPs", 0), "None", rule)
    elif kind == "ExternalName":
        for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if name in spec:
                findings.forbidden(("spec", name), "may not be set for ExternalName services")
        target = spec.get("externalName", "").removesuffix(".")
        if target:
            findings.invalid(("spec", "externalName"), target, names.dns_subdomain(target))
        else:
            findings.required(("spec", "externalName"))


def _validate_affinity(spec: Manifest, findings: Findings) -> None:
    affinity = spec["sessionAffinity"]
    if affinity not in _AFFINITIES:
        findings.unsupported(("spec", "sessionAffinity"), affinity, _AFFINITIES)
    elif affinity == "ClientIP":
        seconds = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
        if not 0 < seconds <= _AFFINITY_MAX:
            rule = f"must be greater than 0 and less than {_AFFINITY_MAX}"
            path = ("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds")
            findings.invalid(path, seconds, rule)


def _validate_policies(spec: Manifest, findings: Findings) -> None:
    external, internal = spec.get("externalTrafficPolicy"), spec.get("internalTrafficPolicy")
    path = ("spec", "externalTrafficPolicy")
    if externally_accessible(spec):
        if external not in _POLICIES:
            findings.unsupported(path, external, _POLICIES)
    elif external is not None:
        findings.invalid(path, external, "may only be set for externally-accessible services")
    if internal not in _POLICIES and (has_virtual_ip(spec) or internal is not None):
        findings.unsupported(("spec", "internalTrafficPolicy"), internal, _POLICIES)
    distribution = spec.get("trafficDistribution")
    if distribution is not None and distribution not in _DISTRIBUTIONS:
        findings.unsupported(("spec", "trafficDistribution"), distribution, _DISTRIBUTIONS)


def _validate_balancer(spec: Manifest, findings: Findings) -> None:
    balancer = spec["type"] == "LoadBalancer"
    port = spec.get("healthCheckNodePort", 0)
    if port and not needs_health_check(spec):
        rule = (
            "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        )
        findings.invalid(("spec", "healthCheckNodePort"), port, rule)
    elif port:
        findings.invalid(("spec", "healthCheckNodePort"), port, names.port_number(port))
    for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges"):
        if name in spec and not balancer:
            findings.forbidden(("spec", name), _BALANCERS_ONLY)
    if balancer and "loadBalancerClass" in spec:
        name = spec["loadBalancerClass"]
        findings.invalid(("spec", "loadBalancerClass"), name, names.label_key(name))
    for index, text in enumerate(spec.get("loadBalancerSourceRanges", ())):
        validate_network(text.strip(), ("spec", "loadBalancerSourceRanges", index), findings)


def _validate_annotations(manifest: Manifest, findings: Findings) -> None:
    annotations = manifest["metadata"].get("annotations", {})
    hints, mode = (annotations.get(name) for name in _MODE_ANNOTATIONS)
    if hints is not None and mode is not None and hints != mode:
        rule = f"must match annotations[{_MODE_ANNOTATIONS[0]}] when both are specified"
        findings.invalid(("metadata", "annotations", _MODE_ANNOTATIONS[1]), mode, rule)
    path = ("metadata", "annotations", SOURCE_RANGES_ANNOTATION)
    ranges = annotations.get(SOURCE_RANGES_ANNOTATION)
    if ranges is None or manifest["spec"].get("loadBalancerSourceRanges"):
        return
    if manifest["spec"]["type"] != "LoadBalancer":
        findings.forbidden(path, _BALANCERS_ONLY)
    for text in ranges.split(",") if ranges.strip() else ():
        validate_network(text.strip(), path, findings)
