"""The verdicts, and the command that prints them."""

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.analysis import comparison, frames, verdicts
from testbed.analysis.statistics import Estimate
from testbed.cli.compare import command
from testbed.errors import InputError, NotSo

Campaign = Callable[..., Path]


@pytest.mark.parametrize(
    ("low", "high", "better", "expected"),
    [
        (0.80, 0.94, "higher", "worse"),
        (0.80, 0.94, "lower", "better"),
        (1.06, 1.20, "higher", "better"),
        (1.06, 1.20, "lower", "worse"),
        (0.96, 1.04, "higher", "same"),
        (0.90, 0.96, "higher", "inconclusive"),
        (1.00, 1.06, "lower", "inconclusive"),
        (math.inf, math.inf, "lower", "worse"),
        (math.nan, math.nan, "lower", "inconclusive"),
    ],
)
def test_verdict(low: float, high: float, better: str, expected: str) -> None:
    assert comparison.verdict(Estimate(1.0, low, high, 5), better, 0.05) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("5%", 0.05), ("0.05", 0.05), ("12.5 %", 0.125), ("0", 0), ("150%", 1.5)]
)
def test_threshold(text: str, expected: float) -> None:
    assert comparison.parse_threshold(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "%", "five", "-1%", "nan", "inf%", "5"])
def test_bad_threshold(text: str) -> None:
    with pytest.raises(InputError, match="--threshold"):
        comparison.parse_threshold(text)


def test_a_tiny_loss_is_no_loss(campaign: Campaign) -> None:
    base = frames.load(campaign(scenarios=("pod-throughput",)))
    base = base[(base["metric"] == "loss") & (base["protocol"] == "udp")]
    for old, new, expected in ((1e-5, 5e-5, "same"), (1e-5, 0.01, "worse"), (0.1, 0.2, "worse")):
        rows = comparison.compare(base.assign(value=old), base.assign(value=new), 0.05)
        assert {row.verdict for row in rows} == {expected}


def verdict_counts(base: Path, new: Path) -> dict[comparison.Verdict, int]:
    return comparison.counts(comparison.compare(frames.load(base), frames.load(new), 0.05))


@pytest.mark.parametrize(("noise", "most"), [(0.02, 0), (0.05, 0), (0.3, 2)])
def test_two_campaigns_of_the_same_are_not_worse(
    campaign: Campaign, noise: float, most: int
) -> None:
    scenarios = ("pod-latency", "pod-connect")
    base = campaign("base", seed=1, noise=noise, scenarios=scenarios)
    for seed in (2, 3):  # far above the threshold, noise is worse once in 250 metrics
        new = campaign(f"new{seed}", run="b", seed=seed, noise=noise, scenarios=scenarios)
        assert verdict_counts(base, new)["worse"] <= most


def test_a_campaign_and_itself_are_the_same(campaign: Campaign) -> None:
    folder = campaign()
    found = verdict_counts(folder, folder)
    assert found["same"] == sum(found.values()) == 90


def test_a_slower_campaign_is_worse_and_a_faster_one_better(campaign: Campaign) -> None:
    base = campaign("base", blocks=7)
    slow = verdict_counts(base, campaign("slow", run="b", seed=2, speed=0.75, blocks=7))
    fast = verdict_counts(base, campaign("fast", run="c", seed=2, speed=1.4, blocks=7))
    # 54 metrics change (loss and retransmits stay zero); disturbed samples hide it in some.
    assert slow["worse"] > 35
    assert fast["better"] > 35
    assert slow["better"] == fast["worse"] == 0


def test_cells_of_one_side_are_missing_and_do_not_fail(campaign: Campaign) -> None:
    whole = frames.load(campaign())
    part = whole[whole["cni"] == "bgp"]
    for base, new in ((whole, part), (part, whole)):
        found = comparison.counts(comparison.compare(base, new, 0.05))
        assert found["missing"] == found["same"] == 45
    with pytest.raises(InputError, match="no cell in common"):
        comparison.compare(part, whole[whole["cni"] == "vxlan"], 0.05)


def test_a_parameter_without_value_makes_no_new_cell(campaign: Campaign) -> None:
    old = frames.load(campaign())
    new = old.assign(policy=None)
    assert comparison.counts(comparison.compare(old, new, 0.05))["missing"] == 0


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str]:
    code = 0
    try:
        command.main(list(args), standalone_mode=False)
    except NotSo as error:
        code = error.exit_code
    return code, capsys.readouterr().out


def test_command_prints_and_fails_on_worse(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    base, slow = str(campaign("base")), str(campaign("slow", run="b", seed=2, speed=0.7))
    code, text = run(capsys, base, slow)
    assert code == 1
    assert text.splitlines()[1].startswith("worse")
    assert "90 metrics at a threshold of 5 %" in text.splitlines()[-1]
    assert run(capsys, slow, base)[0] == 0
    assert run(capsys, base, slow, "--threshold", "90%")[0] == 0


def test_json(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    base, slow = str(campaign("base")), str(campaign("slow", run="b", seed=2, speed=0.7))
    code, text = run(capsys, base, slow, "-o", "json", "--threshold", "0.1")
    document = json.loads(text)
    assert code == 1
    assert document["threshold"] == 0.1
    assert len(document["rows"]) == 90
    row = next(r for r in document["rows"] if r["metric"] == "throughput")
    assert row["verdict"] == "worse"
    assert row["parameters"] == {
        "topology": "single", "cni": "bgp", "proxy": "none", "path": "node-to-node",
        "protocol": "tcp", "streams": 1, "rate": "unlimited",
    }  # fmt: skip
    assert row["ratio"]["low"] < 0.7 < row["ratio"]["high"] < 0.9


def test_junit_is_xml_whose_counts_agree(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    base, slow = str(campaign("base")), str(campaign("slow", run="b", seed=2, speed=0.7))
    text = run(capsys, base, slow, "-o", "junit")[1]
    suite = ET.fromstring(text).find("testsuite")  # noqa: S314  our own output
    assert suite is not None
    assert len(suite.findall("testcase")) == int(suite.attrib["tests"]) == 90
    assert len(suite.findall("testcase/failure")) == int(suite.attrib["failures"]) > 40
    assert len(suite.findall("testcase/skipped")) == int(suite.attrib["skipped"])


def test_markdown_has_as_many_fields_in_each_line(
    campaign: Campaign, capsys: pytest.CaptureFixture[str]
) -> None:
    base = str(campaign("base"))
    lines = run(capsys, base, base, "-o", "markdown")[1].splitlines()[2:]
    assert len(lines) == 92
    assert {line.count("|") for line in lines} == {9}


def test_every_format_of_the_command_exists() -> None:
    choice = next(option for option in command.params if option.name == "output").type
    assert list(verdicts.FORMATS) == list(choice.choices)  # type: ignore[attr-defined]


def test_missing_folder_is_an_input_error(tmp_path: Path, campaign: Campaign) -> None:
    with pytest.raises(InputError, match="no such results folder"):
        command.main([str(campaign()), str(tmp_path / "no")], standalone_mode=False)
