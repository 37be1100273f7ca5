"""Numbers for people: SI prefixes, three significant digits, and what parameters are called.

Values are stored in base units (``bit/s``, ``s``, ``1/s``; ``1`` for pure numbers) and get their
prefix only here. All numbers of one table or axis share one :class:`Scale`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TIMES = "×"  # noqa: RUF001
"""Goes before a ratio."""

NONE = "–"  # noqa: RUF001
"""Stands for a number that does not exist."""

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_RANGES = {
    "bit/s": (0, 12),
    "B": (0, 12),
    "B/s": (0, 12),
    "s": (-9, 0),
    "1/s": (0, 9),
    "bit": (0, 12),
}
_PLAIN = frozenset(
    {"protocol", "cni", "proxy", "topology", "path", "folder", "ingress", "impairment"}
)
_PARAMETER_UNITS = {"rate": "bit/s"}


@dataclass(frozen=True, slots=True)
class Scale:
    """A power of ten and the unit with the prefix that stands for it.

    Attributes:
        factor: What a value is divided by.
        unit: What the quotient is in, such as ``Gbit/s``; empty for pure numbers.
    """

    factor: float
    unit: str

    def number(self, value: float) -> str:
        """The value in this scale, without unit."""
        return number(value / self.factor)

    def interval(self, low: float, high: float) -> str:
        """``[low-high]`` with an en dash; empty if there is no interval."""
        if math.isnan(low) or math.isnan(high):
            return ""
        return f"[{self.number(low)}–{self.number(high)}]"  # noqa: RUF001


ONE = Scale(1.0, "")
"""The scale of ratios."""


def scale(values: Iterable[float], unit: str) -> Scale:
    """The scale in which the middle one of these values is between 1 and 1000."""
    sizes = sorted(abs(value) for value in values if math.isfinite(value) and value)
    range_ = _RANGES.get(unit) or _RANGES.get(unit.partition("/")[0])  # s/bit: as its numerator
    if range_ is None or not sizes:
        return Scale(1.0, "" if unit == "1" else unit)
    lowest, highest = range_
    power = 3 * math.floor(math.log10(sizes[len(sizes) // 2]) / 3)
    power = min(max(power, lowest), highest)
    if unit == "1/s":
        return Scale(10.0**power, {0: "/s", 3: "k/s", 6: "M/s", 9: "G/s"}[power])
    return Scale(10.0**power, _PREFIXES[power] + unit)


def number(value: float) -> str:
    """Three significant digits, in full where that is short: ``0.0123``, ``1,235``."""
    if math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if not value:
        return "0"
    rounded = float(f"{value:.2e}")
    if abs(rounded) < 1e-4:
        return f"{value:.2e}"
    digits = max(2 - math.floor(math.log10(abs(rounded))), 0)
    return f"{value:,.{digits}f}"


def quantity(value: float, unit: str) -> str:
    """One value with its own prefix: ``9.41 Gbit/s``."""
    chosen = scale([value], unit)
    return f"{chosen.number(value)} {chosen.unit}".strip()


def parameter(name: str, value: Any) -> str:
    """A parameter's value so that it is understood alone: ``tcp``, ``1 stream``, ``rate 1 Gbit/s``.

    A value that names itself stands alone; a number gets its parameter's name.
    """
    if name in _PLAIN or (isinstance(value, str) and not value[:1].isdigit()):
        return str(value)
    if name == "streams":
        return f"{value} stream" + ("" if value == 1 else "s")
    if name in _PARAMETER_UNITS and not isinstance(value, str):
        chosen = scale([value], _PARAMETER_UNITS[name])
        return f"{name} {value / chosen.factor:g} {chosen.unit}"
    return f"{name} {value}"


def cell(parameters: Mapping[str, Any]) -> str:
    """The parameters of a cell in words, those that it does not have left out."""
    named = parameters.items()
    return ", ".join(parameter(name, value) for name, value in named if value is not None)


def metric(name: str) -> str:
    """A metric's name in words: ``latency_p99`` is ``latency p99``."""
    return name.replace("_", " ")
