"""The lab's load balancer: which addresses a Service of type LoadBalancer has.

In a real cluster a cloud's or MetalLB's controller gives them. Here a Service gets those that it
asks for, by ``spec.loadBalancerIP`` or by MetalLB's annotation, and else the lowest free address of
the pool (``--set lb_pool``). A Service that asks for what another one has, or for another class of
load balancer, gets none: it stays ``<pending>``, as it would there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network

from testbed.cluster.model import BoundService
from testbed.objects import Service
from testbed.objects.addresses import parse

PROTOCOLS = ("l2", "bgp", "none")
"""How those outside find out which node an address is at: by ARP, by BGP, or not at all."""

ANNOTATIONS = ("metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs")
"""Ask for addresses, separated by commas (MetalLB's)."""

Key = tuple[str, str]


def balance(
    changed: Mapping[Key, BoundService], others: Iterable[BoundService], pool: str
) -> dict[Key, BoundService]:
    """Services with the addresses of their load balancers.

    Args:
        changed: Those that are new or changed, with the addresses that they had.
        others: All others; they keep what they have.
        pool: Where addresses come from.
    """
    result = dict(changed)
    if all(b.service.spec.type != "LoadBalancer" and not b.load_balancer for b in result.values()):
        return result
    used = {address for bound in others for address in bound.load_balancer}
    asking = {key: asked(bound.service) for key, bound in changed.items()}
    for key, bound in sorted(changed.items(), key=lambda item: not asking[item[0]]):
        found = _addresses(bound, asking[key], used, pool)
        used |= set(found)
        result[key] = replace(bound, load_balancer=found)
    return result


def asked(service: Service) -> tuple[str, ...]:
    """The addresses that a Service asks its load balancer for."""
    annotations = service.metadata.annotations
    found = next((annotations[name] for name in ANNOTATIONS if annotations.get(name)), None)
    texts = service.spec.load_balancer_ip if found is None else found
    return tuple(text.strip() for text in texts.split(",") if text.strip())


def _addresses(
    bound: BoundService, texts: tuple[str, ...], used: set[str], pool: str
) -> tuple[str, ...]:
    spec = bound.service.spec
    if spec.type != "LoadBalancer" or spec.load_balancer_class is not None:
        return ()
    if texts:
        parsed = [parse(text) for text in texts]
        wanted = tuple(str(a) for a in parsed if a is not None and a.version == 4)
        return wanted if len(wanted) == len(texts) and not used & set(wanted) else ()
    if bound.load_balancer and not used & set(bound.load_balancer):
        return bound.load_balancer
    free = (str(a) for a in IPv4Network(pool).hosts() if str(a) not in used)
    return tuple(address for address, _ in zip(free, range(1), strict=False))
