"""What is wrong with a Service's cluster IPs and address families.

The rules and words of ``ValidateServiceClusterIPsRelatedFields`` in
``pkg/apis/core/validation/validation.go``. Whether a cluster has such a family or address is the
cluster's business (:mod:`testbed.cluster.vips`).
"""

from __future__ import annotations

from testbed.objects.addresses import parse, validate_address
from testbed.objects.serviceform import HEADLESS, headless
from testbed.objects.source import Findings, Manifest

_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_PATH = ("spec", "clusterIPs")


def validate_cluster_ips(spec: Manifest, findings: Findings) -> None:
    """Adds what is wrong with the cluster IPs and families of a Service that may have them."""
    single, several = spec.get("clusterIP", ""), spec.get("clusterIPs", [])
    if single and several[0] != single:
        findings.invalid(_PATH, several, "first value must match `clusterIP`")
    elif several and not single:
        findings.invalid(_PATH, several, "must be empty when `clusterIP` is not specified")
    _validate_families(spec, findings)
    good = _validate_each(several, findings)
    if len(several) > 2:
        findings.invalid(_PATH, several, "may only hold up to 2 values")
    if good and several and not headless(spec):
        _validate_versions(several, spec.get("ipFamilies", []), findings)


def _validate_families(spec: Manifest, findings: Findings) -> None:
    families = spec.get("ipFamilies", [])
    for index, family in enumerate(families):
        path = ("spec", "ipFamilies", index)
        if family not in _FAMILIES:
            findings.unsupported(path, family, _FAMILIES)
        if family in families[:index]:
            findings.duplicate(path, family)
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _FAMILY_POLICIES:
        findings.unsupported(("spec", "ipFamilyPolicy"), policy, _FAMILY_POLICIES)


def _validate_each(several: list[str], findings: Findings) -> bool:
    """Whether each of the cluster IPs is an address, or there is ``None`` alone."""
    good = True
    for index, text in enumerate(several):
        if index == 0 and text == HEADLESS:
            if len(several) > 1:
                findings.invalid(_PATH, several, "'None' must be the first and only value")
                good = False
        elif validate_address(text, (*_PATH, index), findings) is None:
            good = False
    return good


def _validate_versions(several: list[str], families: list[str], findings: Findings) -> None:
    versions = [address.version for text in several if (address := parse(text)) is not None]
    if len(versions) > 1 and len(set(versions)) == 1:
        rule = "may specify no more than one IP for each IP family"
        findings.invalid(_PATH, several, rule)
    for index, (version, family) in enumerate(zip(versions, families, strict=False)):
        if family in _FAMILIES and family != f"IPv{version}":
            rule = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            findings.invalid((*_PATH, index), several[index], rule)
