"""IP addresses and ranges in objects, as Kubernetes reads and checks them.

Fields that are older than Go 1.17 read addresses as Go did then: leading zeros are allowed and mean
nothing, and an IPv4 address may be written as an IPv6 one (``k8s.io/utils/net``, ``ParseIPSloppy``;
apimachinery ``pkg/util/validation/ip.go``). :func:`parse` and :func:`parse_network` do that, so
that what goes into rules is the address itself and never the text that was written.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from testbed.objects.source import Findings, Path

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ZEROS = re.compile(r"(?<![0-9a-fA-F:])0+(?=[0-9])")
_CHARACTERS = re.compile(r"[0-9a-fA-F:.]+")
_IP_RULE = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_CIDR_RULE = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_SPECIAL = {
    "is_loopback": "may not be in the loopback range (127.0.0.0/8, ::1/128)",
    "is_link_local": "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
}
_LOCAL_MULTICAST = (IPv4Network("224.0.0.0/24"), IPv6Network("ff02::/16"))
_LOCAL_MULTICAST_RULE = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"


def parse(text: str) -> Address | None:
    """The address of a text; None if it is none."""
    if not _CHARACTERS.fullmatch(text):
        return None
    try:
        if ":" not in text:
            return IPv4Address(_ZEROS.sub("", text))
        address = IPv6Address(text)
    except ValueError:
        return None
    return address.ipv4_mapped or address


def parse_network(text: str) -> Network | None:
    """The network of a text such as ``10.9.8.0/24``, host bits cut off; None if it is none."""
    left, slash, right = text.partition("/")
    address = parse(left)
    if address is None or not slash or not re.fullmatch("[0-9]{1,9}", right):
        return None
    bits, mapped = int(right), ":" in left and address.version == 4
    try:
        if isinstance(address, IPv4Address):
            return IPv4Network((address, bits - 96 if mapped else bits), strict=False)
        return IPv6Network((address, bits), strict=False)
    except ValueError:
        return None


def validate_address(text: str, path: Path, findings: Findings) -> Address | None:
    """Adds that a text is no address (``IsValidIPForLegacyField``); the address if it is one."""
    address = parse(text)
    if address is None:
        findings.invalid(path, text, _IP_RULE)
    return address


def validate_network(text: str, path: Path, findings: Findings) -> None:
    """Adds that a text is no range (``IsValidCIDRForLegacyField``)."""
    if parse_network(text) is None:
        findings.invalid(path, text, _CIDR_RULE)


def validate_endpoint(address: Address, text: str, path: Path, findings: Findings) -> None:
    """Adds why traffic cannot be sent on to an address (``ValidateEndpointIP``).

    Args:
        address: The address.
        text: As it was written.
        path: Where.
        findings: Takes what is wrong.
    """
    if address.is_unspecified:
        findings.invalid(path, text, f"may not be unspecified ({text})")
    for name, rule in _SPECIAL.items():
        if getattr(address, name):
            findings.invalid(path, text, rule)
    if any(address in network for network in _LOCAL_MULTICAST):
        findings.invalid(path, text, _LOCAL_MULTICAST_RULE)
