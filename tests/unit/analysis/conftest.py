"""A synthetic campaign with known effects, as ``testbed bench`` would write it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from testbed.analysis.frames import write_samples

PATHS = {"node-to-node": 1.0, "same-node": 1.25, "cross-node": 0.93}
VXLAN = 0.87  # what cross-node traffic keeps in vxlan, of what it keeps in bgp
START = 1_760_000_000

Metrics = list[tuple[str, str, str, float, float]]  # name, unit, better, level, power of speed
SCENARIOS: dict[str, tuple[list[dict[str, Any]], Metrics]] = {
    "pod-throughput": (
        [
            {"protocol": "tcp", "streams": 1, "rate": "unlimited"},
            {"protocol": "tcp", "streams": 4, "rate": "unlimited"},
            {"protocol": "udp", "streams": 1, "rate": "500M"},
        ],
        [
            ("throughput", "bit/s", "higher", 13.2e9, 1),
            ("retransmits", "1", "none", 0.0, 1),
            ("loss", "1", "lower", 0.0, 1),
            ("cpu-per-bit", "s/bit", "lower", 1.47e-10, -1),
        ],
    ),
    "pod-latency": (
        [{}],
        [
            ("rtt-p50", "s", "lower", 18e-6, -1),
            ("rtt-p99", "s", "lower", 41e-6, -1),
            ("rtt-p99.9", "s", "lower", 160e-6, -1),
        ],
    ),
    "pod-connect": (
        [{}],
        [
            ("connections", "1/s", "higher", 14500.0, 1),
            ("connect-p50", "s", "lower", 52e-6, -1),
            ("connect-p99", "s", "lower", 140e-6, -1),
        ],
    ),
}
CPU: Metrics = [
    ("cpu-busy", "1", "none", 1.7, 0),
    ("cpu-user", "1", "none", 0.5, 0),
    ("cpu-system", "1", "none", 0.8, 0),
    ("cpu-softirq", "1", "none", 0.4, -1),
    ("cpu-irq", "1", "none", 0.0, 0),
    ("cpu-steal", "1", "none", 0.01, 0),
]
HEADLINES: dict[str, dict[str, dict[str, Any]]] = {
    "pod-throughput": {"throughput": {"protocol": "tcp"}, "cpu-per-bit": {"protocol": "udp"}},
    "pod-latency": {"rtt-p50": {}, "rtt-p99": {}},
    "pod-connect": {"connections": {}, "connect-p50": {}},
}
ENVIRONMENT: dict[str, Any] = {
    "kernel": "6.18.44",
    "cpu": "Example CPU <2.5 GHz> & more",
    "cores": 2,
    "memory_bytes": 25276502016,
    "versions": {"testbed": "0.1.0", "iperf3": "3.12", "frr": "8.4.4", "sockperf": "3.7"},
    "options": {"repeat": 5, "cni": ["bgp", "vxlan"]},
    "seed": 4,
    "started": "2025-10-09T08:53:20+00:00",
    "finished": "2025-10-09T08:57:02+00:00",
    "headlines": HEADLINES,
    "topologies": {
        "single": {
            "nodes": [
                {"name": "s1", "role": "switch", "address": None, "pod_cidr": None},
                *(
                    {
                        "name": f"n{i}",
                        "role": "node",
                        "address": f"192.168.0.{i}",
                        "pod_cidr": f"10.244.{i}.0/24",
                    }
                    for i in range(1, 4)
                ),
                {
                    "name": "client",
                    "role": "external",
                    "address": "192.168.0.100",
                    "pod_cidr": None,
                },
            ],
            "links": [
                {"a": "s1", "b": name, "rate": None, "mtu": 1500, "delay": None}
                for name in ("n1", "n2", "n3", "client")
            ],
        }
    },
}


def rows(
    *,
    run: str = "a",
    blocks: int = 5,
    noise: float = 0.02,
    speed: float = 1.0,
    seed: int = 4,
    scenarios: Collection[str] = tuple(SCENARIOS),
) -> Iterator[dict[str, Any]]:
    """The samples of a campaign; ``speed`` scales how fast everything is."""
    random = np.random.default_rng(seed)
    order = 0
    for block in range(blocks):
        matrix = [
            (scenario, cell, cni, path)
            for scenario, (cells, _) in SCENARIOS.items()
            if scenario in scenarios
            for cell in cells
            for cni in ("bgp", "vxlan")
            for path in PATHS
        ]
        random.shuffle(matrix)
        for scenario, cell, cni, path in matrix:
            factor = speed * PATHS[path]
            factor *= VXLAN if (cni, path) == ("vxlan", "cross-node") else 1.0
            disturbed = bool(random.random() < 0.03)
            for name, unit, better, level, power in SCENARIOS[scenario][1] + CPU:
                value = level * factor**power * float(np.exp(random.normal(0, noise)))
                yield {
                    "run": run,
                    "block": block,
                    "order": order,
                    "seed": seed,
                    "topology": "single",
                    "cni": cni,
                    "proxy": "none",
                    "path": path,
                    **cell,
                    "scenario": scenario,
                    "metric": name,
                    "unit": unit,
                    "better": better,
                    "value": value * (0.7 if disturbed and power else 1.0),
                    "start": f"{np.datetime64(START + 2 * order, 's')}Z",
                    "disturbed": disturbed,
                }
            order += 1


@pytest.fixture
def campaign(tmp_path: Path) -> Callable[..., Path]:
    """Writes a results folder; the keywords are those of :func:`rows`."""

    def write(name: str = "results", **options: Any) -> Path:
        folder = tmp_path / name
        write_samples(rows(**options), folder)
        (folder / "environment.json").write_text(json.dumps(ENVIRONMENT))
        return folder

    return write
