"""Messages of errors, exit codes, and the registry of parts."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from testbed.errors import (
    InputError,
    LabError,
    MissingError,
    NotSo,
    TestbedError,
    Where,
    unknown,
)
from testbed.registry import Registry

WHERES = [
    (Where("a.yaml"), "a.yaml"),
    (Where("a.yaml", line=7), "a.yaml:7"),
    (Where("a.yaml", 2, 7), "a.yaml:7 (document 2)"),
    (Where("a.yaml", 2, 7, "spec.nodeName"), "a.yaml:7 (document 2): spec.nodeName"),
    (Where("--set", field="mtu"), "--set: mtu"),
]


@pytest.mark.parametrize(("where", "text"), WHERES)
def test_places(where: Where, text: str) -> None:
    assert str(where) == text


def test_an_error_says_where_what_and_what_to_do() -> None:
    error = InputError("wrong", where=Where("a.yaml", line=3), hint="Write it right.")
    assert str(error) == "a.yaml:3: wrong\n  Write it right."
    assert str(LabError("wrong")) == "wrong"


@pytest.mark.parametrize(
    ("kind", "code"), [(NotSo, 1), (InputError, 2), (MissingError, 3), (LabError, 4)]
)
def test_exit_codes(kind: type[TestbedError], code: int) -> None:
    assert kind("so").exit_code == code


UNKNOWN = [
    ("vxlan1", "unknown CNI mode 'vxlan1'\n  Did you mean 'vxlan'? Known: bgp, vxlan."),
    ("ovs", "unknown CNI mode 'ovs'\n  Known: bgp, vxlan."),
    ("", "unknown CNI mode ''\n  Known: bgp, vxlan."),
]


@pytest.mark.parametrize(("name", "message"), UNKNOWN)
def test_unknown_names(name: str, message: str) -> None:
    assert str(unknown("CNI mode", name, ["vxlan", "bgp"])) == message


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[ModuleType]:
    folder = tmp_path / "some_parts"
    folder.mkdir()
    for name, text in {
        "__init__": "",
        "_shared": "raise AssertionError('imported')",
        "one_part": "part = 'one'",
        "other": "part = 'other'",
        "broken": "raise AssertionError('imported')",
    }.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    return Registry("part", "some_parts", "part")


def test_parts_are_found_by_their_files_without_importing_them(
    registry: Registry[ModuleType],
) -> None:
    assert registry.names() == ["broken", "one-part", "other"]
    assert registry.get("one-part") == "one"


@pytest.mark.parametrize("name", ["one_part", "-shared", "_shared", "", "os", "other/x"])
def test_other_names_are_no_parts(registry: Registry[ModuleType], name: str) -> None:
    with pytest.raises(InputError, match=r"^--part: unknown part .*\n.*Known: broken, one-part, "):
        registry.get(name, Where("--part"))
