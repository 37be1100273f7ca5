"""Views of random Services and endpoints, each changed from the one before; by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName

NODES = ("n1", "n2", None)


def _info(random: Random, number: int, protocol: str) -> ServicePortInfo:
    """A port; what must be unique (addresses, node port) comes from its number."""

    def maybe(*found: str) -> tuple[str, ...]:
        return found if random.random() < 0.4 else ()

    balanced = maybe(f"198.51.{number // 250}.{number % 250 + 1}")
    ranges = ("192.168.0.0/28", "203.0.113.0/24")
    return ServicePortInfo(
        cluster_ip=f"10.96.{number // 250}.{number % 250 + 1}",
        port=random.choice((53, 80, 443)),
        protocol="UDP" if protocol == "UDP" else "TCP",
        node_port=random.choice((0, 30000 + number)),
        external_ips=maybe(f"203.0.{number // 250}.{number % 250 + 1}"),
        load_balancer_vips=balanced,
        affinity_seconds=random.choice((0, 0, 10800, 60)),
        source_ranges=ranges[: random.randrange(3)] if balanced else (),
        health_check_node_port=random.choice((0, 31000 + number)) if balanced else 0,
        external_policy_local=random.random() < 0.3,
        internal_policy_local=random.random() < 0.2,
    )


def _endpoint(random: Random, port: int) -> Endpoint:
    node = random.choice(NODES)
    terminating = random.random() < 0.2
    return Endpoint(
        f"10.244.{NODES.index(node) + 1}.{random.randrange(2, 30)}",
        port,
        node,
        ready=not terminating and random.random() < 0.8,
        serving=random.random() < 0.8,
        terminating=terminating,
    )


def _endpoints(random: Random) -> tuple[Endpoint, ...]:
    found = {str(one): one for one in (_endpoint(random, 8080) for _ in range(random.randrange(5)))}
    return tuple(found[key] for key in sorted(found))


def views(seed: int, services: int = 30, steps: int = 5) -> Iterator[ProxyView]:
    """A view and what becomes of it, step by step: ports come, change and go."""
    random, number = Random(seed), 0  # noqa: S311 - no secret
    view = ProxyView()
    for _ in range(steps):
        infos, endpoints = dict(view.services), dict(view.endpoints)
        for name in random.sample(sorted(infos), len(infos) // 5):
            del infos[name], endpoints[name]
        for name in random.sample(sorted(infos), len(infos) // 3):
            endpoints[name] = _endpoints(random)
        for name in random.sample(sorted(infos), len(infos) // 10):
            infos[name] = replace(infos[name], affinity_seconds=random.choice((0, 30)))
        while len(infos) < services:
            number += 1
            protocol = random.choice(("TCP", "UDP"))
            name = ServicePortName(f"ns{number % 3}", f"s{number}", "", protocol)  # type: ignore[arg-type]
            infos[name], endpoints[name] = _info(random, number, protocol), _endpoints(random)
        view = ProxyView(infos, endpoints)
        yield view
