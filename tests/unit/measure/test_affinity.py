"""Where the ends of a flow run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from testbed.measure import affinity

ASK = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0\n", {0}), ("0,4\n", {0, 4}), ("0-1,8-9", {0, 1, 8, 9}), ("", set())],
)
def test_lists_of_processors(text: str, numbers: set[int]) -> None:
    assert affinity.parse_list(text) == numbers


def test_the_ends_are_apart_where_there_is_more_than_one_processor() -> None:
    apart = len(set(affinity.processors().values()))
    assert apart == min(2, len(os.sched_getaffinity(0)))


@pytest.mark.parametrize("role", ["client", "server"])
def test_what_is_started_runs_there_and_nothing_else(role: affinity.Role) -> None:
    before = os.sched_getaffinity(0)
    with affinity.pinned(role) as number:
        started = subprocess.run(ASK, capture_output=True, text=True, check=True)
    assert started.stdout == f"[{number}]\n"
    assert os.sched_getaffinity(0) == before
