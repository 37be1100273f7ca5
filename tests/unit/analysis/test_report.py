"""The report, its figures and drawings, the console table, and the command."""

import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click import ClickException

from testbed.analysis import figures, frames, layout, report
from testbed.analysis.summary import summary
from testbed.analysis.table import print_table
from testbed.analysis.topology import topology_svg
from testbed.analysis.words import headline
from testbed.cli.report import command
from testbed.errors import InputError

Campaign = Callable[..., Path]
VOID = {"meta", "link", "br"}
LATENCY = ("pod-latency",)  # the smallest campaign, where more adds nothing


class Outline(HTMLParser):
    """What the tests ask of a page: that tags are balanced, and headings, ids and references."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.references: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = dict(attrs)
        self.ids += [str(values["id"])] if "id" in values else []
        self.references += [str(values[name]) for name in ("src", "href") if name in values]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def failure(folder: Path, *, blocks: int = 3) -> Path:
    """A campaign of a scenario that has neither path nor parameters."""
    rows = [
        {
            "run": "f", "block": block, "order": block, "seed": 1, "cni": "bgp",
            "topology": "leafspine", "scenario": "link-failure", "metric": "gap", "unit": "s",
            "better": "lower", "value": 0.2 + 0.01 * block, "start": "2026-01-01T00:00:00Z",
            "disturbed": False,
        }
        for block in range(blocks)
    ]  # fmt: skip
    frames.write_samples(rows, folder)
    return folder


def test_the_page_stands_alone_and_is_well_formed(campaign: Campaign) -> None:
    text = report.html([campaign()])
    page = Outline(text)
    assert not page.tags & {"script", "iframe", "img", "object"}
    assert all(reference.startswith(("#", "data:,")) for reference in page.references)
    assert {reference[1:] for reference in page.references if reference[0] == "#"} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b - a <= 1 for a, b in zip(page.headings, page.headings[1:], strict=False))
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)


def test_the_headline_says_what_was_put_in(campaign: Campaign) -> None:
    tables = layout.arrange(summary(frames.load(campaign(blocks=9))))
    said = dict(headline(tables))
    sentence = said["pod-throughput (tcp, 4 streams), cross-node"]
    assert re.match(
        r"bgp keeps 0\.9\d+ \[.*\] of the node-to-node throughput, vxlan 0\.[78]", sentence
    )
    assert "vxlan to bgp is 0.8" in sentence
    assert "times the node-to-node latency p50" in said["pod-latency, cross-node"]


def test_what_comes_from_data_is_escaped(campaign: Campaign, tmp_path: Path) -> None:
    evil = "<script>alert('x')</script>"
    frame = frames.load(campaign(blocks=3, scenarios=LATENCY))
    frame["cni"] = frame["cni"].map(lambda name: f"{name}{evil}")
    folder = tmp_path / "evil"
    frames.write_samples(frame.to_dict("records"), folder)  # type: ignore[arg-type]
    topology = {"nodes": [{"name": evil, "role": "node"}], "links": []}
    environment = {"cpu": evil, "topologies": {evil: topology}, evil: {evil: [evil]}}
    (folder / "environment.json").write_text(json.dumps(environment))
    text = report.html([folder])
    assert "<script" not in text
    assert text.count("&lt;script&gt;") > 10


def test_several_folders_stand_side_by_side_with_the_change(campaign: Campaign) -> None:
    text = report.html(
        [
            campaign("old", scenarios=LATENCY),
            campaign("new", scenarios=LATENCY, run="b", seed=2, speed=0.7),
        ]
    )
    assert "Change from old" in text
    assert 'class="verdict worse"' in text
    for mode in ("bgp (old)", "bgp (new)", "vxlan (old)", "vxlan (new)"):
        assert f'<th scope="row">{mode}</th>' in text


def test_folders_with_nothing_in_common_are_still_shown(campaign: Campaign, tmp_path: Path) -> None:
    folders = [campaign("old", blocks=3, scenarios=LATENCY), failure(tmp_path / "failure")]
    text = report.html(folders)
    assert "There is nothing to compare: the two results have no cell in common." in text


def test_a_scenario_without_path_or_environment(tmp_path: Path) -> None:
    text = report.html([failure(tmp_path)]).replace("\u2060", "")
    assert "bgp has a median gap of 210 ms [200–220]" in text  # noqa: RUF001
    assert "The results have no environment.json." in text
    assert '<h2 id="topology"' not in text


def test_two_samples_have_no_interval_and_say_so_by_its_absence(tmp_path: Path) -> None:
    assert dict(headline(layout.arrange(summary(frames.load(failure(tmp_path, blocks=2)))))) == {
        "link-failure": "bgp has a median gap of 205 ms."
    }


def test_the_reference_is_the_mode_that_the_campaign_lists_first(campaign: Campaign) -> None:
    folder = campaign(scenarios=LATENCY)
    assert "vxlan to bgp" in report.html([folder])
    (folder / "environment.json").write_text(json.dumps({"options": {"cni": "vxlan,bgp"}}))
    assert "bgp to vxlan" in report.html([folder])


@pytest.fixture
def drawn(campaign: Campaign) -> tuple[layout.MetricTable, list[pd.DataFrame], list[str]]:
    frame = frames.load(campaign(scenarios=["pod-throughput"]))
    tables = layout.arrange(summary(frame))
    table = next(one for one in tables if one.metric == "throughput")
    return table, list(frames.cells(frame).values()), layout.mode_names(tables)


def test_figures_are_xml_in_the_colours_of_the_page(
    drawn: tuple[layout.MetricTable, list[pd.DataFrame], list[str]],
) -> None:
    table, samples, modes = drawn
    for svg in (
        figures.ratios(table, modes, "r"),
        figures.distributions(table, samples, modes, "d"),
        figures.over_time(table, samples, modes, "t"),
    ):
        ET.fromstring(svg)  # noqa: S314  our own output
        assert "currentColor" in svg
        assert "var(--series-1)" in svg
        assert not re.findall(r"(?:fill|stroke): (#[0-9a-f]+)", svg)


def test_the_forest_plot_has_a_row_for_each_ratio(
    drawn: tuple[layout.MetricTable, list[pd.DataFrame], list[str]],
) -> None:
    table, _, modes = drawn
    svg = figures.ratios(table, modes, "r")
    cells = [cell for cell in table.cells if cell["path"] != "node-to-node"]
    assert len(cells) == 12
    assert len(re.findall(r">\d\.\d+ \[", svg)) == 12


def test_every_sample_is_drawn(
    drawn: tuple[layout.MetricTable, list[pd.DataFrame], list[str]],
) -> None:
    table, samples, modes = drawn
    count = sum(len(samples[cell["place"]]) for cell in table.cells)
    for svg, legend in (
        (figures.distributions(table, samples, modes, "d"), 0),
        (figures.over_time(table, samples, modes, "t"), len(modes)),
    ):
        marks = re.findall(
            r'<use href="#\w-[Cm]\w+" [^>]*style="fill: (?:var\(--series|var\(--paper)', svg
        )
        assert len(marks) == count + legend


def topology(nodes: int, leaves: int) -> dict[str, Any]:
    spines = [{"name": f"spine{i}", "role": "router"} for i in (1, 2)]
    racks = [{"name": f"leaf{i}", "role": "switch"} for i in range(leaves)]
    hosts = [
        {"name": f"n{i}", "role": "node", "address": f"10.0.0.{i}", "pod_cidr": f"10.244.{i}.0/24"}
        for i in range(nodes)
    ]
    up = [{"a": s["name"], "b": r["name"], "rate": 40e9} for s in spines for r in racks]
    down = [{"a": f"leaf{i % leaves}", "b": f"n{i}", "rate": 10e9} for i in range(nodes)]
    client = {"name": "client", "role": "external"}
    border = [{"a": "spine1", "b": "client", "rate": 1e9, "mtu": 9000, "delay": "5ms"}]
    return {"nodes": [*spines, *racks, *hosts, client], "links": [*up, *down, *border]}


@pytest.mark.parametrize(("nodes", "leaves"), [(1, 1), (3, 1), (20, 1), (20, 4), (6, 3)])
def test_topology_boxes_do_not_overlap_and_stay_inside(nodes: int, leaves: int) -> None:
    svg = ET.fromstring(topology_svg(topology(nodes, leaves)))  # noqa: S314  our own output
    width, height = map(float, svg.attrib["viewBox"].split()[2:])
    boxes = [
        tuple(float(box.attrib[name]) for name in ("x", "y", "width", "height"))
        for box in svg.findall("rect")
        if "stroke" in box.attrib
    ]
    assert len(boxes) == nodes + leaves + 3
    for index, (x, y, w, h) in enumerate(boxes):
        assert x >= 0 and y >= 0 and x + w <= width and y + h <= height
        for x2, y2, w2, h2 in boxes[:index]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_topology_says_what_links_share_and_labels_what_differs() -> None:
    svg = topology_svg(topology(4, 2))
    assert "Links of the fabric: rate 40.0 Gbit/s." in svg
    assert "Links to hosts: rate 10.0 Gbit/s unless labelled." in svg
    assert svg.count("rate 1.00 Gbit/s, delay 5ms, MTU 9000") == 1


def test_a_topology_without_switches_or_with_nothing() -> None:
    pair = {"nodes": [{"name": n, "role": "node"} for n in "ab"], "links": [{"a": "a", "b": "b"}]}
    assert topology_svg(pair).count("<rect") == 2
    assert "No links." in topology_svg({"nodes": [], "links": []})


def test_console_table_fits_100_columns_in_a_pipe(campaign: Campaign) -> None:
    out = io.StringIO()
    print_table(frames.load(campaign()), out)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    assert "\x1b" not in out.getvalue()
    assert "…" not in out.getvalue()
    assert "throughput [Gbit/s]" in out.getvalue()
    assert "pod-throughput: udp, 1 stream, rate 1 Gbit/s" in lines
    assert "pod-throughput, zero throughout: loss, retransmits" in lines
    assert re.search(
        r"bgp +13\.\d ±\d+% +16\.\d ±\d+% x1\.2\d +12\.\d ±\d+% x0\.9\d", out.getvalue()
    )


def test_command_writes_beside_the_samples_and_prints_the_path(
    campaign: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = campaign(blocks=3, scenarios=LATENCY)
    command.main([str(folder)], standalone_mode=False)
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    other = tmp_path / "new" / "x.html"
    command.main([str(folder), "-o", str(other)], standalone_mode=False)
    assert other.read_text().startswith("<!DOCTYPE html>")


def test_command_refuses_bad_input(campaign: Campaign, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such results folder"):
        command.main([str(tmp_path / "none")], standalone_mode=False)
    with pytest.raises(ClickException):
        command.main([], standalone_mode=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        command.main(
            [str(campaign(blocks=1)), "-o", str(tmp_path / "file" / "x.html")],
            standalone_mode=False,
        )
