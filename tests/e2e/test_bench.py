"""``testbed bench`` as a user calls it: results, going on, and every way of ending too early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.e2e

TESTBED = [sys.executable, "-m", "testbed"]
SMALL = """
settings: {nodes: 2}
cni: [vxlan, host-gw]
repeat: 2
seed: 5
scenarios:
  pod-connect: {path: [same-node, node-to-node]}
"""
LONG = SMALL.replace("repeat: 2", "repeat: 100")
JOURNAL = "journal.jsonl"
LIMIT = 600  # seconds for a campaign of a few samples, for machines that emulate their CPU


def labs() -> dict[str, int]:
    done = subprocess.run([*TESTBED, "ls", "-o", "json"], capture_output=True, check=True)
    return {lab["name"]: lab["pid"] for lab in json.loads(done.stdout)}


def labs_of(bench: subprocess.Popen[str]) -> dict[str, int]:
    return {name: pid for name, pid in labs().items() if name.startswith(f"bench-{bench.pid}-")}


def until(condition: Callable[[], bool], seconds: float = LIMIT) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that in time"
        time.sleep(0.05)


def measured(bench: subprocess.Popen[str], out: Path, samples: int) -> bool:
    """Whether that many samples are there; fails at once if the campaign has ended."""
    assert bench.poll() is None, bench.communicate()[1]
    path = out / JOURNAL
    return path.exists() and path.read_bytes().count(b"\n") > samples


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts ``testbed bench`` on a campaign; results in ``out``."""
    begun: list[subprocess.Popen[str]] = []

    def start(campaign: str, *options: str) -> subprocess.Popen[str]:
        file = tmp_path / "campaign.yaml"
        file.write_text(campaign)
        argv = [*TESTBED, "bench", str(file), "--out", str(tmp_path / "out"), *options]
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            argv, stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


Begin = Callable[..., "subprocess.Popen[str]"]


def test_a_campaign_leaves_a_results_folder_and_nothing_else(begin: Begin, tmp_path: Path) -> None:
    bench = begin(SMALL)
    table, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 0, messages
    assert "block 2 done" in messages
    assert "pod-connect" in table
    out = tmp_path / "out"
    assert f"Report: {out}/report.html" in table
    names = {path.name for path in out.iterdir()}
    wanted = {"samples.parquet", "raw", "environment.json", "summary.csv", "report.html"}
    assert wanted <= names
    frame = pd.read_parquet(out / "samples.parquet")
    assert sorted(set(frame["order"])) == list(range(1, 9))
    assert set(frame["block"]) == {1, 2}
    assert set(frame["seed"]) == {5}
    assert set(frame["cni"]) == {"vxlan", "host-gw"}
    assert set(frame["path"]) == {"same-node", "node-to-node"}
    assert set(frame["topology"]) == {"single"}
    assert set(frame["proxy"]) == {"none"}
    assert (frame[frame["metric"] == "connections"]["value"] > 100).all()
    assert set(frame[frame["metric"] == "cpu-busy"]["unit"]) == {"1"}
    assert len(list((out / "raw").glob("0000[1-8]-*/client.stdout"))) == 8
    assert not labs_of(bench)


def test_a_killed_campaign_goes_on_where_it_stopped(begin: Begin, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bench = begin(SMALL)
    until(lambda: measured(bench, out, 2))
    bench.kill()
    bench.communicate()
    until(lambda: not labs_of(bench))
    kept = (out / JOURNAL).read_bytes().splitlines()[:3]
    refused = begin(SMALL)
    assert "has results already" in refused.communicate(timeout=LIMIT)[1]
    assert refused.returncode == 2
    again = begin(SMALL, "--resume")
    _, messages = again.communicate(timeout=LIMIT)
    assert again.returncode == 0, messages
    lines = (out / JOURNAL).read_bytes().splitlines()
    assert lines[:3] == kept
    orders = [json.loads(line)["order"] for line in lines[1:]]
    assert sorted(orders) == list(range(1, 9))
    assert len(pd.read_parquet(out / "samples.parquet")["order"].unique()) == 8


def test_a_killed_lab_ends_the_campaign_with_code_4(begin: Begin, tmp_path: Path) -> None:
    bench = begin(LONG)
    until(lambda: measured(bench, tmp_path / "out", 1))
    running = labs_of(bench)
    assert len(running) == 2
    victim = f"bench-{bench.pid}-1"
    os.kill(running[victim], signal.SIGKILL)
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 4, messages
    assert f"the lab single vxlan none ('{victim}') has ended while it was measured" in messages
    assert "To go on: testbed bench --resume --out" in messages
    assert "Traceback" not in messages
    assert not labs_of(bench)


def test_an_interrupt_ends_the_labs_and_keeps_the_journal(begin: Begin, tmp_path: Path) -> None:
    bench = begin(LONG)
    until(lambda: measured(bench, tmp_path / "out", 1))
    os.killpg(bench.pid, signal.SIGINT)
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 130
    assert "of 400 samples are there" in messages
    assert "Traceback" not in messages
    assert not labs_of(bench)
    assert (tmp_path / "out" / JOURNAL).read_bytes().count(b"\n") > 1


def test_a_dry_run_prints_the_order_and_makes_nothing(begin: Begin, tmp_path: Path) -> None:
    bench = begin(SMALL, "--dry-run", "--cni", "bgp")
    order, messages = bench.communicate(timeout=LIMIT)
    assert (bench.returncode, messages) == (0, "")
    assert len(order.splitlines()) == 4
    assert all("single bgp none pod-connect path=" in line for line in order.splitlines())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("campaign", "options", "message"),
    [
        ("cni: vxlam", [], "campaign.yaml:1: cni: unknown CNI mode 'vxlam'"),
        (SMALL, ["--scenario", "pod-speed"], "--scenario: unknown scenario 'pod-speed'"),
        (SMALL, ["--set", "nodes=1"], "needs at least 2 nodes"),
        (SMALL, ["--repeat", "0"], "--repeat"),
    ],
)
def test_bad_input(
    begin: Begin, tmp_path: Path, campaign: str, options: list[str], message: str
) -> None:
    bench = begin(campaign, *options)
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 2
    assert message in messages
    assert "Traceback" not in messages
    assert not (tmp_path / "out").exists()


EVENTFUL = """
topology: leafspine
cni: bgp
settings: {nodes: 1}
repeat: 2
seconds: 4
seed: 3
events:
  - {at: 2s, partition: n1, for: 300ms}
  - {at: 2800ms, link: l1-sp1}
  - {at: 3s, kill: b1/bgpd}
scenarios:
  outage:
  pod-connect: {path: cross-node}
"""


def test_events_happen_in_every_sample_and_are_undone(begin: Begin, tmp_path: Path) -> None:
    bench = begin(EVENTFUL)
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 0, messages
    out = tmp_path / "out"
    frame = pd.read_parquet(out / "samples.parquet").set_index("metric")["value"]
    # 300 ms; on a busy machine each of its ends may come late, and the sender may stand still.
    assert frame["partition-1-gap"].between(0.1, 0.8).all()
    assert (frame["link-2-gap"] > 0).all()
    assert (frame["kill-3-gap"] < 0.9).all()  # the border router is not on the way
    # Of one sample each; the hole may have begun a millisecond before the event.
    assert (frame["outage-gap"].to_numpy() >= frame["partition-1-gap"].to_numpy()).all()
    assert frame["outage-time"].min() >= frame["partition-1-gap"].min()
    assert frame["outage-lost"].between(1, 2500).all()
    assert (frame["connections"] > 100).all()
    for folder in sorted((out / "raw").glob("0000[1-4]-*")):
        record = json.loads((folder / "events.json").read_text())
        done = [(one["number"], one["fails"]) for one in record["happened"]]
        assert done == [(1, True), (1, False), (2, True), (3, True), (3, False), (2, False)]
        planned = (2.0, 2.3, 2.8, 3.0)
        for one, at in zip(record["happened"], planned, strict=False):
            assert at <= one["began"] - record["start"]["monotonic"] < at + 0.5
        assert (folder / "ports.json").exists()
    assert json.loads((out / "environment.json").read_text())["options"]["events"] == [
        {"at": 2.0, "partition": "n1", "for": 0.3},
        {"at": 2.8, "link": "l1-sp1"},
        {"at": 3.0, "kill": "b1/bgpd"},
    ]


def test_ports_of_all_samples_are_there_after_a_campaign(begin: Begin, tmp_path: Path) -> None:
    bench = begin(SMALL.replace("repeat: 2", "repeat: 1"), "--set", "rate=1Gbit")
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 0, messages
    frame = pd.read_parquet(tmp_path / "out" / "ports.parquet")
    assert set(frame["order"]) == {1, 2, 3, 4}
    sent = frame[(frame["a"] == "n1") & (frame["peer"] == "s1")].groupby("path")["tx_packets"]
    assert sent.min()["node-to-node"] > 400
    assert sent.max()["same-node"] < 50


def test_impairments_are_labs_side_by_side(begin: Begin, tmp_path: Path) -> None:
    campaign = SMALL.replace("cni: [vxlan, host-gw]", "impairments: [{}, {rate: 20Mbit}]")
    only = "  pod-throughput: {path: node-to-node, protocol: tcp, streams: 1}\n"
    bench = begin(campaign.partition("  pod-connect")[0].replace("repeat: 2", "repeat: 1") + only)
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 0, messages
    frame = pd.read_parquet(tmp_path / "out" / "samples.parquet")
    rates = frame[frame["metric"] == "throughput"].set_index("impairment")["value"]
    assert set(rates.index) == {"none", "rate=20Mbit"}
    assert rates["rate=20Mbit"] < 40e6 < rates["none"]


def test_a_failing_link_is_survived(begin: Begin, tmp_path: Path) -> None:
    bench = begin("topology: leafspine\ncni: bgp\nrepeat: 1\nscenarios: {link-failure: }")
    _, messages = bench.communicate(timeout=LIMIT)
    assert bench.returncode == 0, messages
    frame = pd.read_parquet(tmp_path / "out" / "samples.parquet")
    gaps = frame[frame["metric"] == "failure-gap"].set_index("link")["value"]
    assert set(gaps.index) == {"near", "far"}
    assert gaps.between(0.001, 10).all()
    lost = frame[frame["metric"] == "failure-lost"].set_index("link")["value"]
    assert lost["far"] > 0
