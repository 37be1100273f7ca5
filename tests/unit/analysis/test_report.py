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

from testbed.analysis import figures, frames, latex, report, theme
from testbed.analysis.overview import overview, turned
from testbed.analysis.results import Results, read
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
    said = dict(headline(read([campaign(blocks=9)]).headlines))
    assert list(said) == ["vxlan to bgp, cross-node", "vxlan to bgp, same-node"]
    across = said["vxlan to bgp, cross-node"]
    assert re.search(r"worse in .*rtt-p50 ×1\.1\d \[1\.\d+–1\.\d+\]", across)  # noqa: RUF001
    assert re.search(r"throughput \(tcp, 4 streams, unlimited\) ×0\.8\d", across)  # noqa: RUF001
    assert "better" not in across
    assert said["vxlan to bgp, same-node"] == "no difference shown in any of 7 headline metrics"


def test_a_mode_alone_is_told_against_node_to_node(campaign: Campaign, tmp_path: Path) -> None:
    frame = frames.load(campaign(blocks=5, scenarios=LATENCY))
    folder = tmp_path / "one"
    frames.write_samples(frame[frame["cni"] == "bgp"].to_dict("records"), folder)  # type: ignore[arg-type]
    said = dict(headline(read([folder]).headlines))
    assert re.match(r"rtt-p50 ×1\.[01]\d \[.*\] of node to node$", said["bgp, cross-node"])  # noqa: RUF001


def test_the_scenario_says_what_its_headlines_are(campaign: Campaign) -> None:
    folder = campaign(blocks=1)
    found = read([folder]).headlines
    assert [one.name for one in found] == [
        "connections", "connect-p50", "rtt-p50", "rtt-p99", "throughput (tcp, 1 stream, unlimited)",
        "throughput (tcp, 4 streams, unlimited)", "cpu-per-bit (udp, 1 stream, rate 500M)",
    ]  # fmt: skip
    (folder / "environment.json").unlink()
    found = read([folder]).headlines
    assert {one.table.metric for one in found} == {"connections", "rtt-p50", "throughput"}


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
    assert "<strong>bgp:</strong> gap 210 ms [200–220]." in text  # noqa: RUF001
    assert "The results have no environment.json." in text
    assert '<h2 id="setup"' not in text


def test_two_samples_have_no_interval_and_say_so_by_its_absence(tmp_path: Path) -> None:
    assert dict(headline(read([failure(tmp_path, blocks=2)]).headlines)) == {"bgp": "gap 205 ms"}


def test_the_table_of_cpu_times_is_closed_and_has_a_row_for_each_mode_and_path(
    campaign: Campaign,
) -> None:
    text = report.html([campaign(blocks=1)])
    found = re.findall(r"<details>.*?</details>", text, re.DOTALL)
    assert len(found) == 3
    assert [table.count("<tr>") for table in found] == [1 + 6, 1 + 6, 1 + 18]
    assert "<details open" not in text


def figures_of(results: Results) -> list[str]:
    with theme.themed():
        drawn = [overview(results.headlines, results.modes)]
        for section in results.sections:
            drawn.append(figures.samples(section, results.samples, results.modes))
        return [theme.svg(figure, f"f{i}") for i, figure in enumerate(drawn) if figure]


def marks(svg: str) -> int:
    use = r'<use href="#\w+-[Cm]\w+" [^>]*style="fill: (?:var\(--series|var\(--paper)'
    return len(re.findall(use, svg))


def test_figures_are_xml_in_the_colours_of_the_page(campaign: Campaign) -> None:
    drawn = figures_of(read([campaign(blocks=3)]))
    assert len(drawn) == 6
    for svg in drawn:
        ET.fromstring(svg)  # noqa: S314  our own output
        assert "currentColor" in svg
        assert "var(--series-1)" in svg
        assert not re.findall(r"(?:fill|stroke): (#[0-9a-f]+)", svg)


def test_the_overview_has_a_mark_for_each_ratio_of_a_headline(campaign: Campaign) -> None:
    results = read([campaign(blocks=3)])
    assert len(results.headlines) == 7
    assert marks(figures_of(results)[0]) == 7 * 2 * 2 + len(results.modes)


@pytest.mark.parametrize(
    ("better", "expected"), [("higher", (0.5, 0.25, 0.8)), ("lower", (2, 1.25, 4))]
)
def test_left_is_worse(better: str, expected: tuple[float, float, float]) -> None:
    cell = {"baseline_ratio": 0.5, "baseline_low": 0.25, "baseline_high": 0.8}
    assert turned(cell, better) == pytest.approx(expected)


def test_every_sample_is_drawn_twice(campaign: Campaign) -> None:
    results = read([campaign(blocks=3, scenarios=LATENCY)])
    count = int((results.frame["better"] != "none").sum())
    assert marks(figures_of(results)[1]) == 2 * count + len(results.modes)


def test_a_folder_for_a_paper(
    campaign: Campaign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = campaign(blocks=3), tmp_path / "new" / "paper"
    command.main([str(folder), "--figures", str(out)], standalone_mode=False)
    printed = capsys.readouterr().out.split()
    assert {Path(line) for line in printed} == {*out.iterdir(), folder / "report.html"}
    assert {"overview.svg", "overview.pdf", "summary.tex", "summary.csv"} <= {
        path.name for path in out.iterdir()
    }
    assert len(list(out.glob("samples-*.pdf"))) == len(list(out.glob("samples-*.svg"))) == 5
    assert (out / "overview.pdf").read_bytes().startswith(b"%PDF")
    text = (out / "overview.svg").read_text()
    ET.fromstring(text)  # noqa: S314  our own output
    assert "var(" not in text
    assert len(pd.read_csv(out / "summary.csv")) == len(read([folder]).summary)


def test_latex_is_balanced_and_escaped(campaign: Campaign) -> None:
    results = read([campaign(blocks=3)])
    lines = latex.table(results.sections).splitlines()
    rows = [line for line in lines if line.endswith(r" \\") and "multicolumn" not in line]
    assert {line.count(" & ") for line in rows} == {4}
    assert sum(line.count("{") - line.count("}") for line in lines) == 0
    assert any("$\\times$0." in line for line in rows)
    assert latex.escape("a_b 5% {x} \\y") == r"a\_b 5\% \{x\} \textbackslash{}y"
    assert "".join(lines).isascii()


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
    assert "Links of the fabric: rate 40 Gbit/s." in svg
    assert "Links to hosts: rate 10 Gbit/s unless marked." in svg
    assert svg.count("a: rate 1 Gbit/s, delay 5ms, MTU 9000") == 1


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
    assert "pod-throughput: udp, 1 stream, rate 500M" in lines
    assert "pod-throughput, zero throughout: loss" in lines
    assert re.search(
        r"bgp +13\.\d ±\d+% +16\.\d ±\d+% ×1\.2\d +12\.\d ±\d+% ×0\.9\d",  # noqa: RUF001
        out.getvalue(),
    )


def test_console_table_writes_no_ratio_to_almost_nothing(campaign: Campaign) -> None:
    frame = frames.load(campaign(blocks=3, scenarios=["pod-throughput"]))
    loss = frame["metric"] == "loss"
    frame.loc[loss, "value"] = frame[loss]["path"].map(lambda p: 0.2 if p == "cross-node" else 1e-5)
    out = io.StringIO()
    print_table(frame, out)
    row = next(line for line in out.getvalue().splitlines() if line.startswith("loss"))
    assert row.split()[-3:] == ["0.200", "±0%", "×–"]  # noqa: RUF001


def test_console_table_in_an_encoding_without_the_signs(campaign: Campaign) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    print_table(frames.load(campaign(blocks=3, scenarios=LATENCY)), out)
    out.flush()
    lines = raw.getvalue().decode("ascii").splitlines()
    assert re.search(r"rtt-p50 \[us\] +bgp +\d+\.\d \+-\d+% +\d+\.\d \+-\d+% x0\.\d\d", lines[2])
    column = lines[1].index("cross-node")
    assert all(line[column - 1] == " " and line[column].isdigit() for line in lines[2:8])


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
