"""CiliumEgressGatewayPolicies (cilium.io/v2): pods that leave the cluster through one node.

The structure is that of Cilium's CustomResourceDefinition (:mod:`testbed.objects.customschema`),
the rules are those by which its agent reads a policy: ``ParseCEGP`` in ``pkg/egressgateway/
policy.go``. The agent writes what is wrong to its log; here it is refused. So are the fields that a
lab does not serve: ``interface`` and ``egressGateways``, and IPv6.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any, ClassVar

from testbed.objects import names
from testbed.objects.kind import Kind
from testbed.objects.labels import LabelSelector, validate_selector
from testbed.objects.meta import Metadata
from testbed.objects.source import Findings, Manifest, Path, Source

NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
"""Cilium gives each pod its namespace as a label of this key."""

_SERVED = "this lab serves one egressGateway, by its nodeSelector and egressIP"
_CIDR = "must be a valid IPv4 CIDR, (e.g. 203.0.113.0/24)"
_ADDRESS = "must be a valid IPv4 address, (e.g. 192.168.0.50)"


@dataclass(frozen=True, slots=True)
class EgressRule:
    """Which pods a policy is for.

    Attributes:
        pods: By their own labels and that of their namespace (:data:`NAMESPACE_LABEL`); None for
            all.
        namespaces: By the namespace's labels; None for all.
    """

    pods: LabelSelector | None
    namespaces: LabelSelector | None

    def matches(self, namespace: str, labels: Mapping[str, str], own: Mapping[str, str]) -> bool:
        """Whether it selects a pod.

        Args:
            namespace: The pod's.
            labels: The namespace's.
            own: The pod's.
        """
        wanted = self.namespaces is None or self.namespaces.matches(labels)
        return wanted and (
            self.pods is None or self.pods.matches({**own, NAMESPACE_LABEL: namespace})
        )


@dataclass(frozen=True, slots=True)
class EgressPolicy:
    """A policy.

    Attributes:
        metadata: Name, labels, annotations.
        rules: A pod that one of them selects is meant.
        pod_nodes: Only pods on nodes that one of them selects; empty for all.
        destinations: Where to.
        excluded: Where to not.
        nodes: Which nodes may be the gateway.
        address: What those outside see; None for the gateway's own.
        manifest: The object as Kubernetes JSON.
        source: Where it was read.
    """

    kind: ClassVar[str] = "CiliumEgressGatewayPolicy"
    api_version: ClassVar[str] = "cilium.io/v2"

    metadata: Metadata
    rules: tuple[EgressRule, ...]
    pod_nodes: tuple[LabelSelector, ...]
    destinations: tuple[IPv4Network, ...]
    excluded: tuple[IPv4Network, ...]
    nodes: LabelSelector
    address: str | None
    manifest: Manifest
    source: Source = field(compare=False)


def decode(manifest: Manifest, source: Source) -> EgressPolicy:
    """The policy of a valid manifest."""
    spec, rules = manifest["spec"], manifest["spec"]["selectors"]
    gateway = spec["egressGateway"]
    return EgressPolicy(
        Metadata.decode(manifest),
        tuple(
            EgressRule(_selector(r, "podSelector"), _selector(r, "namespaceSelector"))
            for r in rules
        ),
        tuple(LabelSelector.decode(r["nodeSelector"]) for r in rules if "nodeSelector" in r),
        tuple(IPv4Network(text, strict=False) for text in spec["destinationCIDRs"]),
        tuple(IPv4Network(text, strict=False) for text in spec.get("excludedCIDRs", ())),
        LabelSelector.decode(gateway["nodeSelector"]),
        gateway.get("egressIP") or None,
        manifest,
        source,
    )


def _selector(rule: Mapping[str, Any], name: str) -> LabelSelector | None:
    return LabelSelector.decode(rule[name]) if name in rule else None


def _default(manifest: Manifest) -> None:
    """The definition has no defaults."""


def _validate(manifest: Manifest, findings: Findings) -> None:
    spec, path = manifest["spec"], ("spec",)
    for index, rule in enumerate(spec["selectors"]):
        _validate_rule(rule, (*path, "selectors", index), findings)
    for name in ("destinationCIDRs", "excludedCIDRs"):
        for index, text in enumerate(spec.get(name, ())):
            if not _is(IPv4Network, text):
                findings.invalid((*path, name, index), text, _CIDR)
    if "egressGateways" in spec:
        findings.forbidden((*path, "egressGateways"), _SERVED)
    _validate_gateway(spec["egressGateway"], (*path, "egressGateway"), findings)


def _validate_rule(rule: Manifest, path: Path, findings: Findings) -> None:
    for name in rule:
        validate_selector(rule[name], (*path, name), findings)
    if "podSelector" not in rule and "namespaceSelector" not in rule:
        reason = "cannot have both nil namespace selector and nil pod selector"
        findings.required((*path, "podSelector"), reason)


def _validate_gateway(gateway: Manifest, path: Path, findings: Findings) -> None:
    validate_selector(gateway["nodeSelector"], (*path, "nodeSelector"), findings)
    address = gateway.get("egressIP")
    if gateway.get("interface"):
        findings.forbidden((*path, "interface"), _SERVED)
    if address and not _is(IPv4Address, address):
        findings.invalid((*path, "egressIP"), address, _ADDRESS)


def _is(kind: type[IPv4Address] | type[IPv4Network], text: str) -> bool:
    """Whether a text is one; of a network, with a prefix length as the definition's pattern has."""
    length = "/[0-9]{1,2}" if kind is IPv4Network else ""
    try:
        IPv4Interface(text)
    except ValueError:
        return False
    return re.fullmatch(f"[0-9.]+{length}", text) is not None


KIND = Kind(
    EgressPolicy.api_version,
    EgressPolicy.kind,
    "ciliumegressgatewaypolicies",
    ("cegp",),
    False,
    names.dns_subdomain,
    _default,
    _validate,
    decode,
)
