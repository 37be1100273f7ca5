"""What leaves the cluster: where it keeps the pods' own addresses."""

from __future__ import annotations

from ipaddress import IPv4Network

from testbed.errors import InputError, Where


def ranges(text: str) -> tuple[str, ...]:
    """The networks of ``--set egress_exempt``, each once.

    Args:
        text: IPv4 networks or addresses, separated by commas; empty for none.

    Raises:
        InputError: One is neither.
    """
    return tuple(dict.fromkeys(_network(item.strip()) for item in text.split(",") if text))


def _network(text: str) -> str:
    try:
        return str(IPv4Network(text))
    except ValueError as error:
        raise InputError(
            f"{text!r} is no IPv4 network: {error}",
            where=Where("--set", field="egress_exempt"),
            hint="Write networks like 203.0.113.0/24, separated by commas.",
        ) from None
