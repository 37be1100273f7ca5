"""Questions to a DNS server by dnsperf: as many as it answers, and how long each takes.

**Latency.** dnsperf 2.10 with one question at a time answers for its own pauses, of up to 60 ms. So
questions come at a steady :data:`PACE`, far below what a server can do, and ``-v`` tells the time
of each.

It ends with exit code 0 even when nobody answers, so its text decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed.measure import process
from testbed.measure.process import Flow

PACE = 500
"""Questions per second where their latency is measured."""

_CLIENTS = 20  # sockets: Services choose an endpoint for each
_OUTSTANDING = 100
_TIMEOUT = 1.0  # seconds after which a question counts as lost
_ANSWER = re.compile(r"^> (\S+) (\S+) (\S+) ([\d.]+)$", re.MULTILINE)
_COUNTS = re.compile(r"Queries sent: +(\d+)\s+Queries completed: +(\d+)")
_RATE = re.compile(r"Queries per second: +([\d.]+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        code: ``NOERROR``, ``NXDOMAIN`` …
        name: The question's.
        seconds: From the question to it.
    """

    code: str
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Result:
    """What one run measured.

    Attributes:
        rate: Answers per second.
        lost: The share of questions without an answer.
        answers: Each answer, if it was asked for (``-v``).
    """

    rate: float
    lost: float
    answers: tuple[Answer, ...]


def parse(text: str) -> Result:
    """Reads what dnsperf prints.

    Args:
        text: All of its standard output.

    Raises:
        ValueError: It measured nothing; the message has its own last words.
    """
    counts, rate = _COUNTS.search(text), _RATE.search(text)
    if counts is None or rate is None or not int(counts[2]):
        last = [line for line in text.splitlines() if "[" in line][-1:]
        raise ValueError("; ".join(last) or "it printed nothing")
    answers = (Answer(code, name, float(time)) for code, name, _, time in _ANSWER.findall(text))
    return Result(float(rate[1]), 1 - int(counts[2]) / int(counts[1]), tuple(answers))


def lookups(answers: Sequence[Answer], names: Sequence[str]) -> list[float]:
    """How long it takes to ask for some names, one after the other: seconds of each lookup.

    A lookup takes as long as the n-th answers to all of its questions together.

    Raises:
        ValueError: The last name, which ends a lookup, does not exist.
    """
    times: dict[str, list[float]] = {name: [] for name in names}
    for answer in answers:
        if answer.name == names[-1] and answer.code != "NOERROR":
            raise ValueError(f"{answer.name}: {answer.code}")
        times[answer.name].append(answer.seconds)
    return [sum(each) for each in zip(*times.values(), strict=False)]


def run(flow: Flow, names: Sequence[str], raw: Path, seconds: float, *, paced: bool) -> Result:
    """Asks the flow's address for the A records of names, in turns.

    Args:
        flow: Who asks whom.
        names: Absolute names.
        raw: Folder for the output.
        seconds: How long.
        paced: Whether at :data:`PACE`, each answer being told; else as fast as it goes.

    Raises:
        LabError: dnsperf failed; the message has its own words.
    """
    questions = raw / "questions"
    questions.write_text("".join(f"{name} A\n" for name in names))
    argv = ["dnsperf", "-s", flow.address, "-d", str(questions), "-l", f"{seconds:g}"]
    argv += ["-t", f"{_TIMEOUT:g}", "-c", str(_CLIENTS), "-q", str(_OUTSTANDING)]
    argv += ["-v", "-Q", str(PACE)] if paced else []
    done = process.client(flow, argv, raw, seconds + _TIMEOUT)
    try:
        return parse(done.stdout)
    except ValueError as error:
        said = f"{error} {done.stderr}".strip()
        raise done.error(f"dnsperf in {flow.source}", said) from error
