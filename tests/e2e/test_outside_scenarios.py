"""Scenarios from outside the cluster in real labs, by ``testbed bench``; short."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.e2e

TESTBED = [sys.executable, "-m", "testbed"]

FAILOVER = """
topology: {topology}
settings: {{lb: {lb}}}
cni: {cni}
proxy: nftables
repeat: 1
seconds: 1
scenarios:
  loadbalancer-failover:
"""


def bench(campaign: str, folder: Path, *options: str) -> pd.DataFrame:
    """The samples of a campaign."""
    file = folder / "campaign.yaml"
    file.write_text(campaign)
    argv = [*TESTBED, "bench", str(file), "--out", str(folder / "out"), *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(folder / "out" / "samples.parquet")


@pytest.mark.parametrize(
    ("topology", "cni", "lb", "least"),
    [("single", "vxlan", "l2", 3.0), ("leafspine", "bgp", "bgp", 5.0)],
)
def test_requests_fail_until_the_death_of_a_node_is_noticed(
    topology: str, cni: str, lb: str, least: float, tmp_path: Path
) -> None:
    campaign = FAILOVER.format(topology=topology, cni=cni, lb=lb)
    frame = bench(campaign, tmp_path)
    found = frame.set_index(["metric", "path"])["value"]
    assert least < found["failure-gap", "load-balancer"] < 20  # how long detection takes
    assert found["failure-failed", "load-balancer"] > 0
    assert found["failure-gap", "direct"] < 1  # the machine may be busy, but nothing is detected
    if lb == "l2":  # one node answers for the address: nobody else does meanwhile
        assert found["failure-silence", "load-balancer"] > least
    nodes = [json.loads(p.read_text())["node"] for p in tmp_path.glob("out/raw/*/node.json")]
    assert nodes
    assert "n3" not in nodes if topology == "single" else "n4" not in nodes
