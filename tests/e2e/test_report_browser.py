"""The report in a real browser: nothing fails, nothing is cut off, nothing is fetched."""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from browser import Page, chromium, page

from testbed.analysis.frames import write_samples
from testbed.analysis.report import render

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(chromium() is None, reason="Chromium is not installed (apt: chromium)"),
]
SYNTHETIC = Path(__file__).parents[1] / "unit" / "analysis"

# Text that is cut: an element wider than its scrolling box allows, or SVG text outside its drawing.
OUTSIDE = """
[...document.querySelectorAll('svg')].flatMap(svg => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll('text')].filter(text => {
    const one = text.getBoundingClientRect();
    return one.left < box.left - 1 || one.right > box.right + 1 ||
           one.top < box.top - 1 || one.bottom > box.bottom + 1;
  }).map(text => text.textContent);
})
"""
# Elements that stick out of the page and are not inside a box that scrolls.
STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(one => !one.parentElement.closest('.scroll') &&
  one.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map(one => one.tagName + ' ' + one.textContent.slice(0, 40))
"""
# The contrast of each text with the page, as WCAG 2 defines it.
CONTRASTS = """
(() => {
  const light = colour => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const page = light(getComputedStyle(document.body).backgroundColor);
  const texts = [...document.querySelectorAll('p, li, th, td, caption, h1, h2, h3, figcaption, a')];
  const colours = texts.map(one => getComputedStyle(one).color).concat(
    [...document.querySelectorAll('svg text')].map(one => getComputedStyle(one).fill));
  return [...new Set(colours)].map(colour => {
    const [low, high] = [light(colour), page].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });
})()
"""


@pytest.fixture(scope="module")
def modes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a campaign of two modes."""
    synthetic = runpy.run_path(str(SYNTHETIC / "conftest.py"))
    folder = tmp_path_factory.mktemp("modes")
    write_samples(synthetic["rows"](), folder)
    (folder / "environment.json").write_text(json.dumps(synthetic["ENVIRONMENT"]))
    return render([folder], folder / "report.html")


@pytest.fixture(scope="module")
def fabrics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of failures on two fabrics, with impairments and port counters."""
    synthetic = runpy.run_path(str(SYNTHETIC / "network.py"))
    folder = tmp_path_factory.mktemp("fabrics")
    write_samples(synthetic["samples"](), folder)
    pd.DataFrame(synthetic["ports"](dropped=17)).to_parquet(folder / "ports.parquet")
    environment = {**synthetic["ENVIRONMENT"], "vm": True}
    (folder / "environment.json").write_text(json.dumps(environment))
    return render([folder], folder / "report.html")


@pytest.fixture(params=["modes", "fabrics"])
def report(request: pytest.FixtureRequest) -> Path:
    """Each of the two."""
    path: Path = request.getfixturevalue(request.param)
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with page(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


def test_no_error_and_no_request(browser: Page, report: Path) -> None:
    browser.open(report.as_uri())
    assert browser.evaluate("document.title").startswith("Cluster network benchmark")
    told = {"Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown"}
    assert [event for event in browser.events if event["method"] in told] == []
    requests = [
        event["params"]["request"]["url"]
        for event in browser.events
        if event["method"] == "Network.requestWillBeSent"
    ]
    assert [url for url in requests if not url.startswith("data:")] == [report.as_uri()]


def test_the_first_screen_has_the_words_and_the_overview(browser: Page, modes: Path) -> None:
    browser.media()
    browser.open(modes.as_uri(), width=1280, height=900)
    bottom = "document.querySelector('.headline ~ figure svg').getBoundingClientRect().bottom"
    assert 300 < browser.evaluate(bottom) < 900


@pytest.mark.parametrize("width", [1280, 768, 400])
def test_nothing_is_cut_off_on_a_screen(browser: Page, report: Path, width: int) -> None:
    browser.media()
    browser.open(report.as_uri(), width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(STICKING_OUT) == []
    assert browser.evaluate(OUTSIDE) == []


def test_nothing_is_cut_off_in_print(browser: Page, report: Path) -> None:
    browser.media("print")
    browser.open(report.as_uri(), width=688)  # A4 less the margins, in CSS pixels
    boxes = "[...document.querySelectorAll('.scroll')].filter(b => b.scrollWidth > b.clientWidth)"
    assert browser.evaluate(f"{boxes}.length") == 0
    assert browser.evaluate("document.documentElement.scrollWidth") <= 688
    assert browser.evaluate(OUTSIDE) == []


@pytest.mark.parametrize(("campaign", "tables"), [("modes", 4), ("fabrics", 1)])
def test_closed_tables_are_closed_on_a_screen_and_open_in_print(
    browser: Page, campaign: str, tables: int, request: pytest.FixtureRequest
) -> None:
    report = request.getfixturevalue(campaign)
    shown = "[...document.querySelectorAll('details table')].map(one => one.checkVisibility())"
    for medium, expected in (("screen", False), ("print", True)):
        browser.media(medium)
        browser.open(report.as_uri())
        assert browser.evaluate(shown) == [expected] * tables


def test_the_figure_of_failures_is_on_the_first_screens(browser: Page, fabrics: Path) -> None:
    browser.media()
    browser.open(fabrics.as_uri(), width=1280, height=900)
    bottom = "document.querySelector('#failures ~ figure svg').getBoundingClientRect().bottom"
    assert 500 < browser.evaluate(bottom) < 1200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_legible_in_both_schemes(browser: Page, report: Path, scheme: str) -> None:
    browser.media(scheme=scheme)
    browser.open(report.as_uri())
    dark = (
        browser.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(255, 255, 255)"
    )
    assert dark == (scheme == "dark")
    contrasts: list[Any] = browser.evaluate(CONTRASTS)
    assert len(contrasts) >= 3
    assert min(contrasts) >= 4.5
