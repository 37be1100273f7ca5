"""The Vagrantfile, as Vagrant itself reads it, and the scripts that it and its proof consist of.

The machine itself is proven by hand: ``tests/vm/vagrant``, docs/vagrant.md.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VARIABLE = re.compile(r"TESTBED_[A-Z_]+")


def run(*argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command in the project's folder."""
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def vagrant(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Vagrant's program, if it has the provider libvirt."""
    if shutil.which("vagrant") is None:
        pytest.skip("vagrant is not installed; this distribution may not have it")
    own = os.environ | {"VAGRANT_HOME": str(tmp_path_factory.mktemp("vagrant"))}
    if "vagrant-libvirt" not in run("vagrant", "plugin", "list", env=own).stdout:
        pytest.skip("vagrant has no plugin vagrant-libvirt")
    return "vagrant"


def validate(vagrant: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """``vagrant validate``, with the blocks of the provider libvirt.

    Vagrant asks libvirt whether it is there: libvirt's driver ``test`` is, without a daemon.
    """
    own = {"VAGRANT_HOME": str(folder / "home"), "VAGRANT_DOTFILE_PATH": str(folder / "machines")}
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TESTBED_", "VAGRANT"))}
    environment |= own | {"LIBVIRT_DEFAULT_URI": "test:///default"} | settings
    return run(vagrant, "validate", "--no-color", env=environment)


def test_vagrant_accepts_it(vagrant: str, tmp_path: Path) -> None:
    done = validate(vagrant, tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (
        0,
        "Vagrantfile validated successfully.",
        "",
    )


def test_vagrant_accepts_every_setting(vagrant: str, tmp_path: Path) -> None:
    settings = {
        "TESTBED_BOX": "somebody/box",
        "TESTBED_VM_CPUS": "4",
        "TESTBED_VM_MEMORY": "6144M",
        "TESTBED_VM_DISK": "40G",
        "TESTBED_VM_DRIVER": "qemu",
        "TESTBED_VM_CA": __file__,
        "TESTBED_VM_APT_CONF": __file__,
    }
    assert set(settings) == set(VARIABLE.findall((ROOT / "Vagrantfile").read_text()))
    done = validate(vagrant, tmp_path, **settings)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TESTBED_VM_CPUS", "0"),
        ("TESTBED_VM_MEMORY", "4"),
        ("TESTBED_VM_DISK", "40"),
        ("TESTBED_VM_DRIVER", "xen"),
        ("TESTBED_VM_CA", "/no/such/file"),
    ],
)
def test_a_wrong_setting_is_named(vagrant: str, tmp_path: Path, name: str, value: str) -> None:
    done = validate(vagrant, tmp_path, **{name: value})
    assert done.returncode == 1
    assert value in done.stdout + done.stderr


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs/vagrant.md").read_text()
    for script in ("Vagrantfile", "tools/box", "tools/provision", "tests/vm/vagrant"):
        for name in set(VARIABLE.findall((ROOT / script).read_text())):
            assert f"`{name}`" in page, f"{name} of {script}"


@pytest.mark.parametrize("script", ["tools/box", "tools/provision", "tests/vm/vagrant"])
def test_shellcheck_accepts_the_scripts(script: str) -> None:
    if shutil.which("shellcheck") is None:
        pytest.skip("shellcheck is not installed")
    done = run("shellcheck", script)
    assert done.returncode == 0, done.stdout
