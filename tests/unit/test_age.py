"""Ages as kubectl writes them (apimachinery ``duration.HumanDuration``)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from testbed.api.age import since

# The cases of apimachinery's own duration_test.go, as far as a lab gets old.
AGES = [
    (-5, "<invalid>"),
    (0, "0s"),
    (1, "1s"),
    (70, "70s"),
    (119, "119s"),
    (120, "2m"),
    (190, "3m10s"),
    (599, "9m59s"),
    (600, "10m"),
    (2400, "40m"),
    (179 * 60 + 59, "179m"),
    (180 * 60, "3h"),
    (70 * 60 * 3, "3h30m"),
    (7 * 3600 + 59 * 60, "7h59m"),
    (8 * 3600, "8h"),
    (47 * 3600, "47h"),
    (48 * 3600, "2d"),
    (53 * 3600, "2d5h"),
    (7 * 86400 + 23 * 3600, "7d23h"),
    (8 * 86400 + 3600, "8d"),
]


@pytest.mark.parametrize(("seconds", "text"), AGES)
def test_age(seconds: int, text: str) -> None:
    now = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    made = (now - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert since(made, now) == text
