"""Reading YAML as Kubernetes reads it, with lines."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.objects.source import Origin, Source
from testbed.objects.yamltext import documents


def value(text: str) -> Any:
    (document,) = documents(text, "f.yaml")
    return document.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "a"), ("'1'", "1"), ("", None), ("~", None), ("null", None), ("nil", "nil"),
        ("true", True), ("yes", True), ("y", True), ("On", True), ("off", False), ("N", False),
        ("tRUE", "tRUE"), ("yep", "yep"),
        ("1", 1), ("-1", -1), ("+1", 1), ("1_000", 1000), ("010", 8), ("0o10", 8), ("0x1F", 31),
        ("0b101", 5), ("-0b11", -3), ("089", 89), ("0", 0), ("12a", "12a"),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1), ("1e3", 1000), ("1.0", 1), ("1e21", 1e21),
        ("1e999", "1e999"), ("9.8.7", "9.8.7"), ("+", "+"), (".", "."),
        ("1:30", "1:30"), ("2024-01-01", "2024-01-01"), ("10.244.0.0/16", "10.244.0.0/16"),
        ("!!str 80", "80"), ("! 80", 80), ("!!int '80'", 80), ("!!float 80", 80),
        ("!!bool 'yes'", True), ("!!null ''", None), ("!!binary aMOp", "hé"),
        ("!!str", ""), ("18446744073709551615", 18446744073709551615),
    ],
)  # fmt: skip
def test_scalar(text: str, expected: object) -> None:
    found = value(f"k: {text}")["k"]
    assert found == expected
    assert type(found) is type(expected)


def test_keys_become_strings() -> None:
    assert value("{1: a, yes: b, 1.5: c, x: d}") == {"1": "a", "true": "b", "1.5": "c", "x": "d"}


def test_alias_is_a_copy() -> None:
    tree = value("a: &x {b: [1]}\nc: *x\n")
    assert tree == {"a": {"b": [1]}, "c": {"b": [1]}}
    assert tree["a"]["b"] is not tree["c"]["b"]


def test_alias_as_key() -> None:
    assert value("a: &x k\n*x : 1\n") == {"a": "k", "k": 1}


def test_own_keys_win_over_merged_ones_and_the_first_of_a_list_wins() -> None:
    text = "x: &x {a: 1, b: 1}\ny: &y {b: 2, c: 2}\nz: {b: 0, <<: *x}\nw:\n  <<: [*y, *x]\n  a: 0\n"
    tree = value(text)
    assert tree["z"] == {"b": 0, "a": 1}
    assert tree["w"] == {"a": 0, "b": 2, "c": 2}


def test_quoted_merge_key_is_a_key() -> None:
    assert value("'<<': {a: b}") == {"<<": {"a": "b"}}


def test_documents_and_their_first_lines() -> None:
    found = documents("# c\n---\na: 1\n---\n---\n\n# d\nb: 2\n...\n", "f.yaml")
    assert [document.value for document in found] == [{"a": 1}, None, {"b": 2}]
    assert [document.line for document in found][::2] == [3, 8]


@pytest.mark.parametrize("text", ["", "# only a comment\n", "\n\n"])
def test_no_document(text: str) -> None:
    assert documents(text, "f.yaml") == []


def test_lines_of_fields() -> None:
    text = "a:\n  b:\n  - c: 1\n  -\n    d: 2\nx: &x\n  e: 3\nw: *x\nz:\n  <<: *x\n"
    (document,) = documents(text, "f.yaml")
    origin = Origin(Source("f.yaml", None, document.line), document.value, document.lines)
    lines = {
        ("a",): 1, ("a", "b"): 2, ("a", "b", 0, "c"): 3, ("a", "b", 1, "d"): 5,
        ("w", "e"): 7, ("z", "e"): 7,
        ("a", "b", 1, "missing"): 5, ("a", "missing", "further"): 1, ("a", "b", 7): 2,
    }  # fmt: skip
    assert {path: origin.where(path).line for path in lines} == lines


def test_json_is_yaml() -> None:
    assert value('{\n\t"a": ["b", 1, true, null, "\\u00e9\\/"]\n}') == {
        "a": ["b", 1, True, None, "é/"]
    }
