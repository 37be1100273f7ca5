"""How old something is, as kubectl writes it."""

from __future__ import annotations

from datetime import UTC, datetime

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
_STEPS = (
    (120, "s", ""),
    (10 * 60, "m", "s"),
    (3 * 3600, "m", ""),
    (8 * 3600, "h", "m"),
    (48 * 3600, "h", ""),
    (8 * 86400, "d", "h"),
    (2 * 365 * 86400, "d", ""),
    (8 * 365 * 86400, "y", "d"),
    (float("inf"), "y", ""),
)
"""Up to how many seconds which units are written."""


def duration(seconds: int) -> str:
    """A time in one or two units (apimachinery ``pkg/util/duration``, ``HumanDuration``)."""
    if seconds < 0:
        return "<invalid>" if seconds < -1 else "0s"
    unit, part = next(units for below, *units in _STEPS if seconds < below)
    whole, rest = divmod(seconds, _SECONDS[unit])
    more = rest // _SECONDS[part] if part else 0
    return f"{whole}{unit}" + (f"{more}{part}" if more else "")


def since(timestamp: str | None, now: datetime | None = None) -> str:
    """The time since an RFC 3339 timestamp; ``<unknown>`` where there is none."""
    if not timestamp:
        return "<unknown>"
    passed = (now or datetime.now(UTC)) - datetime.fromisoformat(timestamp)
    return duration(int(passed.total_seconds()))
