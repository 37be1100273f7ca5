"""What answers of probes come to, and when probes ask."""

from __future__ import annotations

import pytest

from testbed.kubelet import httpprobe
from testbed.kubelet.readiness import RELIST, Kind, Rhythm, Tally
from testbed.objects.probe import HttpGet, Probe, TcpSocket


def probe(delay: int = 0, period: int = 10, success: int = 1, failure: int = 3) -> Probe:
    return Probe(TcpSocket(80, ""), delay, period, 1, success, failure)


TALLIES: list[tuple[Kind, int, int, str, str]] = [
    # kind, thresholds, answers, result after each ("+" good, "-" bad, "?" none)
    ("readiness", 1, 3, "+", "+"),
    ("readiness", 1, 3, "---", "---"),
    ("readiness", 1, 3, "+--+---+", "+++++" "+-+"),
    ("readiness", 1, 1, "+-+-", "+-+-"),
    ("readiness", 3, 1, "++-+++", "-----+"),
    ("readiness", 2, 2, "++-+-+--++", "-++++++--+"),
    ("liveness", 1, 3, "--+---", "+++++-"),
    ("liveness", 1, 1, "-", "-"),
    ("startup", 1, 3, "--+", "??+"),
    ("startup", 1, 3, "---", "??-"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "success", "failure", "answers", "results"), TALLIES)
def test_results(kind: Kind, success: int, failure: int, answers: str, results: str) -> None:
    tally = Tally(kind, probe(success=success, failure=failure))
    before, found = tally.holds, ""
    for answer in answers:
        changed = tally.take(answer == "+")
        assert changed == (tally.holds != before)
        before = tally.holds
        found += {True: "+", False: "-", None: "?"}[before]
    assert found == results


def times(rhythm: Rhythm, answers: str, takes: float = 0.0) -> list[float]:
    """When questions are due whose answers are these, each after ``takes`` seconds."""
    due = [rhythm.first]
    for answer in answers:
        due.append(rhythm.after(due[-1], due[-1] + takes, good=answer == "+"))
    return due


RHYTHMS: list[tuple[Kind, Probe, float, str, list[float]]] = [
    ("readiness", probe(), 0.0, "+++", [0, 10, 20, 30]),
    ("readiness", probe(), 0.0, "-------", [0, 0.05, 0.1, 0.2, 0.4, 0.8, 1, 11]),
    ("readiness", probe(), 0.0, "--+-", [0, 0.05, 0.1, 10.1, 20.1]),
    ("readiness", probe(delay=3, period=2), 0.0, "--+", [3, 5, 7, 9]),
    ("readiness", probe(period=2), 4.5, "--", [4.5, 6.5, 8.5]),
    ("readiness", probe(delay=6), 4.5, "-", [6, 16]),
    ("liveness", probe(), 0.0, "--", [RELIST, 11, 21]),
    ("liveness", probe(delay=5, period=1), 0.0, "--", [5, 6, 7]),
    ("startup", probe(period=1), 0.0, "--+", [RELIST, 2, 3, 4]),
]


@pytest.mark.parametrize(("kind", "asked", "begin", "answers", "expected"), RHYTHMS)
def test_when_a_probe_asks(
    kind: Kind, asked: Probe, begin: float, answers: str, expected: list[float]
) -> None:
    assert times(Rhythm(kind, asked, begin), answers) == pytest.approx(expected)


def test_a_question_that_has_become_due_meanwhile_is_asked_at_once() -> None:
    assert times(Rhythm("readiness", probe(delay=1, period=1)), "--", 1.5) == [1, 2.5, 4]


def test_only_early_answers_say_little() -> None:
    rhythm = Rhythm("readiness", probe())
    assert [rhythm.eager(second) for second in (0, 0.8, RELIST, 10)] == [True, True, False, False]
    assert not Rhythm("readiness", probe(delay=1)).eager(1)
    assert not Rhythm("startup", probe()).eager(0.5)


def get(
    path: str = "/", scheme: str = "HTTP", headers: tuple[tuple[str, str], ...] = ()
) -> HttpGet:
    return HttpGet(80, path, "", scheme, headers)


URLS = [
    (get("/"), "http://h:8/"),
    (get("/a/b?c=d&e"), "http://h:8/a/b?c=d&e"),
    (get("a", "HTTPS"), "https://h:8/a"),
    (get("http://other:9/a"), "http://h:8/a"),
    (get("//other/a"), "http://h:8/a"),
    (get("@other"), "http://h:8/@other"),
    (get(":9/a"), "http://h:8/:9/a"),
    (get("//[/a"), "http://h:8/[/a"),
]


@pytest.mark.parametrize(("asked", "expected"), URLS)
def test_whatever_its_path_a_probe_asks_its_own_host(asked: HttpGet, expected: str) -> None:
    assert httpprobe.url(asked, "h", 8) == expected


def test_headers() -> None:
    agent, accept = ("User-Agent", "kube-probe/1.34"), ("Accept", "*/*")
    assert httpprobe.headers(get()) == [agent, accept]
    own = (("X-A", "1"), ("X-A", "2"), ("user-agent", "me"))
    assert httpprobe.headers(get(headers=own)) == [*own, accept]
    assert httpprobe.headers(get(headers=(("Accept", ""),))) == [agent]
