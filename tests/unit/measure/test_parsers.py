"""The parsers of the tools, on what the tools printed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from testbed.measure import cpu, iperf3, probes, sockperf, tcp
from testbed.measure.programs.tcp import report

OUTPUTS = Path(__file__).parent / "outputs"


def text(name: str) -> str:
    return (OUTPUTS / name).read_text()


def test_iperf3_tcp() -> None:
    result = iperf3.parse(text("iperf3-tcp.json"))
    assert result.throughput == pytest.approx(18489492385.9)
    assert result.retransmits == 0
    assert (result.loss, result.jitter) == (None, None)
    assert 0 < result.sender_cpu <= 1
    assert 0 < result.receiver_cpu <= 1


def test_iperf3_udp_counts_at_the_receiver() -> None:
    result = iperf3.parse(text("iperf3-udp.json"))
    assert result.throughput == pytest.approx(998990233.96)
    assert result.loss == 0
    assert result.jitter == pytest.approx(5.938e-6, rel=1e-3)
    assert result.retransmits is None


def test_sockperf_reports_whole_round_trips_in_seconds() -> None:
    result = sockperf.parse(text("sockperf-tcp.txt"))
    assert result.percentiles[50.0] == pytest.approx(52.527e-6)
    assert result.percentiles[99.0] == pytest.approx(69.973e-6)
    assert result.percentiles[99.9] == pytest.approx(94.8e-6)
    assert result.rate == pytest.approx(10424 / 0.55)
    assert result.lost == 0


def test_the_generator() -> None:
    result = tcp.parse(text("generator-connect.json"))
    assert result.count == 2551
    assert result.rate == pytest.approx(12754.5)
    assert result.percentiles[99.0] == pytest.approx(62.934e-6)


HALF = text("sockperf-tcp.txt").replace("Round trip is", "Latency is")


@pytest.mark.parametrize(
    ("parse", "output", "words"),
    [
        (
            iperf3.parse,
            text("iperf3-error.json"),
            "unable to connect to server: Connection refused",
        ),
        (iperf3.parse, "", "its output is no JSON: nothing"),
        (
            iperf3.parse,
            text("iperf3-tcp.json").replace("sum_received", "x"),
            "lacks 'sum_received'",
        ),
        (sockperf.parse, text("sockperf-refused.txt"), "errno=111 Connection refused"),
        (sockperf.parse, text("sockperf-no-server.txt"), "Is the server down"),
        (sockperf.parse, "", "it printed nothing"),
        (sockperf.parse, HALF, "half round trips"),
        (tcp.parse, "", "its output is no result: nothing"),
        (tcp.parse, '{"rate": 1}', "its output is no result"),
    ],
)
def test_what_is_no_result_is_an_error(parse: Any, output: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(output)


def test_the_report_of_the_generator() -> None:
    times = [1000 * n for n in range(1000, 0, -1)]
    found = report(times, 2_000_000_000)
    assert (found["count"], found["rate"], found["seconds"]) == (1000, 500.0, 2.0)
    expected = {"50.0": 500e-6, "90.0": 900e-6, "99.0": 990e-6, "99.9": 999e-6}
    assert found["percentiles"] == pytest.approx(expected)
    histogram: Any = found["histogram"]
    assert sum(number for _, number in histogram) == 1000
    assert [0.0001, 21] in histogram  # 80 to 100 µs
    assert histogram[-1][0] == 0.001


def test_cpu_time() -> None:
    before = cpu.parse("cpu  100 10 50 9000 5 2 8 1 0 0\ncpu0 1 1\n", 100)
    after = cpu.parse("cpu  150 20 70 9100 5 3 28 0 0 0\n", 100)
    assert before == cpu.CpuTime(
        user=1.1, system=0.5, irq=0.02, softirq=0.08, steal=0.01, idle=90.05
    )
    used = after - before
    assert used.user == pytest.approx(0.6)
    assert used.softirq == pytest.approx(0.2)
    assert used.steal == 0
    assert used.idle == pytest.approx(1)


def test_a_window_measures_this_machine() -> None:
    with cpu.Window() as window:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass
    values = {reading.metric.name: reading.value for reading in window.readings()}
    assert list(values) == [metric.name for metric in cpu.METRICS]
    assert values["cpu-busy"] == pytest.approx(window.busy / window.seconds)
    assert window.busy > 0.25  # 0.3 s of this test, less what 10 ms resolve on each core


def arrivals(*pairs: tuple[int, float]) -> list[probes.Arrival]:
    return [probes.Arrival(number, time) for number, time in pairs]


STREAM = arrivals((0, 1.0), (1, 1.1), (2, 1.2), (6, 1.6), (7, 1.7), (9, 1.9))


@pytest.mark.parametrize(
    ("start", "end", "gap", "lost"),
    [
        (1.0, 1.25, 0.1, 0),
        (1.25, 1.75, 0.4, 3),  # the hole began before the interval
        (1.65, 2.0, 0.2, 1),
        (1.65, 3.0, 1.1, 1),  # a hole that has not ended
        (1.3, 1.5, 0.3, 0),  # nothing arrived at all
        (0.2, 0.7, 0.5, 0),
    ],
)
def test_interruptions(start: float, end: float, gap: float, lost: int) -> None:
    found = probes.interruption(STREAM, start, end)
    assert found.gap == pytest.approx(gap)
    assert found.lost == lost


def test_what_was_held_up_is_not_lost() -> None:
    late = [*STREAM, *arrivals((3, 2.0), (10, 2.1))]
    assert probes.interruption(late, 1.25, 1.75).lost == 2
    assert probes.interruption(late, 1.95, 2.2).lost == 0


def test_arrivals_are_read_line_by_line() -> None:
    assert probes.parse("listening\n0 1000000000\n1 2000") == arrivals((0, 1.0))
    assert probes.parse("listening\n") == []
