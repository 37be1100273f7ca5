"""What a lab's ingress controller may be told (``--ingress`` and ``--set``), and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.defaults import NONE
from testbed.errors import InputError, Where, unknown
from testbed.ingress.contract import controllers

POLICIES = ("Local", "Cluster")
"""What ``ingress_policy`` knows; the first is the default, as in ingress-nginx's own manifests."""

MOST_REPLICAS = 100


def check(chosen: Mapping[str, str]) -> None:
    """Refuses values that are none.

    Args:
        chosen: ``--set`` keys and values; others are not looked at.

    Raises:
        InputError: One is none of its kind.
    """
    name = chosen.get("ingress", NONE)
    if name != NONE and name not in controllers.names():
        raise unknown("ingress controller", name, (*controllers.names(), NONE), Where("--ingress"))
    policy = chosen.get("ingress_policy", POLICIES[0])
    if policy not in POLICIES:
        where = Where("--set", field="ingress_policy")
        raise unknown("externalTrafficPolicy", policy, POLICIES, where)
    replicas = chosen.get("ingress_replicas", "1")
    if not (replicas.isascii() and replicas.isdecimal() and 0 < int(replicas) <= MOST_REPLICAS):
        raise InputError(
            f"invalid value {replicas!r}",
            where=Where("--set", field="ingress_replicas"),
            hint=f"Write a whole number from 1 to {MOST_REPLICAS}.",
        )


def refuse_without_proxy(name: str) -> None:
    """Refuses a controller in a lab that carries no Services.

    Raises:
        InputError: There is a controller.
    """
    if name != NONE:
        raise InputError(
            f"{name} is reached at the address of a Service, and proxy mode none carries none",
            where=Where("--ingress"),
            hint="Choose a proxy mode, such as --proxy nftables.",
        )
