"""``spec.dnsConfig`` of a pod: typed, and what is wrong with it.

Rules and words are those of ``validatePodDNSConfig`` (``pkg/apis/core/validation/validation.go``).
One rule is added: an option is one word. Kubernetes takes any text, and a line break in it is a
line of its own in the pod's ``/etc/resolv.conf``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.objects import names
from testbed.objects.addresses import parse, validate_address
from testbed.objects.source import Findings, Manifest, Path

MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048
"""What a resolv.conf may have at most; characters are those of the whole search list."""

_WORD = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class DnsConfig:
    """What a pod asks for besides what its ``dnsPolicy`` gives it.

    Attributes:
        nameservers: Addresses, as they are (not as they were written).
        searches: Domains.
        options: Name and value; None for an option without one.
    """

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[tuple[str, str | None], ...] = ()

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> DnsConfig:
        """The configuration of a valid pod."""
        return cls(
            tuple(str(parse(text) or text) for text in manifest.get("nameservers", ())),
            tuple(manifest.get("searches", ())),
            tuple((o.get("name", ""), o.get("value")) for o in manifest.get("options", ())),
        )


def validate(spec: Manifest, path: Path, findings: Findings) -> None:
    """Adds what is wrong with the ``dnsConfig`` of a pod's specification."""
    config, own = spec.get("dnsConfig"), (*path, "dnsConfig")
    if config is None:
        if spec["dnsPolicy"] == "None":
            findings.required(own, "must provide `dnsConfig` when `dnsPolicy` is None")
    elif spec["dnsPolicy"] == "None" and not config.get("nameservers"):
        rule = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        findings.required((*own, "nameservers"), rule)
    else:
        _nameservers(config.get("nameservers", ()), (*own, "nameservers"), findings)
        _searches(config.get("searches", ()), (*own, "searches"), findings)
        for index, option in enumerate(config.get("options", ())):
            _option(option, (*own, "options", index), findings)


def _nameservers(texts: list[str], path: Path, findings: Findings) -> None:
    if len(texts) > MAX_NAMESERVERS:
        findings.invalid(path, texts, f"must not have more than {MAX_NAMESERVERS} nameservers")
    for index, text in enumerate(texts):
        validate_address(text, (*path, index), findings)


def _searches(domains: list[str], path: Path, findings: Findings) -> None:
    if len(domains) > MAX_SEARCHES:
        findings.invalid(path, domains, f"must not have more than {MAX_SEARCHES} search paths")
    if len(" ".join(domains)) > MAX_SEARCH_CHARACTERS:
        rule = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces)"
        findings.invalid(path, domains, f"{rule} in the search list")
    for index, domain in enumerate(domains):
        if domain != ".":
            reasons = names.search_domain(domain.removesuffix("."))
            findings.invalid((*path, index), domain, reasons)


def _option(option: Manifest, path: Path, findings: Findings) -> None:
    if not option.get("name"):
        findings.required(path, "must not be empty")
    for field in ("name", "value"):
        text = option.get(field) or ""
        if not _WORD.fullmatch(text):
            findings.invalid((*path, field), text, "must be one word of printable ASCII characters")
