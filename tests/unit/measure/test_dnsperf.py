"""What dnsperf prints, and what a lookup costs by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from testbed.measure import dnsperf
from testbed.measure.dnsperf import Answer

TEXT = (Path(__file__).parent / "outputs/dnsperf-searched.txt").read_text()
NAME = "www.example.com"
SEARCHED = [f"{NAME}.{domain}" for domain in ("bench.svc.cluster.local", "svc.cluster.local",
                                              "cluster.local")] + [NAME]  # fmt: skip


def test_rate_and_answers() -> None:
    result = dnsperf.parse(TEXT)
    assert result.rate == pytest.approx(485.628979)
    assert result.lost == 0
    assert len(result.answers) == 12  # more were cut out of the recording
    assert result.answers[0] == Answer("NXDOMAIN", SEARCHED[0], 0.003631)
    assert {a.code for a in result.answers if a.name == NAME} == {"NOERROR"}


def test_a_lookup_takes_as_long_as_all_its_questions() -> None:
    found = dnsperf.lookups(dnsperf.parse(TEXT).answers, SEARCHED)
    assert len(found) == 3
    assert found[0] == pytest.approx(0.003631 + 0.000667 + 0.000596 + 0.000248)


def test_answers_may_overtake_each_other_and_the_last_lookup_may_be_cut_off() -> None:
    answers = [
        Answer("NOERROR", "b", 1), Answer("NXDOMAIN", "a", 2), Answer("NXDOMAIN", "a", 4),
    ]  # fmt: skip
    assert dnsperf.lookups(answers, ["a", "b"]) == [3]


def test_a_name_that_is_not_there_is_no_lookup() -> None:
    with pytest.raises(ValueError, match="a: NXDOMAIN"):
        dnsperf.lookups([Answer("NXDOMAIN", "a", 1)], ["a"])


def test_lost_questions_are_counted() -> None:
    total = TEXT.split("Queries sent:")[1].split()[0]
    text = TEXT.replace(f"Queries completed:    {total}", "Queries completed:    1")
    assert dnsperf.parse(text).lost == pytest.approx(1 - 1 / int(total))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "it printed nothing"),
        ("[Timeout] Query timed out: msg id 1\n[Status] Testing complete (time limit)\n"
         "  Queries sent:         2\n  Queries completed:    0 (0.00%)\n"
         "  Queries per second:   0.000000\n", "Testing complete"),
    ],
)  # fmt: skip
def test_nothing_measured_is_an_error(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        dnsperf.parse(text)
