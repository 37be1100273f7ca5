"""What the user is told about bad manifests: errors.yaml, and what does not fit into it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from testbed.errors import InputError
from testbed.objects import from_manifest, parse
from testbed.objects.yamltext import MAX_ALIASED, MAX_DEPTH

CASES = yaml.safe_load(Path(__file__).with_name("errors.yaml").read_text())


def message(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, "f.yaml")
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    assert message(CASES[name]["text"]) == CASES[name]["message"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n\tb: 1\n", "f.yaml:2: invalid YAML: while scanning for the next token, found "
         "character that cannot start any token\n  YAML is indented by spaces, never by tabs."),
        ("a: b\nc: \x07\n", "f.yaml:2: invalid YAML: control character U+0007"),
        ("a: b\nc: \0\n", "f.yaml:2: not a text file: it has a NUL character"),
        ("a: b\nc: \udcff\n", "f.yaml:2: not UTF-8 text"),
        ("é: ü\nc: \x07\n", "f.yaml:2: invalid YAML: control character U+0007"),
        ("[" * 100_000, f"f.yaml:1: invalid YAML: nested deeper than {MAX_DEPTH} levels"),
        ("#" + "x" * (4 << 20), "f.yaml: a manifest may have at most 4 MiB\n"
         "  Split it into several files, and give the folder."),
    ],
    ids=["tab", "control", "nul", "surrogate", "control-after-utf8", "deep", "large"],
)  # fmt: skip
def test_message_of_odd_text(text: str, expected: str) -> None:
    assert message(text) == expected


def test_aliases_may_not_explode() -> None:
    lists = "".join(f"l{n + 1}: &l{n + 1} [{', '.join([f'*l{n}'] * 10)}]\n" for n in range(8))
    expected = f"f.yaml:5: invalid YAML: aliases expand to more than {MAX_ALIASED:,} values"
    assert message("l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n" + lists) == expected


POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{a: "{label}"}}
  annotations: {{a: "{annotation}"}}
spec: {{containers: [{{name: c, image: i}}]}}
"""


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": "a" * 254}, "must be no more than 253 bytes"),
        ({"label": "a" * 64}, "must be no more than 63 bytes"),
        ({"annotation": "a" * 262_144}, "Too long: must have at most 262144 bytes"),
    ],
)
def test_lengths(fields: dict[str, str], expected: str) -> None:
    whole = {"name": "a", "label": "b", "annotation": "c"} | fields
    assert expected in message(POD.format(**whole))
    shorter = {key: value[:-1] for key, value in fields.items()}
    assert parse(POD.format(**whole | shorter), "f.yaml")


def test_many_errors_are_cut() -> None:
    text = POD.format(name="a", label="", annotation="")[:-4] + f", args: [{'1, ' * 500}]}}]}}\n"
    lines = message(text).splitlines()
    assert len(lines) == 21
    assert lines[0].startswith("f.yaml:7: spec.containers[0].args[0]: Invalid value: 1: must be a")
    assert lines[-1] == "and 80 more"


def test_where_of_an_error_as_data() -> None:
    with pytest.raises(InputError) as caught:
        parse("---\n" + POD.format(name="A", label="", annotation=""), "f.yaml")
    where = caught.value.where
    assert where is not None
    assert (where.file, where.document, where.line, where.field) == (
        "f.yaml",
        None,
        5,
        "metadata.name",
    )


def test_error_in_a_manifest_without_file() -> None:
    with pytest.raises(InputError) as caught:
        from_manifest({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}}, "scenario")
    assert str(caught.value) == "scenario: spec.containers: Required value"
