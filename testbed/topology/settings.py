"""``--set KEY=VALUE``: which keys a topology knows, and what their values mean.

A topology's own keys are the parameters of its ``build`` method, a YAML file's is ``nodes``; those
of links (:data:`LINK_KEYS`) and ``switches`` every topology has. Values are read by the key's name:

=================================================  ============================================
``nodes``, ``externals``, ``spines``, ``leaves``   a count, 1 to 200 (``externals`` from 0)
``rate``, ``zone_rate``                            ``1Gbit``, ``100Mbit``, ``1e9`` (bit/s)
``limit``                                          1 to 100000 packets
``delay``, ``zone_delay``                          ``20ms``, ``50us``, ``0.02`` (s), up to 10 s
``jitter``                                         the same, up to 2 s
``distribution``                                   ``uniform``, ``normal``, ``pareto`` …
``loss``, ``reorder``, ``duplicate``, ``corrupt``  ``1%``, ``0.01``
``mtu``                                            576 to 65535 bytes
``switches``                                       ``bridge``, ``openvswitch``: what all are
=================================================  ============================================

A link's key holds for every link that says nothing of it itself; ``A-B.KEY`` is that of the one
link between A and B, and holds whatever it says (:mod:`testbed.topology.chosen`). What a link's
keys mean is in :mod:`testbed.topology.limits`. ``nodes`` is the number below *each* leaf in
``leafspine``. Any other parameter of a topology of the user's own is a number if it looks like one
and a string if not, as with ``mn``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from testbed.errors import InputError, Where, unknown
from testbed.topology import limits
from testbed.topology.model import SWITCH_KINDS, SwitchKind

CLUSTER_KEYS = (
    "bfd", "cluster_domain", "coredns", "datapath", "dns", "dns_pods", "egress_exempt", "ingress",
    "ingress_policy", "ingress_replicas", "internet", "lb", "lb_pool", "node_cidr_mask_size",
    "pod_cidr", "service_cidr",
)  # fmt: skip
"""Keys that are not the topology's."""

LINK_KEYS = (*limits.KEYS, "mtu")
"""Keys of links, which every topology has."""

EVERY_KEY = (*LINK_KEYS, "switches")
"""Keys that every topology has."""

LONGEST_DELAY = 10.0
"""Seconds."""

LONGEST_JITTER = 2.0
"""Seconds; netem(8) computes with 31 bits of nanoseconds."""

MOST_WAITING = 100_000
"""Packets in the queue of a link."""

_RATE = re.compile(r"(\d+(?:\.\d+)?(?:e\d+)?) *([kmgt]?)(?:bit|bps|bit/s)?", re.IGNORECASE)
_DELAY = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?) *(us|ms|s|)", re.IGNORECASE)
_SHARE = re.compile(r"(\d+(?:\.\d+)?(?:e-?\d+)?) *(%?)")
_SCALE = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
_SECONDS = {"": 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}


def rate(text: str) -> float:
    """Bits per second, of ``1Gbit``, ``100Mbit`` or ``1e9``; prefixes are decimal.

    Raises:
        ValueError: It is no rate from 1 kbit to 1 Tbit; the message says how to write one.
    """
    found = _RATE.fullmatch(text.strip())
    value = float(found[1]) * _SCALE[found[2].lower()] if found else 0.0
    if not 1e3 <= value <= 1e12:
        raise ValueError("write a rate from 1kbit to 1Tbit, such as 1Gbit, 100Mbit or 1e9")
    return value


def delay(text: str, longest: float = LONGEST_DELAY) -> float:
    """Seconds, of ``20ms``, ``50us``, ``1s`` or ``0.02``.

    Raises:
        ValueError: It is no delay from 0 to the longest; the message says how to write one.
    """
    found = _DELAY.fullmatch(text.strip())
    value = float(found[1]) * _SECONDS[found[2].lower()] if found else -1.0
    if not 0 <= value <= longest:
        raise ValueError(f"write a time from 0 to {longest:g}s, such as 20ms, 50us or 0.02")
    return value


def jitter(text: str) -> float:
    """Seconds, as :func:`delay` reads them.

    Raises:
        ValueError: It is none from 0 to 2 s; the message says how to write one.
    """
    return delay(text, LONGEST_JITTER)


def share(text: str) -> float:
    """A share from 0 to 1, of ``1%`` or ``0.01``.

    A bare number from 1 on is refused: Mininet would mean per cent by it.

    Raises:
        ValueError: It is no share; the message says how to write one.
    """
    found = _SHARE.fullmatch(text.strip())
    value = float(found[1]) if found else -1.0
    most = 100 if found and found[2] else 1
    if not 0 <= value <= most or (most == 1 and value == 1):
        raise ValueError("write a share of packets such as 1% or 0.01")
    return value / most


def distribution(text: str) -> limits.Distribution:
    """The name of a distribution.

    Raises:
        ValueError: It is none; the message has the known ones.
    """
    for name in limits.DISTRIBUTIONS:
        if text.strip() == name:
            return name
    raise ValueError(f"write a distribution: {', '.join(limits.DISTRIBUTIONS)}")


def _switches(text: str) -> SwitchKind:
    for kind in SWITCH_KINDS:
        if text.strip() == kind:
            return kind
    raise ValueError(f"write a kind of switch: {', '.join(SWITCH_KINDS)}")


def _integer(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\d{1,9}", text.strip()) or not least <= int(text) <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return int(text)

    return parse


mtu = _integer(576, 65535)  # RFC 791's least that every host takes, the most that IPv4 has


def _anything(text: str) -> int | float | str:
    for number in (int, float):
        try:
            return number(text)
        except ValueError:
            continue
    return text


PARSERS: Mapping[str, Callable[[str], Any]] = {
    "nodes": _integer(1, 200),
    "externals": _integer(0, 200),
    "spines": _integer(1, 200),
    "leaves": _integer(1, 200),
    "rate": rate,
    "zone_rate": rate,
    "limit": _integer(1, MOST_WAITING),
    "delay": delay,
    "zone_delay": delay,
    "jitter": jitter,
    "distribution": distribution,
    "loss": share,
    "reorder": share,
    "duplicate": share,
    "corrupt": share,
    "mtu": mtu,
    "switches": _switches,
}


def split_settings(settings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Parts settings into the topology's and the cluster's, the latter untouched."""
    ours = {key: value for key, value in settings.items() if key not in CLUSTER_KEYS}
    theirs = {key: value for key, value in settings.items() if key in CLUSTER_KEYS}
    return ours, theirs


def parse(settings: Mapping[str, str], own: Iterable[str]) -> dict[str, Any]:
    """The values of a topology's settings; the cluster's are left out.

    Args:
        settings: Key → text, as ``--set`` gave them.
        own: The keys that the topology has besides those that all have.

    Raises:
        InputError: A key is not known (the message lists the known ones), or a value is none of
            its kind.
    """
    ours, _ = split_settings(settings)
    known = {*own, *EVERY_KEY}
    return {key: _value(key, text, known) for key, text in ours.items()}


def _value(key: str, text: str, known: set[str]) -> Any:
    link, _, name = key.rpartition(".")
    where = Where("--set", field=key)
    if link and name not in LINK_KEYS:
        raise unknown("setting of a link", name, LINK_KEYS, where)
    if name not in known:
        raise unknown("setting", key, known | set(CLUSTER_KEYS), Where("--set"))
    return read(name, text, where)


def read(key: str, value: object, where: Where) -> Any:
    """The value of a key, from its text or from a number in YAML.

    Args:
        key: Such as ``rate``.
        value: What was written.
        where: Where, for the error.

    Raises:
        InputError: It is none of its kind; the hint says how to write one.
    """
    try:
        return PARSERS.get(key, _anything)(str(value))
    except ValueError as error:
        hint = f"{str(error)[0].upper()}{str(error)[1:]}."
        raise InputError(f"invalid value {value!r}", where=where, hint=hint) from None
