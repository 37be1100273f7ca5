"""Settings that kube-proxy has in all of its modes, as ``--set`` keys.

=======================  ====================================  ==========================
key                      kube-proxy's option                   value
=======================  ====================================  ==========================
``masquerade_all``       ``--masquerade-all``                  ``true`` or ``false``
``detect_local``         ``--cluster-cidr`` given or not       ``true`` or ``false``
``nodeport_addresses``   ``--nodeport-addresses``              ranges with commas; empty
                                                               for the mode's default
=======================  ====================================  ==========================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, ip_address, ip_network

from testbed.errors import InputError, Where

COMMON: Mapping[str, str] = {
    "masquerade_all": "false",
    "detect_local": "true",
    "nodeport_addresses": "",
}
"""The keys with their defaults."""

FLAGS = ("masquerade_all", "detect_local")


def check(settings: Mapping[str, str], flags: Iterable[str] = FLAGS) -> None:
    """Refuses values that mean nothing.

    Args:
        settings: Keys and values.
        flags: The keys that are ``true`` or ``false``.

    Raises:
        InputError: There is one.
    """
    for key in flags:
        if settings[key] not in ("true", "false"):
            where = Where("--set", field=key)
            raise InputError(f"{settings[key]!r} is neither true nor false", where=where)
    ranges(settings)


def flag(settings: Mapping[str, str], key: str) -> bool:
    """Whether a setting that was checked is on."""
    return settings[key] == "true"


def ranges(settings: Mapping[str, str]) -> tuple[IPv4Network, ...]:
    """The ranges of ``nodeport_addresses``.

    Raises:
        InputError: One of them is none.
    """
    texts = [text for text in settings["nodeport_addresses"].split(",") if text]
    found = []
    for text in texts:
        try:
            network = ip_network(text.strip())
        except ValueError as error:
            raise InputError(str(error), where=Where("--set", field="nodeport_addresses")) from None
        found += [network] if isinstance(network, IPv4Network) else []
    return tuple(found)


def within(addresses: Iterable[str], networks: Iterable[IPv4Network]) -> tuple[str, ...]:
    """The addresses that are in one of the ranges, in their order."""
    known = tuple(networks)
    return tuple(a for a in addresses if any(ip_address(a) in network for network in known))
