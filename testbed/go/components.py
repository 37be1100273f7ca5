"""Real components that are Go programs: found on this machine, or built when a lab needs them.

They are found or built outside the sandbox, and are in :data:`testbed.kubelet.programs.COMPONENTS`
inside, which is on the PATH of daemons and containers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from testbed.go import build
from testbed.kubelet.programs import COMPONENTS

PURPOSES: Mapping[str, str] = {
    "coredns": "cluster DNS",
    "kube-proxy": "the proxy modes kube-proxy-…",
}
"""Component → what it is for."""


def provide(
    names: Iterable[str],
    progress: Callable[[str], None],
    given: Mapping[str, str] | None = None,
) -> dict[str, Path]:
    """Finds components, and builds those that are not there yet, which takes minutes.

    Args:
        names: Of the components.
        progress: Is told what is being built.
        given: Component → path, of those that need not be looked for.

    Returns:
        Component → the program.

    Raises:
        MissingError: There is no Go.
        LabError: One cannot be built.
    """
    known = given or {}
    return {n: Path(known[n]) if n in known else _provide(n, progress) for n in names}


def _provide(name: str, progress: Callable[[str], None]) -> Path:
    found = build.find(name)
    if found is None:
        progress(f"building {name} (once; this takes minutes)")
        found = build.build(build.FOLDERS / name)
    return found


def install(found: Mapping[str, Path]) -> None:
    """Puts components where a lab's programs find them; to be called inside the sandbox.

    Args:
        found: Component → the program.
    """
    COMPONENTS.mkdir(parents=True, exist_ok=True)
    for name, program in found.items():
        (COMPONENTS / name).symlink_to(program)


def missing(name: str) -> str | None:
    """Why a component can neither be found nor be built; None if it can."""
    if build.find(name) is not None or build.compiler() is not None:
        return None
    return "not found on PATH, and there is no Go to build it with"


def detail(name: str) -> str:
    """Where a component is, or that it has to be built."""
    found = build.find(name)
    return str(found) if found else f"to be built: python -m testbed.go.build {name}"
