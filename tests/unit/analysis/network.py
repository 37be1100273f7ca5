"""A synthetic campaign on two fabrics: failures, impairments and port counters with known effects.

What is put in: a gap of 200 ms on the routed fabric and of 4 ms on the switched one when the far
link fails; ``delay=20ms`` adds 20 ms to both; one TCP stream takes one uplink, four take both 3:1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

GAPS = {("leafspine", "near"): 0.012, ("leafspine", "far"): 0.2,
        ("sdn", "near"): 0.0011, ("sdn", "far"): 0.004}  # fmt: skip
SHARES = {1: (1.0, 0.0), 4: (0.75, 0.25)}  # of what a leaf sends up, by spine
BYTES = 1e9
CHATTER = 3000.0  # bytes that everybody else sends: routing daemons, acknowledgements
EVENTS: list[dict[str, Any]] = [
    {"at": "500ms", "link": "l1-sp1", "for": "1s"},
    {"at": 1.0, "partition": "n2", "for": 0.5},
    {"at": "2s", "kill": "l1/bgpd"},
]
IMPAIRMENTS = ("none", "delay=20ms")
_COMMON = {"run": "f", "seed": 1, "proxy": "none", "disturbed": False}


def fabric(kind: str) -> dict[str, Any]:
    """The picture of a leaf-spine fabric of routers, or of Open vSwitches (``sdn``)."""
    switches = [
        {"name": name, "role": "router", "address": f"10.0.0.{i}"}
        if kind == "leafspine"
        else {"name": name, "role": "switch", "kind": "openvswitch", "address": None}
        for i, name in enumerate(("sp1", "sp2", "l1", "l2"))
    ]
    hosts = [
        {"name": f"n{i}", "role": "node", "address": f"192.168.{i}.1",
         "pod_cidr": f"10.244.{i}.0/24"} for i in (1, 2)
    ]  # fmt: skip
    up = [{"a": leaf, "b": spine, "mtu": 1500} for leaf in ("l1", "l2") for spine in ("sp1", "sp2")]
    harm = {"delay": 0.02, "jitter": 0.002, "loss": 0.01, "limit": 100}
    down = [{"a": "n1", "b": "l1", "mtu": 1500}, {"a": "n2", "b": "l2", "mtu": 1500, **harm}]
    return {"nodes": [*switches, *hosts], "links": [*up, *down]}


ENVIRONMENT: dict[str, Any] = {
    "cores": 2,
    "options": {
        "topology": ["leafspine", "sdn"],
        "cni": ["bgp", "vxlan"],
        "impairments": [{}, {"delay": "20ms"}],
        "events": EVENTS,
    },
    "topologies": {name: fabric(name) for name in ("leafspine", "sdn")},
}


def samples(
    *, blocks: int = 5, impairments: tuple[str, ...] = IMPAIRMENTS
) -> Iterator[dict[str, Any]]:
    """The samples of link failures: topology, mode, link, impairment; a gap and its datagrams."""
    random = np.random.default_rng(7)
    matrix = product(
        range(1, blocks + 1), ("leafspine", "sdn"), ("bgp", "vxlan"), ("near", "far"), impairments
    )
    for order, (block, topology, cni, link, impairment) in enumerate(matrix, start=1):
        gap = GAPS[topology, link] * float(np.exp(random.normal(0, 0.1)))
        gap += 0.02 if impairment != "none" else 0.0
        for metric, unit, value in (("failure-gap", "s", gap), ("failure-lost", "1", gap * 1e3)):
            yield {
                **_COMMON, "block": block, "order": order, "topology": topology, "cni": cni,
                "impairment": impairment, "scenario": "link-failure", "link": link,
                "metric": metric, "unit": unit, "better": "lower", "value": value,
                "start": f"2026-01-01T00:{order // 60:02}:{order % 60:02}Z",
            }  # fmt: skip


def ports(*, blocks: int = 5, dropped: int = 0) -> Iterator[dict[str, Any]]:
    """The port counters of a throughput scenario from n1 to n2, and of one within n1."""
    matrix = product(
        range(1, blocks + 1), ("leafspine", "sdn"), (1, 4), ("same-node", "cross-node")
    )
    for order, (block, topology, streams, path) in enumerate(matrix, start=1):
        sample = {
            **_COMMON, "block": block, "order": order, "topology": topology, "cni": "bgp",
            "impairment": "none", "scenario": "pod-throughput", "path": path, "streams": streams,
        }  # fmt: skip
        shares = SHARES[streams] if block % 2 else SHARES[streams][::-1]
        whole = BYTES if path == "cross-node" else 500.0
        for spine, share in zip(("sp1", "sp2"), shares, strict=True):
            lost = dropped if (spine, path) == ("sp2", "cross-node") else 0
            for a, peer in (("l1", spine), (spine, "l2")):
                yield from _link(sample, a, peer, whole * share, lost if a == "l1" else 0)
        yield from _link(sample, "n1", "l1", whole, 0)
        yield from _link(sample, "l2", "n2", whole, 0)


def _link(
    sample: dict[str, Any], a: str, b: str, sent: float, lost: int
) -> Iterator[dict[str, Any]]:
    """Both ends of a link on which ``a`` sent so many bytes to ``b``, and lost some of them."""
    for end, peer, up, down in ((a, b, sent, CHATTER), (b, a, CHATTER, sent)):
        yield {
            **sample, "a": end, "interface": f"{end}-{peer}", "peer": peer,
            "tx_bytes": int(up), "rx_bytes": int(down),
            "tx_packets": int(up / 1000), "rx_packets": int(down / 1000),
            "tx_dropped": lost if end == a else 0, "rx_dropped": 0,
        }  # fmt: skip
