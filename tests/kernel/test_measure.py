"""The runners and the scenarios with the real tools, in a few namespaces that the test makes.

``Namespaces`` is a small lab: one bridge, and a namespace for each target on it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import LabError
from testbed.measure import iperf3, probes, process, programs, sockperf, tcp
from testbed.measure.contract import scenarios
from testbed.measure.process import Flow

pytestmark = pytest.mark.kernel

TARGETS = {
    "fabric": "10.9.0.1",
    "bench/client": "10.9.0.2",
    "bench/server-near": "10.9.0.3",
    "bench/server-far": "10.9.0.4",
    "node/n1": "10.9.0.5",
    "node/n2": "10.9.0.6",
}
NODES = {"client": "n1", "server-near": "n1", "server-far": "n2"}


class Namespaces:
    def __init__(self, stack: contextlib.ExitStack) -> None:
        self._pids: dict[str, int] = {}
        for target in TARGETS:
            holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
            stack.callback(holder.wait)
            stack.callback(holder.kill)
            self._pids[target] = holder.pid
            self._await_namespace(holder.pid)
        self._ip("fabric", "link add br0 up type bridge")
        self._ip("fabric", "address add 10.9.0.1/24 dev br0")
        for number, target in enumerate(list(TARGETS)[1:]):
            peer = f"peer name eth0 netns {self._pids[target]}"
            self._ip("fabric", f"link add v{number} master br0 up type veth {peer}")
            self._ip(target, f"address add {TARGETS[target]}/24 dev eth0")
            self._ip(target, "link set eth0 up")
            self._ip(target, "link set lo up")

    @staticmethod
    def _await_namespace(pid: int) -> None:
        end = time.monotonic() + 5
        own = Path("/proc/self/ns/net").stat().st_ino
        while Path(f"/proc/{pid}/ns/net").stat().st_ino == own:
            assert time.monotonic() < end
            time.sleep(0.002)

    def _ip(self, target: str, words: str) -> None:
        assert self.popen(target, ["ip", *words.split()]).wait(5) == 0

    def port(self, target: str, *, up: bool) -> None:
        number = list(TARGETS).index(target) - 1
        self._ip("fabric", f"link set v{number} {'up' if up else 'down'}")

    def popen(self, target: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        enter = ["nsenter", f"--net=/proc/{self._pids[target]}/ns/net"]
        return subprocess.Popen([*enter, *argv], **options)

    def address(self, target: str) -> str:
        return TARGETS[target]

    def objects(self, kind: str, namespace: str | None = None) -> list[dict[str, Any]]:
        assert (kind, namespace) == ("pods", "bench")
        return [{"metadata": {"name": k}, "spec": {"nodeName": v}} for k, v in NODES.items()]


@pytest.fixture(scope="module")
def lab() -> Iterator[Namespaces]:
    with contextlib.ExitStack() as stack:
        yield Namespaces(stack)


@pytest.fixture
def flow(lab: Namespaces) -> Flow:
    return Flow(lab, "bench/client", "bench/server-far", lab.address("bench/server-far"))


@pytest.mark.parametrize("name", ["pod-throughput", "pod-latency", "pod-connect"])
def test_every_cell_of_a_scenario_measures(name: str, lab: Namespaces, tmp_path: Path) -> None:
    scenario = scenarios.get(name)
    defaults = {key: list(axis.default) for key, axis in scenario.parameters.items()}
    cells = scenario.cells(defaults)
    first = next(cell for cell in cells if cell["path"] == "node-to-node")
    across = [cell for cell in cells if cell["path"] == "cross-node"]
    for number, cell in enumerate([first, *across]):
        raw = tmp_path / str(number)
        raw.mkdir()
        readings = list(scenario.run(lab, cell, raw, 1))
        metrics = [reading.metric for reading in readings]
        assert len(set(metrics)) == len(metrics)
        assert set(metrics) <= set(scenario.metrics)
        assert readings[0].value > 0
        record = json.loads((raw / "client.json").read_text())
        assert record["exit_code"] == 0
        assert record["target"] == ("bench/client" if cell["path"] == "cross-node" else "node/n1")
        assert (raw / "client.stdout").stat().st_size > 0
        assert (raw / "server.stdout").stat().st_size > 0


def test_udp_arrives_at_the_rate_asked_for(flow: Flow, tmp_path: Path) -> None:
    result, used = iperf3.run(flow, tmp_path, 1, udp_rate=20e6)
    assert result.throughput == pytest.approx(20e6, rel=0.1)
    assert result.loss is not None
    assert 0 <= result.loss < 0.1
    assert result.retransmits is None
    assert used.seconds > 1


def test_our_round_trips_are_those_of_sockperf(flow: Flow, tmp_path: Path) -> None:
    theirs, _ = sockperf.run(flow, tmp_path, 1)
    ours, _ = tcp.run(flow, "ask", tmp_path, 1)
    assert theirs.lost == 0
    # A machine that does other things doubles either; units and halves are tested on recordings.
    assert 1 / 4 < ours.percentiles[50.0] / theirs.percentiles[50.0] < 4


def test_sockperf_measures_udp(flow: Flow, tmp_path: Path) -> None:
    result, _ = sockperf.run(flow, tmp_path, 1, protocol="udp")
    assert 1e-6 < result.percentiles[50.0] <= result.percentiles[99.9] < 1


def test_connecting_leaves_no_time_wait(flow: Flow, tmp_path: Path) -> None:
    def waiting() -> int:
        counts = 0
        for target in (flow.source, flow.target):
            with flow.lab.popen(target, ["ss", "-Htan"], stdout=subprocess.PIPE) as sockets:
                counts += sockets.communicate()[0].count(b"TIME-WAIT")
        return counts

    before = waiting()
    result, _ = tcp.run(flow, "connect", tmp_path, 0.2)
    assert result.count > 0
    assert waiting() <= before


def test_a_hole_in_the_stream_is_as_long_as_the_link_was_down(
    lab: Namespaces, flow: Flow, tmp_path: Path
) -> None:
    with probes.Stream(flow, tmp_path) as stream:
        assert stream.steady(0.2, 5)
        down = time.monotonic()
        lab.port(flow.target, up=False)
        is_down = time.monotonic()
        assert not stream.steady(0.1, 0.3)
        shortest = time.monotonic() - is_down
        lab.port(flow.target, up=True)
        assert stream.steady(0.2, 5)
        end = time.monotonic()
        longest = end - down
        found = probes.interruption(stream.arrivals(), down, end)
        before = probes.interruption(stream.arrivals(), down - 0.1, down)
    assert shortest <= found.gap < longest
    assert found.lost == pytest.approx(found.gap / probes.INTERVAL, rel=0.5)
    assert before.gap < shortest


def fails_with(words: str) -> Any:
    return pytest.raises(LabError, match=words)


def test_errors_have_the_words_of_the_tool(lab: Namespaces, tmp_path: Path) -> None:
    here = Flow(lab, "bench/client", "bench/server-far", "10.9.0.3")
    with fails_with("iperf3 in bench/client: .*unable to connect"):
        iperf3.run(here, tmp_path, 1)
    with fails_with("sockperf in bench/client: .*Connection refused"):
        sockperf.run(here, tmp_path, 1)
    with fails_with("in bench/client: .*Connection refused"):
        tcp.run(here, "ask", tmp_path, 1)
    with (
        fails_with("(?s)sockperf in bench/server-far ended too early; it said: .*bind"),
        process.server(here, ["sockperf", "server", "--ip", "10.9.0.77"], tmp_path, "never"),
    ):
        pass


def test_a_client_that_hangs_gives_up(flow: Flow, tmp_path: Path) -> None:
    script = (
        "import socket, time\n"
        "server = socket.create_server(('', 7009))\n"
        "print('listening', flush=True)\n"
        "time.sleep(60)\n"  # accepts nothing, so no byte comes back
    )
    ask = [*programs.argv("tcp"), "ask", flow.address, "7009", "0.1"]
    with process.server(flow, [sys.executable, "-c", script], tmp_path, "listening"):
        done = process.client(flow, ask, tmp_path, 5)
    assert done.code == 1
    assert done.stderr.endswith("no answer for seconds: packets get lost on the way\n")


def test_a_server_that_never_listens_is_given_up_and_killed(flow: Flow, tmp_path: Path) -> None:
    launched = process.Launched(flow.lab, flow.target, ["sleep", "60"], tmp_path, "server")
    with fails_with("sleep in bench/server-far did not print 'ready' within 0.1 s"):
        launched.await_line("ready", 0.1)
    assert launched.process.returncode == -9
    assert json.loads((tmp_path / "server.json").read_text())["argv"] == ["sleep", "60"]
