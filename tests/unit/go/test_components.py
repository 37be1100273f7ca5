"""Real components: present if they are there or can be built, and where a lab finds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from testbed.doctor import features
from testbed.errors import MissingError
from testbed.go import build, components


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no component and no Go; what is put in the folder is on its PATH."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    return tmp_path


def executable(path: Path) -> Path:
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_every_component_that_is_for_a_lab_can_be_built() -> None:
    assert set(components.PURPOSES) <= set(build.names())


@pytest.mark.parametrize("name", components.PURPOSES)
def test_without_it_and_without_go_it_is_absent(nothing: Path, name: str) -> None:
    found = features.probe([name])[name]
    assert not found.present
    assert "there is no Go" in found.detail
    with pytest.raises(MissingError, match=f"lacks {name}") as caught:
        features.require([name])
    assert caught.value.hint == build.REMEDY


def test_go_is_as_good_as_having_it(nothing: Path) -> None:
    executable(nothing / "go")
    found = features.probe(["kube-proxy"])["kube-proxy"]
    assert found.present
    assert found.detail == "to be built: python -m testbed.go.build kube-proxy"


def test_one_on_path_is_taken(nothing: Path) -> None:
    program = executable(nothing / "kube-proxy")
    assert features.probe(["kube-proxy"])["kube-proxy"].detail == str(program)
    assert components.provide(["kube-proxy"], pytest.fail) == {"kube-proxy": program}


def test_a_lab_finds_it_by_name(nothing: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "COMPONENTS", nothing / "run" / "bin")
    program = executable(nothing / "kube-proxy")
    components.install({"kube-proxy": program})
    assert (nothing / "run" / "bin" / "kube-proxy").resolve() == program
