"""Scenario ``egress`` in real labs, by ``testbed bench``; short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.e2e

CAMPAIGN = """
topology: single
settings: {nodes: 2}
impairments: [{}, {egress_exempt: 192.168.0.200}]
cni: vxlan
proxy: none
repeat: 1
seconds: 1
scenarios:
  egress:
"""


def test_every_path_outside_is_measured(tmp_path: Path) -> None:
    file, out = tmp_path / "campaign.yaml", tmp_path / "out"
    file.write_text(CAMPAIGN)
    argv = [sys.executable, "-m", "testbed", "bench", str(file), "--out", str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    frame = pd.read_parquet(out / "samples.parquet")
    found = frame[frame["metric"].isin(["connect-p50", "rtt-p50", "throughput"])]
    assert set(found["path"]) == {"direct", "pod", "gateway"}
    assert len(found) == 2 * 3 * 3  # labs, paths, metrics
    assert (found["value"] > 0).all()
    assert "direct" in done.stdout
