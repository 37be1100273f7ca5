"""The package lists agree with the code and with each other."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from testbed.doctor.features import PROGRAMS
from testbed.doctor.kernel import KERNEL

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def debian() -> list[str]:
    """The packages of packages.txt, in its order."""
    lines = (ROOT / "packages.txt").read_text().splitlines()
    return [line.split()[0].rstrip("?") for line in lines if line and line[0] not in "#["]


def locked() -> dict[str, list[Requirement]]:
    """Python package → its lines in constraints.txt, one for each range of Pythons."""
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        if line and not line.lstrip().startswith("#"):
            pin = Requirement(line)
            found.setdefault(canonicalize_name(pin.name), []).append(pin)
    return found


def wanted() -> list[Requirement]:
    project = PROJECT["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    built = PROJECT["build-system"]["requires"]
    return [Requirement(line) for line in (*project["dependencies"], *extras, *built)]


def test_what_doctor_says_to_install_is_what_the_set_up_installs() -> None:
    named = {package for package, _ in PROGRAMS.values()}
    assert not named - set(debian())
    assert {feature.tool for feature in KERNEL.values() if feature.tool} <= set(PROGRAMS)


def test_debian_packages_are_listed_once_and_with_a_reason() -> None:
    assert len(debian()) == len(set(debian()))
    for line in (ROOT / "packages.txt").read_text().splitlines():
        assert not line or re.fullmatch(r"#.*|\[[a-z]+\]|[a-z0-9.+-]+\?? +# \S.*", line), line


def test_the_lock_has_one_exact_version_of_each() -> None:
    for pins in locked().values():
        for pin in pins:
            assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), str(pin)


def test_the_lock_fits_what_the_project_wants() -> None:
    pins = locked()
    for requirement in wanted():
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not in constraints.txt: run tools/lock"
        for pin in pins[name]:
            version = next(iter(pin.specifier)).version
            assert requirement.specifier.contains(version, prereleases=True), (
                f"{name} {version} is not {requirement.specifier}: run tools/lock"
            )
