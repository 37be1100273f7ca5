"""What Kubernetes accepts as a name, a label, an annotation, a port.

Each function returns the reasons why a value is refused, an empty list if it is fine, as the
functions of apimachinery ``pkg/util/validation/validation.go`` and ``pkg/api/validate/content`` do,
with the same limits and almost the same words (the regular expressions are left out).
"""

from __future__ import annotations

import re
from collections.abc import Callable

Rule = Callable[[str], list[str]]
"""A function of this module: the reasons why a value is refused."""

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_SEARCH_LABEL = r"_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH = re.compile(rf"{_SEARCH_LABEL}(\.{_SEARCH_LABEL})*")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_ANNOTATIONS_BYTES = 256 * 1024
_LABEL_BYTES = 63
_SUBDOMAIN_BYTES = 253
_PORT_NAME_CHARACTERS = 15
_PORT_MAX = 65535

_LABEL_RULE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character (e.g. 'my-name' or '123-abc')"
)
_LABEL_1035_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name' or 'abc-123')"
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com')"
)
_SEARCH_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-', '_' "
    "or '.', and must start and end with an alphanumeric character (e.g. 'example.com')"
)
_NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName', 'my.name' or '123-abc')"
)


def dns_label(value: str) -> list[str]:
    """A label of DNS (RFC 1123): names of namespaces and containers, hostnames."""
    reasons = _too_long(value, _LABEL_BYTES)
    if not _LABEL.fullmatch(value):
        dots = _SUBDOMAIN.fullmatch(value)
        reasons.append("must not contain dots" if dots else _LABEL_RULE)
    return reasons


def dns_1035_label(value: str) -> list[str]:
    """A label of DNS as RFC 1035 has it, with a letter first: names of Services."""
    rule = [] if _LABEL_1035.fullmatch(value) else [_LABEL_1035_RULE]
    return _too_long(value, _LABEL_BYTES) + rule


def dns_subdomain(value: str) -> list[str]:
    """A subdomain of DNS (RFC 1123): names of pods, deployments and nodes."""
    rule = [] if _SUBDOMAIN.fullmatch(value) else [_SUBDOMAIN_RULE]
    return _too_long(value, _SUBDOMAIN_BYTES) + rule


def search_domain(value: str) -> list[str]:
    """A domain to search (``IsDNS1123SubdomainWithUnderscore``): labels may have underscores."""
    rule = [] if _SEARCH.fullmatch(value) else [_SEARCH_RULE]
    return _too_long(value, _SUBDOMAIN_BYTES) + rule


def label_key(value: str) -> list[str]:
    """A key of labels, annotations and node selectors: ``app``, ``example.com/tier``."""
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        return [f"a valid label key {_NAME_RULE} with an optional DNS subdomain prefix and '/'"]
    reasons = []
    if slash and not prefix:
        reasons.append("prefix part must be non-empty")
    elif slash:
        reasons += [f"prefix part {reason}" for reason in dns_subdomain(prefix)]
    if not name:
        return [*reasons, "name part must be non-empty"]
    reasons += [f"name part {reason}" for reason in _too_long(name, _LABEL_BYTES)]
    return reasons if _NAME.fullmatch(name) else [*reasons, f"name part {_NAME_RULE}"]


def label_value(value: str) -> list[str]:
    """A value of a label; empty is fine."""
    if not value or _NAME.fullmatch(value):
        return _too_long(value, _LABEL_BYTES)
    return [
        *_too_long(value, _LABEL_BYTES),
        f"a valid label must be an empty string or {_NAME_RULE[5:]}",
    ]


def annotations_size(annotations: dict[str, str]) -> list[str]:
    """All annotations of an object together: at most 256 KiB."""
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    return [] if size <= _ANNOTATIONS_BYTES else [f"must have at most {_ANNOTATIONS_BYTES} bytes"]


def port_number(value: int) -> list[str]:
    """A TCP, UDP or SCTP port."""
    return [] if 1 <= value <= _PORT_MAX else [f"must be between 1 and {_PORT_MAX}, inclusive"]


def port_name(value: str) -> list[str]:
    """A name of a port: an IANA service name (RFC 6335), here in lower case only."""
    checks = {
        f"must be no more than {_PORT_NAME_CHARACTERS} bytes": len(value) <= _PORT_NAME_CHARACTERS,
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)": re.fullmatch(
            "[-a-z0-9]+", value
        ),
        "must contain at least one letter (a-z)": re.search("[a-z]", value),
        "must not contain consecutive hyphens": "--" not in value,
        "must not begin or end with a hyphen": value.strip("-") == value,
    }
    return [reason for reason, good in checks.items() if not good]


def port_reference(value: int | str) -> list[str]:
    """A port by number or by name (``ValidatePortNumOrName``)."""
    return port_number(value) if isinstance(value, int) else port_name(value)


def env_name(value: str) -> list[str]:
    """A name of an environment variable: printable ASCII but for ``=``, as since KEP-4369."""
    if all(" " <= character <= "~" and character != "=" for character in value):
        return []
    return [
        "a valid environment variable name must consist only of printable ASCII characters "
        "other than '='"
    ]


def header_name(value: str) -> list[str]:
    """A name of an HTTP header (``IsHTTPHeaderName``)."""
    if re.fullmatch("[-A-Za-z0-9]+", value):
        return []
    return [
        "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name')"
    ]


def _too_long(value: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} bytes"] if len(value.encode()) > limit else []
