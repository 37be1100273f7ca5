"""The scenarios of Services in real labs, by ``testbed bench``; short, for what they measure.

The figures here are those of a machine that does other things: they are asked only for what does
not depend on its speed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.e2e

TESTBED = [sys.executable, "-m", "testbed"]

DETECTION = 2.0
"""Seconds from a change to the first moment at which no new request may fail. What ends is known at
once and what is deleted, too (docs/scenarios.md); the rest is the work of the proxies, a second or
two on a machine that does other things."""

COMMON = """
settings: {nodes: 2}
cni: vxlan
repeat: 1
seconds: 5
scenarios:
"""


def bench(campaign: str, folder: Path, *options: str) -> tuple[pd.DataFrame, str]:
    """The samples of a campaign, and what it printed."""
    file = folder / "campaign.yaml"
    file.write_text(campaign)
    out = folder / "out"
    argv = [*TESTBED, "bench", str(file), "--out", str(out), *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stderr
    return pd.read_parquet(out / "samples.parquet"), done.stdout


def values(frame: pd.DataFrame, scenario: str, metric: str, *columns: str) -> pd.Series[float]:
    """The values of a metric by some parameters."""
    chosen = frame[(frame["scenario"] == scenario) & (frame["metric"] == metric)]
    return chosen.set_index(list(columns))["value"].sort_index()


SMALL = """
settings: {nodes: 2}
cni: vxlan
proxy: [iptables, nftables-flat]
repeat: 1
scenarios:
  service-latency: {path: [direct, cluster-ip, node-port], endpoint: cross-node}
  service-scale: {path: cluster-ip, services: [1, 40, 80]}
  service-programming: {services: [1, 80]}
"""


def test_latency_scale_and_programming_of_two_modes(tmp_path: Path) -> None:
    frame, table = bench(SMALL, tmp_path)
    both = {"iptables", "nftables-flat"}
    for what in ("connect", "request", "keepalive"):
        found = values(frame, "service-latency", f"{what}-p50", "proxy", "path")
        assert set(found.index) == {
            (m, p) for m in both for p in ("direct", "cluster-ip", "node-port")
        }
        assert found.between(5e-6, 1).all()
    found = values(frame, "service-scale", "connect-p50", "proxy", "services")
    assert set(found.index) == {(m, n) for m in both for n in (1, 40, 80)}
    assert "service-scale: slopes of straight lines" in table
    for change in ("full", "service", "endpoint"):
        through = values(frame, "service-programming", f"{change}-through", "proxy", "services")
        applied = values(frame, "service-programming", f"{change}-applied", "proxy", "services")
        after = values(frame, "service-programming", f"{change}-after", "proxy", "services")
        assert set(through.index) == {(m, n) for m in both for n in (1, 80)}
        assert through.between(1e-4, 60).all()
        assert (after >= through - applied).all()
        # When `apply` has returned the rules are in the kernel: what is then tried gets through.
        pause = values(frame, "service-programming", "resolution", "proxy", "services")
        assert (after <= 3 * pause + 1).all()
    records = sorted((tmp_path / "out" / "raw").glob("*-service-programming/changes.json"))
    assert set(json.loads(records[0].read_text())) == {"full", "service", "endpoint"}


@pytest.mark.parametrize("proxy", ["iptables", "nftables", "nftables-flat"])
def test_requests_fail_no_later_than_a_change_is_known(proxy: str, tmp_path: Path) -> None:
    campaign = f"{COMMON}  endpoint-churn: {{change: [kill, delete, unready], connections: new}}\n"
    frame, _ = bench(campaign, tmp_path, "--proxy", proxy)

    def of(metric: str) -> dict[str, float]:
        found = values(frame, "endpoint-churn", metric, "change")
        return {str(change): value for change, value in found.items()}

    assert min(of("requests").values()) > 500
    assert max(of("last-failure").values()) < DETECTION
    assert max(of("last-answer").values()) < DETECTION + 1  # the period of the probe
    assert of("failed")["unready"] == 0  # its server goes on
    assert max(of("failed-timeout").values()) == max(of("failed-unreachable").values()) == 0
    assert all(0 < first < 5 for first in of("first-answer").values())
    for folder in (tmp_path / "out" / "raw").glob("0000[1-9]-*"):
        after = _answers(folder, DETECTION)
        assert "web-2" not in after["gone"]  # and the two others carry all of it
        assert {"web-1", "web-3"} <= after["gone"]
        assert {"web-1", "web-2", "web-3"} <= after["back"]


def _answers(folder: Path, margin: float) -> dict[str, set[str]]:
    """Who answered what was asked later than the margin after the endpoint went, and came back."""
    change = json.loads((folder / "change.json").read_text())
    margin += 1 if change["change"] == "unready" else 0
    away, back, end = change["moments"]
    rows = [line.split() for line in (folder / "client.stdout").read_text().splitlines()[1:]]
    whole = [(int(row[0]) / 1e9, row[3]) for row in rows if len(row) == 4]
    return {
        "gone": {who for begin, who in whole if away + margin <= begin < back},
        "back": {who for begin, who in whole if back <= begin < end},
    }


@pytest.mark.parametrize("scenario", ["service-latency", "endpoint-churn"])
def test_without_a_proxy_mode_they_are_refused(scenario: str) -> None:
    argv = [*TESTBED, "bench", "--proxy", "none", "--scenario", scenario, "--dry-run"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("testbed: ")
    assert f"scenario {scenario} needs a proxy mode" in done.stderr
