"""A comparison as text: for people, for programs, for a pull request and for a CI server.

Every format is a function from the rows of :func:`testbed.analysis.comparison.compare` to a string;
:data:`FORMATS` names them as ``testbed compare -o`` does.
"""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Container, Sequence
from typing import Any

from testbed.analysis import units
from testbed.analysis.comparison import VERDICTS, Row, counts
from testbed.analysis.statistics import CONFIDENCE, Estimate

HEAD = ("verdict", "scenario", "cell", "metric", "base", "new", "new/base", "95 % interval")
"""The names of the fields of a row."""


def table(rows: Sequence[Row], threshold: float) -> str:
    """Aligned columns, what needs attention first, and a last line that counts."""
    lines = [HEAD, *fields(_sorted(rows))]
    widths = [max(len(line[place]) for line in lines) for place in range(len(HEAD))]
    text = [
        "  ".join(field.ljust(width) for field, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    return "\n".join([*text, "", conclusion(rows, threshold)])


def markdown(rows: Sequence[Row], threshold: float) -> str:
    """A table as GitHub renders it, below the sentence that counts."""

    def line(fields: Sequence[str]) -> str:
        return "| " + " | ".join(field.replace("|", "\\|") for field in fields) + " |"

    body = [line(row) for row in fields(_sorted(rows))]
    return "\n".join([conclusion(rows, threshold), "", line(HEAD), "|---" * 8 + "|", *body])


def as_json(rows: Sequence[Row], threshold: float) -> str:
    """One JSON document; a number that does not exist, or is infinite, is ``null``."""
    return json.dumps(
        {
            "threshold": threshold,
            "confidence": CONFIDENCE,
            "counts": counts(rows),
            "rows": [_document(row) for row in rows],
        },
        indent=2,
        allow_nan=False,
    )


def junit(rows: Sequence[Row], threshold: float) -> str:
    """JUnit XML: a test case for each row; ``worse`` fails, what cannot be judged is skipped."""
    number = counts(rows)
    suite = ET.Element(
        "testsuite",
        name="testbed compare",
        tests=str(len(rows)),
        failures=str(number["worse"]),
        errors="0",
        skipped=str(number["inconclusive"] + number["missing"]),
    )
    for row in rows:
        name = f"{row.metric} ({units.cell(row.parameters)})"
        case = ET.SubElement(suite, "testcase", classname=row.scenario, name=name)
        if row.verdict == "worse":
            ET.SubElement(case, "failure", message=_sentence(row, threshold))
        elif row.verdict in ("inconclusive", "missing"):
            ET.SubElement(case, "skipped", message=_sentence(row, threshold))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


FORMATS: dict[str, Callable[[Sequence[Row], float], str]] = {
    "table": table,
    "json": as_json,
    "markdown": markdown,
    "junit": junit,
}


def conclusion(rows: Sequence[Row], threshold: float) -> str:
    """The counts as a sentence, as in ``60 metrics at a threshold of 5 %: 1 worse, 59 same``."""
    said = ", ".join(f"{number} {name}" for name, number in counts(rows).items() if number)
    return f"{len(rows)} metrics at a threshold of {threshold * 100:.3g} %: {said}."


def _sorted(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: VERDICTS.index(row.verdict))


def fields(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The rows as text, in the order of :data:`HEAD`; parameters that never differ are left out."""
    values: dict[str, set[Any]] = {}
    for row in rows:
        for name, value in row.parameters.items():
            values.setdefault(name, set()).add(value)
    varying = {name for name, found in values.items() if len(found) > 1}
    return [_fields(row, varying) for row in rows]


def _fields(row: Row, shown: Container[str]) -> tuple[str, ...]:
    """The fields of a row; both medians in the same scale."""
    chosen = units.scale([row.base.value, row.new.value], row.unit)
    low, high = row.ratio.low, row.ratio.high
    medians = [f"{chosen.number(side.value)} {chosen.unit}".strip() for side in (row.base, row.new)]
    return (
        row.verdict,
        row.scenario,
        units.cell({name: value for name, value in row.parameters.items() if name in shown}),
        units.metric(row.metric),
        *medians,
        units.number(row.ratio.value),
        units.ONE.interval(low, high) or "none",
    )


def _sentence(row: Row, threshold: float) -> str:
    """Why a row has its verdict."""
    if row.verdict == "missing":
        return "not in the base" if math.isnan(row.base.value) else "not in the new results"
    _, _, _, _, base, new, ratio, interval = _fields(row, ())
    return (
        f"{base} became {new}: ratio {ratio}, 95 % interval {interval}, "
        f"threshold {threshold * 100:.3g} %, {row.better} is better"
    )


def _document(row: Row) -> dict[str, Any]:
    """A row for programs."""
    return {
        "verdict": row.verdict,
        "scenario": row.scenario,
        "parameters": row.parameters,
        "metric": row.metric,
        "unit": row.unit,
        "better": row.better,
        "base": _numbers(row.base),
        "new": _numbers(row.new),
        "ratio": _numbers(row.ratio),
    }


def _numbers(estimate: Estimate) -> dict[str, float | None]:
    ends = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    finite = {name: end if math.isfinite(end) else None for name, end in ends.items()}
    return {**finite, "n": estimate.n}
