"""The address families of a Service in a cluster that has IPv4 only.

As ``initIPFamilyFields`` in ``pkg/registry/core/service/storage/alloc.go`` fills them in, and
refuses what such a cluster cannot give.
"""

from __future__ import annotations

from testbed.objects.addresses import parse
from testbed.objects.serviceform import HEADLESS
from testbed.objects.source import Findings, Manifest

_OURS = "IPv4"


def fill_in(spec: Manifest, old: Manifest, findings: Findings) -> None:
    """Sets ``ipFamilies`` and ``ipFamilyPolicy`` of a Service that is no ExternalName.

    Args:
        spec: The specification; changed in place.
        old: As it was; empty if there was none.
        findings: Takes what this cluster cannot give.
    """
    bare = spec.get("clusterIP") == HEADLESS and not spec.get("selector")
    spec.setdefault("ipFamilyPolicy", _policy(old, bare))
    families = list(spec.get("ipFamilies", ()))
    addresses = [] if spec.get("clusterIP") == HEADLESS else spec.get("clusterIPs", [])
    if spec["ipFamilyPolicy"] == "SingleStack":
        _refuse_two(addresses, families, findings)
    for index in range(len(families), len(addresses)):
        address = parse(addresses[index])
        family = _OURS if address is None else f"IPv{address.version}"
        if family != _OURS:
            rule = f"{family} is not configured on this cluster"
            findings.invalid(("spec", "clusterIPs", index), addresses, rule)
        families.append(family)
    if not findings and not bare:
        _refuse_others(spec["ipFamilyPolicy"], families, findings)
    spec["ipFamilies"] = families or [_OURS]
    if bare and len(families) < 2 and spec["ipFamilyPolicy"] != "SingleStack":
        spec["ipFamilies"] += ["IPv6" if spec["ipFamilies"] == [_OURS] else _OURS]


def _policy(old: Manifest, bare: bool) -> str:
    """The policy where none is asked for: the old one; both families where nobody can know."""
    return old.get("ipFamilyPolicy") or ("RequireDualStack" if bare else "SingleStack")


def _refuse_two(addresses: list[str], families: list[str], findings: Findings) -> None:
    path, rule = ("spec", "ipFamilyPolicy"), "must be 'RequireDualStack' or 'PreferDualStack' when"
    if len(addresses) == 2:
        findings.invalid(path, "SingleStack", f"{rule} multiple cluster IPs are specified")
    if len(families) == 2:
        findings.invalid(path, "SingleStack", f"{rule} multiple IP families are specified")


def _refuse_others(policy: str, families: list[str], findings: Findings) -> None:
    if policy == "RequireDualStack":
        rule = "this cluster is not configured for dual-stack services"
        findings.invalid(("spec", "ipFamilyPolicy"), policy, rule)
    for index, family in enumerate(families):
        if family != _OURS:
            rule = "not configured on this cluster"
            findings.invalid(("spec", "ipFamilies", index), family, rule)
