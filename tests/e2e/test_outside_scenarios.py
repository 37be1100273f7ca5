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


INGRESS = """
settings: {{nodes: 2, ingress: {controller}}}
cni: vxlan
proxy: [nftables]
repeat: 1
seconds: 2
scenarios:
  ingress-http: {{rules: [1, 1000]}}
  ingress-reload: {{path: ingress, connections: new}}
"""


@pytest.mark.parametrize("controller", ["nginx", "haproxy"])
def test_an_ingress_costs_time_and_its_changes_no_request(controller: str, tmp_path: Path) -> None:
    frame = bench(INGRESS.format(controller=controller), tmp_path)
    columns = ["metric", "path", "protocol", "connections", "rules"]
    http = frame[frame["scenario"] == "ingress-http"].set_index(columns)["value"].sort_index()
    paths = set(http["requests"].index.get_level_values("path"))
    assert paths == {"direct", "load-balancer", "ingress"}
    assert set(http["requests", "ingress"].index) == {
        ("http1", "kept", 1), ("http1", "kept", 1000), ("https1", "kept", 1), ("https2", "kept", 1),
    }  # fmt: skip
    assert (http["requests"] > 10).all()
    assert (http["connections-made"] > 1).all()
    phases = {name: http[f"phase-{name}", "ingress"] for name in ("tls", "total")}
    assert phases["tls"]["http1", "new", 1] == 0
    assert 0 < phases["tls"]["https1", "new", 1] < phases["total"]["https1", "new", 1]
    assert list(http["signatures"].index) == [("ingress", "https1", "new", 1)]
    own = frame[frame["scenario"] == "ingress-reload"].set_index(["metric", "change"])["value"]
    assert own["changes"].to_dict().keys() == {"endpoints", "ingresses"}
    assert (own["changes"] >= 2).all()
    assert own["failed"].to_dict() == {"none": 0, "endpoints": 0, "ingresses": 0}


def test_what_the_kernel_lacks_is_left_out_with_a_note(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("proxy: [nftables, ipvs?]\nscenarios: {service-latency: }\n")
    told = subprocess.run(
        [*TESTBED, "doctor", "-o", "json"], capture_output=True, text=True, check=False
    )
    present = json.loads(told.stdout)["features"]["ipvs"]["present"]
    argv = [*TESTBED, "bench", str(file), "--dry-run"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert (" ipvs service-latency " in done.stdout) is present
    assert ("Left out: proxy mode ipvs" in done.stderr) is not present
