"""Variables and their expansion, as the kubelet does it."""

from __future__ import annotations

import pytest

from testbed.objects import EnvVar, environment, expand

NOTHING: dict[str, str] = {}
VARIABLES = {"A": "1", "B": "2", "C D": "3", "EMPTY": "", "REF": "$(A)"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""), ("plain", "plain"), ("$(A)", "1"), ("$(A)$(B)", "12"), ("x-$(A)-y", "x-1-y"),
        ("$(C D)", "3"), ("$(EMPTY)", ""), ("$(REF)", "$(A)"),
        ("$(NONE)", "$(NONE)"), ("$()", "$()"), ("$A", "$A"), ("${A}", "${A}"),
        ("$$", "$"), ("$$(A)", "$(A)"), ("$$$(A)", "$1"), ("$$$$(A)", "$$(A)"), ("$$A", "$A"),
        ("$", "$"), ("a$", "a$"), ("$(A", "$(A"), ("$(A$(B)", "$(A$(B)"), ("$($$", "$($"),
        ("$(A))", "1)"), ("\\$(A)", "\\1"),
    ],
)  # fmt: skip
def test_expand(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


def test_a_value_sees_only_the_variables_before_it() -> None:
    declared = [EnvVar("A", "$(B)"), EnvVar("B", "b"), EnvVar("C", "$(A)$(B)")]
    assert environment(declared, NOTHING.__getitem__) == {"A": "$(B)", "B": "b", "C": "$(B)b"}


def test_fields_are_looked_up_and_not_expanded() -> None:
    declared = [EnvVar("IP", field_path="status.podIP"), EnvVar("URL", "http://$(IP)/")]
    found = environment(declared, {"status.podIP": "$(IP)"}.__getitem__)
    assert found == {"IP": "$(IP)", "URL": "http://$(IP)/"}


def test_a_variable_from_a_source_that_is_not_served_is_absent() -> None:
    assert environment([EnvVar("SECRET")], NOTHING.__getitem__) == {}
