"""Failures, impairments, port counters and set-ups in summary, table and report."""

from __future__ import annotations

import io
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import network
import numpy as np
import pandas as pd
import pytest

from testbed.analysis import comparison, drawings, events, frames, report, setup, theme
from testbed.analysis.export import export
from testbed.analysis.gaps import gaps as gaps_figure
from testbed.analysis.links import legend
from testbed.analysis.results import Results, read
from testbed.analysis.table import print_table
from testbed.analysis.topology import topology_svg
from testbed.analysis.uplinks import uplinks
from testbed.analysis.words import headline
from testbed.errors import InputError

Campaign = Callable[..., Path]


def results(
    folder: Path, *, dropped: int = 0, environment: Mapping[str, Any] | None = None, **options: Any
) -> Path:
    """Writes the synthetic campaign of :mod:`network`."""
    frames.write_samples(network.samples(**options), folder)
    pd.DataFrame(network.ports(dropped=dropped)).to_parquet(folder / "ports.parquet")
    said = json.dumps({**network.ENVIRONMENT, **(environment or {})})
    (folder / "environment.json").write_text(said)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return read([results(tmp_path_factory.mktemp("network"), dropped=17)])


def test_an_impairment_is_a_mode_and_none_is_quiet(whole: Results) -> None:
    assert whole.modes[:4] == [
        "leafspine/bgp", "leafspine/bgp (delay=20ms)", "leafspine/vxlan",
        "leafspine/vxlan (delay=20ms)",
    ]  # fmt: skip
    assert whole.summary["impairment"].dropna().unique().tolist() == ["delay=20ms"]
    for line in dict(headline(whole.headlines)):
        mode, _, reference = line.partition(" to ")
        assert mode.replace("vxlan", "bgp") == reference


def test_without_impairments_the_column_is_not_there(tmp_path: Path) -> None:
    folder = results(tmp_path, impairments=("none",))
    assert "impairment" in pd.read_parquet(folder / "samples.parquet").columns
    found = read([folder])
    assert "impairment" not in found.summary.columns
    assert found.modes == ["leafspine/bgp", "leafspine/vxlan", "sdn/bgp", "sdn/vxlan"]


def test_unimpaired_cells_match_those_of_older_results(tmp_path: Path) -> None:
    folder = results(tmp_path / "new")
    old = pd.read_parquet(folder / "samples.parquet")
    old = old[old["impairment"] == "none"].drop(columns="impairment")
    frames.write_samples(old.to_dict("records"), tmp_path / "old")  # type: ignore[arg-type]
    found = comparison.compare(frames.load(tmp_path / "old"), frames.load(folder), 0.05)
    missing = [row for row in found if row.verdict == "missing"]
    assert len(found) == 2 * len(missing) == 32
    assert {row.parameters["impairment"] for row in missing} == {"delay=20ms"}
    together = read([tmp_path / "old", folder])
    assert "sdn/bgp (old)" in together.modes
    assert "sdn/bgp (delay=20ms, new)" in together.modes


@pytest.mark.parametrize(
    ("axis", "keep", "reference", "ratio"),
    [
        ("topology", {"cni": "bgp", "impairment": "none"}, "leafspine", 0.02),
        ("impairment", {"cni": "bgp", "topology": "sdn"}, "none", 6.0),
        ("cni", {"topology": "sdn", "impairment": "none"}, "bgp", 1.0),
    ],
)
def test_modes_are_referred_along_what_differs(
    tmp_path: Path, axis: str, keep: dict[str, str], reference: str, ratio: float
) -> None:
    rows = [row for row in network.samples() if keep.items() <= row.items()]
    frames.write_samples(rows, tmp_path)
    (tmp_path / "environment.json").write_text(json.dumps(network.ENVIRONMENT))
    found = read([tmp_path])
    far = found.summary[
        (found.summary["metric"] == "failure-gap") & (found.summary["link"] == "far")
    ]
    assert set(far["axis"]) == {axis}
    assert set(far["reference"]) == {reference}
    assert far["reference_ratio"].dropna().tolist() == pytest.approx([ratio], rel=0.2)
    assert len(headline(found.headlines)) == 1


def test_the_first_topology_of_the_campaign_is_the_reference(tmp_path: Path) -> None:
    rows = [row for row in network.samples(blocks=3) if row["cni"] == "bgp"]
    frames.write_samples(rows, tmp_path)
    options = {"topology": ["my/sdn.yaml", "leafspine"]}
    (tmp_path / "environment.json").write_text(json.dumps({"options": options}))
    assert set(read([tmp_path]).summary["reference"]) == {"sdn"}


def test_topologies_and_impairments_fit_100_columns_in_a_pipe(whole: Results) -> None:
    out = io.StringIO()
    print_table(whole.frame, out)
    assert max(map(len, out.getvalue().splitlines())) <= 100
    assert re.search(r"sdn/vxlan \(delay=20ms\) +24\.\d ±\d+%", out.getvalue())


def test_failures_are_told_by_event_with_their_ratio_to_the_first_mode(whole: Results) -> None:
    assert [event.name for event in whole.failures] == ["failure, far", "failure, near"]
    far = {gap.mode: gap for gap in whole.failures[0].gaps}
    assert math.isnan(far["leafspine/bgp"].ratio.value)
    assert 0.01 < far["sdn/bgp"].ratio.low < 0.02 < far["sdn/bgp"].ratio.high < 0.03
    assert far["sdn/bgp"].cell["median"] == far["sdn/bgp"].samples["value"].median()


def drawn(found: Results, kind: str) -> list[str]:
    with theme.themed():
        return [theme.svg(one.figure, "f") for one in drawings.drawings(found) if one.kind == kind]


def test_the_figure_of_failures_has_every_sample_and_every_median(whole: Results) -> None:
    (svg,) = drawn(whole, drawings.FAILURES)
    ET.fromstring(svg)  # noqa: S314  our own output
    dots = re.findall(r'<use href="#f-[Cm]\w+" [^>]*style="fill: var\(--series', svg)
    assert len(dots) == int((whole.frame["metric"] == "failure-gap").sum()) == 80
    for text in ("failure, near", "sdn/bgp (delay=20ms)", "10 ms", "100 ms"):
        assert text in svg
    assert not re.findall(r"(?:fill|stroke): (#[0-9a-f]+)", svg)


@pytest.mark.parametrize(
    ("gaps", "scale", "arrows"),
    [((0.0, 0.1, 3.0), "log", 1), ((0.0, 0.1, 0.3), "linear", 0), ((0, 0, 0), "linear", 0)],
)
def test_samples_without_a_gap_are_drawn(
    tmp_path: Path, gaps: tuple[float, ...], scale: str, arrows: int
) -> None:
    cell = next(iter(network.samples())) | {"metric": "gap"}
    frames.write_samples(
        [cell | {"block": i, "order": i, "value": value} for i, value in enumerate(gaps)], tmp_path
    )
    found = read([tmp_path])
    assert [event.name for event in found.failures] == ["longest gap, near"]
    with theme.themed():
        figure = gaps_figure(found.failures, found.modes)
    assert figure is not None
    (axes,) = figure.axes
    assert axes.get_xscale() == scale
    assert [line.get_marker() for line in axes.lines].count("<") == arrows
    dots = [np.asarray(one.get_offsets()) for one in axes.collections]
    assert sum(map(len, dots)) == len(gaps) - arrows


def test_no_failures_and_no_ports_leave_no_section(campaign: Campaign) -> None:
    text = report.html([campaign(blocks=1, scenarios=("pod-latency",))])
    for absent in ("failures", "traffic"):
        assert f'id="{absent}"' not in text
    assert "Measured in a virtual machine" not in text
    assert "Events in every sample" not in text


def test_uplinks_are_where_equal_cost_ways_part() -> None:
    assert uplinks(network.fabric("sdn")) == {"l1": {"sp1", "sp2"}, "l2": {"sp1", "sp2"}}
    chain = {"nodes": [{"name": "n", "role": "node"}, {"name": "s", "role": "switch"},
                       {"name": "r", "role": "router"}, {"name": "lost", "role": "switch"}],
             "links": [{"a": "n", "b": "s"}, {"a": "s", "b": "r"}]}  # fmt: skip
    assert uplinks(chain) == {}
    chain["links"].append({"a": "r", "b": "s"})  # a second one in parallel
    assert uplinks(chain) == {"s": {"r"}}
    assert uplinks({}) == {}


def test_traffic_is_shared_as_it_was_put_in(whole: Results) -> None:
    assert [one.topology for one in whole.traffic] == ["leafspine", "sdn"]
    for one in whole.traffic:
        assert [link[::2] for link in one.links] == [
            ("l1", "sp1"), ("l1", "sp2"), ("l2", "sp1"), ("l2", "sp2"),
        ]  # fmt: skip
        single, four = one.spreads  # same-node is left out: it sends next to nothing
        assert (single.setting, single.mode) == ("pod-throughput: 1 stream", "bgp, cross-node")
        # Blocks 1, 3 and 5 of five prefer sp1: that is the mean; each sample by itself is uneven.
        assert list(single.shares.values())[:2] == pytest.approx([0.6, 0.4])
        assert list(four.shares.values())[:2] == pytest.approx([0.55, 0.45])
        # l2 has next to nothing to send up.
        assert all(math.isnan(share) for share in list(four.shares.values())[2:])
        found = (single.imbalance.value, four.imbalance.value)
        assert found == pytest.approx((2.0, 1.5), abs=1e-4)
        assert single.sent == pytest.approx(network.BYTES, rel=1e-4)


def test_the_heat_map_has_a_number_for_each_uplink(whole: Results) -> None:
    for svg in drawn(whole, drawings.TRAFFIC):
        ET.fromstring(svg)  # noqa: S314  our own output
        assert sorted(re.findall(r">(\d+ %)<", svg)) == ["40 %", "45 %", "55 %", "60 %"]
        assert svg.count("from l") == 2
        assert "1.00 GB" in svg


def test_dropped_packets_are_told_by_end(whole: Results) -> None:
    assert {drop.end for drop in whole.drops} == {"l1 (l1-sp2) to sp2"}
    assert {drop.packets for drop in whole.drops} == {5 * 17}
    one = next(drop for drop in whole.drops if drop.setting == "pod-throughput: 1 stream")
    assert one.mode == "leafspine/bgp, cross-node"
    # sp2 carries all of blocks 2 and 4: a packet per 1,000 bytes.
    assert one.share == pytest.approx(85 / (85 + 2 * network.BYTES / 1000), rel=1e-4)


def test_counters_that_nobody_knows_are_no_parameters(tmp_path: Path) -> None:
    folder = results(tmp_path)
    rows = pd.read_parquet(folder / "ports.parquet")
    rows.assign(rx_errors=range(len(rows))).to_parquet(folder / "ports.parquet")
    assert [len(one.spreads) for one in read([folder]).traffic] == [2, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"nonsense", "no readable Parquet file"), (pd.DataFrame({"run": ["a"]}), "lacks the column")],
)
def test_bad_port_counters_are_an_input_error(
    tmp_path: Path, content: bytes | pd.DataFrame, message: str
) -> None:
    path = results(tmp_path) / "ports.parquet"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        content.to_parquet(path)
    with pytest.raises(InputError, match=message) as caught:
        read([tmp_path])
    assert str(path) in str(caught.value)


def test_events_in_plain_words() -> None:
    assert [events.sentence(event) for event in network.EVENTS] == [
        "after 500 ms, the link l1-sp1 goes down and comes up again 1 s later",
        "after 1 s, n2 is cut off, its links staying up, and is reachable again 500 ms later",
        "after 2 s, the daemon l1/bgpd is killed and is started again when the sample ends",
    ]
    assert events.sentence({"at": 0, "flood": "n1"}) == "at 0, flood n1"


def test_the_gaps_of_an_event_are_called_by_what_it_was(tmp_path: Path) -> None:
    cell = next(iter(network.samples()))
    names = ("outage-gap", "link-1-gap", "link-1-end-gap", "partition-2-gap", "kill-3-gap")
    rows = [cell | {"metric": name, "scenario": "outage", "link": None} for name in names]
    frames.write_samples(rows, tmp_path)
    assert [event.name for event in read([tmp_path]).failures][1] == "link 1"
    (tmp_path / "environment.json").write_text(json.dumps(network.ENVIRONMENT))
    assert [event.name for event in read([tmp_path]).failures] == [
        "longest gap", "link l1-sp1 down", "link l1-sp1 up again", "n2 cut off", "l1/bgpd killed",
    ]  # fmt: skip
    assert events.names([network.ENVIRONMENT, {}]) == {}


def test_events_of_several_campaigns_are_told_apart_where_they_differ() -> None:
    one: dict[str, Any] = {"options": {"events": network.EVENTS[:1]}}
    other: dict[str, Any] = {"options": {}}
    assert [name for name, _ in events.listed([one, one], ["a", "b"])] == [""]
    assert [name for name, _ in events.listed([other, one], ["a", "b"])] == ["b"]
    assert events.listed([other, {}], ["a", "b"]) == []


def test_the_report_says_how_it_was_measured(tmp_path: Path) -> None:
    said = {"vm": "qemu", "labs": [{"topology": "sdn", "datapath": "user"}]}
    text = report.html([results(tmp_path, environment=said)])
    assert text.index("under software emulation") < text.index('<h2 id="result"')
    assert "After 500 ms, the link l1-sp1 goes down and comes up again 1 s later." in text
    assert "Open vSwitch forwarded in user space" in text
    assert setup.emulated([{"vm": "kvm"}, {}, {"vm": "qemu"}], ["a", "b", "c"]) == ["c"]
    for heading in ("Failures", "Where the traffic went", "Set-up"):
        assert f">{heading}</h2>" in text
    assert not setup.userspace([{"labs": [{"datapath": "kernel"}]}, {}])


def test_the_drawing_names_open_vswitches_and_marks_impaired_links() -> None:
    svg = topology_svg(network.fabric("sdn"))
    assert svg.count(">Open vSwitch<") == svg.count('stroke="var(--series-4)"') == 4
    assert svg.count("<circle") == svg.count("stroke-dasharray") == 1
    assert "a: delay 20 ms, jitter 2 ms, loss 1 %, queue of 100 packets" in svg
    assert "Open vSwitch" not in topology_svg(network.fabric("leafspine"))


def test_links_that_differ_alike_share_a_mark() -> None:
    nodes = {name: {"role": "router"} for name in "abcd"}
    slow, lossy = {"rate": 1e6}, {"loss": 0.005, "jitter": 0.001, "distribution": "normal"}
    links = [{"a": "a", "b": "b", **own} for own in ({}, slow, {}, {}, lossy, slow)]
    found = legend(nodes, links)
    assert found.marks == {1: "a", 4: "b", 5: "a"}
    assert found.lines == (
        ["Links of the fabric: no limit unless marked.", "a: rate 1 Mbit/s",
         "b: jitter 1 ms (normal), loss 0.5 %"]
    )  # fmt: skip


def test_a_paper_gets_the_figures_of_the_page(tmp_path: Path) -> None:
    written = {path.name for path in export([results(tmp_path / "in")], tmp_path / "out")}
    stems = {"failures", "traffic-leafspine", "traffic-sdn", "samples-link-failure-far"}
    assert {f"{stem}.{kind}" for stem in stems for kind in ("svg", "pdf")} < written


def test_samples_that_differ_much_get_a_logarithmic_axis(whole: Results) -> None:
    with theme.themed():
        figures = [one for one in drawings.drawings(whole) if one.kind == drawings.SAMPLES]
        scales = {one.title: one.figure.axes[0].get_xscale() for one in figures}
    # far: 4 to 200 ms; near: 1 to 30 ms.
    assert scales == {"link-failure: far": "log", "link-failure: near": "log"}


def test_a_difference_that_no_digit_shows_is_none(tmp_path: Path) -> None:
    rows = [row for row in network.samples() if row["topology"] == "sdn"]
    for row in rows:
        row["value"] = 1.0001 if row["cni"] == "vxlan" else 1.0
    frames.write_samples(rows, tmp_path)
    said = dict(headline(read([tmp_path]).headlines))
    assert set(said.values()) == {"no difference shown in any of 2 headline metrics"}


def test_the_legend_of_many_modes_stays_on_the_figure() -> None:
    modes = [f"leafspine/mode-{i} (delay=20ms loss=1%)" for i in range(7)]
    with theme.themed():
        figure = theme.canvas(300)
        theme.legend(figure, modes, left=300)
        svg = ET.fromstring(theme.svg(figure, "f"))  # noqa: S314  our own output
        box = figure.legends[0].get_window_extent()
    assert box.x1 <= theme.WIDTH
    assert box.height <= theme.legend_height(modes, 300)
    assert len(svg.findall(".//{*}text")) == len(modes)
