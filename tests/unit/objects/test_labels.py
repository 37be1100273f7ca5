"""Label selectors: semantics, and kubectl's notation."""

from __future__ import annotations

import pytest

from testbed.errors import InputError
from testbed.objects import LabelSelector, Requirement, parse_selector


@pytest.mark.parametrize(
    ("text", "absent", "web", "db", "empty"),
    [
        ("", True, True, True, True),
        ("app=web", False, True, False, False),
        ("app==web", False, True, False, False),
        ("app=", False, False, False, True),
        ("app!=web", True, False, True, True),
        ("app in (web, db)", False, True, True, False),
        ("app in (web,)", False, True, False, True),
        ("app notin (web, db)", True, False, False, True),
        ("app", False, True, True, True),
        ("!app", True, False, False, False),
        (" app , app != db ", False, True, False, True),
        ("app in(web),app", False, True, False, False),
    ],
)
def test_selector(text: str, absent: bool, web: bool, db: bool, empty: bool) -> None:
    selector = parse_selector(text)
    labels: list[dict[str, str]] = [{}, {"app": "web"}, {"app": "db"}, {"app": ""}]
    assert [selector.matches(one) for one in labels] == [absent, web, db, empty]


def test_terms() -> None:
    assert parse_selector("a=b,!c,example.com/d notin (e,f)").match_expressions == (
        Requirement("a", "In", ("b",)),
        Requirement("c", "DoesNotExist"),
        Requirement("example.com/d", "NotIn", ("e", "f")),
    )


def test_labels_and_expressions_must_all_hold() -> None:
    selector = LabelSelector({"a": "1", "b": "2"}, (Requirement("c", "Exists"),))
    assert selector.matches({"a": "1", "b": "2", "c": ""})
    assert not selector.matches({"a": "1", "b": "2"})
    assert not selector.matches({"a": "1", "c": "3"})


@pytest.mark.parametrize("value", ["", None])
def test_matching_an_empty_value_takes_the_key(value: str | None) -> None:
    labels = {} if value is None else {"k": value}
    assert LabelSelector({"k": ""}).matches(labels) is (value == "")


@pytest.mark.parametrize(
    ("text", "position"),
    [(",", 1), ("a,", 3), ("a,,b", 3), ("a b", 1), ("a=b=c", 1), ("a in b", 1), ("a in (b", 1),
     ("a!", 1), ("=b", 1), ("x=y,a>1", 5)],
)  # fmt: skip
def test_unreadable(text: str, position: int) -> None:
    with pytest.raises(InputError) as caught:
        parse_selector(text)
    first = str(caught.value).splitlines()[0]
    assert first == f"-l: cannot read the selector {text!r} at character {position}"


@pytest.mark.parametrize("text", ["-a=b", "a=-b", "a/b/c", "a in (b, c d)"])
def test_names_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match=r"^--selector: .*consist of alphanumeric"):
        parse_selector(text, "--selector")
