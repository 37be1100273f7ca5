"""The programs that ask Services, asked themselves: real connections on the loopback device."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from testbed.images import catalogue
from testbed.measure import knock, load, programs, servicelatency

HERE = "127.0.0.1"


@contextlib.contextmanager
def started(argv: Sequence[str], words: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process during the block; it has printed ``words`` when the block begins."""
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            while words and words not in (line := process.stdout.readline()):
                assert line, "it ended too early"
            yield process
        finally:
            process.kill()


def free_port() -> int:
    with socket.create_server((HERE, 0)) as server:
        return int(server.getsockname()[1])


def web(port: int) -> list[str]:
    """The server of the scenarios' pods."""
    argv = catalogue.resolve("agnhost", None, ["netexec", f"--http-port={port}", "--udp-port=-1"])
    assert argv is not None
    return argv


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((HERE, port), 1):
            return
        time.sleep(0.01)
    raise AssertionError("it does not listen")


@pytest.mark.parametrize("kind", ["new", "kept"])
def test_requests_succeed_until_the_server_is_killed(kind: str) -> None:
    port = free_port()
    argv = [*programs.argv("load"), kind, HERE, str(port), "0.005", "0.5"]
    with started(web(port)) as server:
        wait_for(port)
        with started(argv, "asking") as client:
            assert client.stdout is not None
            lines = [client.stdout.readline() for _ in range(40)]
            server.kill()
            server.wait()
            dead = time.monotonic()
            time.sleep(0.3)
            client.kill()
            lines += client.stdout.readlines()
    found = load.parse("".join(lines))
    before = [one for one in found if one.end < dead and one.outcome == load.OK]
    after = load.between(found, dead, dead + 60)
    assert len(before) >= 30
    assert {one.who for one in before} == {socket.gethostname()}
    assert len(after) > 3
    assert {one.outcome for one in after} == {"refused"}
    assert {one.outcome for one in found} <= {"ok", "reset", "refused"}


def test_a_server_that_says_nothing_is_a_timeout() -> None:
    with socket.create_server((HERE, 0), backlog=4096) as silent:
        port = str(silent.getsockname()[1])
        with started(
            [*programs.argv("load"), "new", HERE, port, "0.01", "0.2"], "asking"
        ) as client:
            assert client.stdout is not None
            found = load.parse("".join(client.stdout.readline() for _ in range(5)))
    assert {one.outcome for one in found} == {"timeout"}
    assert all(0.2 <= one.end - one.begin < 5 for one in found)
    assert [one.begin for one in found] == sorted(one.begin for one in found)


def test_knocking_ends_when_the_word_has_come() -> None:
    port = free_port()
    argv = [*programs.argv("knock"), "until", "second", "0.001", str(port), HERE, "127.0.0.2"]

    def answer(address: str, word: str) -> list[str]:
        return [*programs.argv("knock"), "answer", address, str(port), word]

    with started(argv, "knocking") as client, started(answer("0.0.0.0", "first"), "listening"):  # noqa: S104
        time.sleep(0.2)
        assert client.poll() is None  # it is told the other word all the time
    start = time.monotonic()
    with started(argv, "knocking") as client, started(answer(HERE, "second"), "listening"):
        assert client.stdout is not None
        text = client.stdout.readline()
        assert text.startswith(HERE)
        assert client.poll() is None
        with started(answer("127.0.0.2", "second"), "listening"):
            text += client.stdout.read()
            assert client.wait(20) == 0
    times, pause = knock.parse(text)
    assert start < times[HERE] < times["127.0.0.2"] < time.monotonic()
    assert 0.001 <= pause < 5


def test_requests_are_longer_than_their_connects(tmp_path: Path) -> None:
    port = free_port()
    with started([*programs.argv("tcp"), "echo", HERE, str(port)], "listening"):
        argv = [*programs.argv("tcp"), "request", HERE, str(port), "0.3"]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
    connects, requests = servicelatency.parse(done.stdout)
    assert connects.count == requests.count > 20
    assert 0 < connects.percentiles[50.0] < requests.percentiles[50.0] < 1
    assert json.loads(done.stdout)["connect"]["histogram"]


def test_a_client_that_nobody_answers_says_so() -> None:
    argv = [*programs.argv("tcp"), "request", HERE, str(free_port()), "0.1"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode
    assert "refused" in done.stderr
