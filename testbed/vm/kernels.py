"""Which kernel a guest boots.

Three places have kernels, and all have the same shape, ``boot/vmlinuz-VERSION`` and
``lib/modules/VERSION`` below one root: a subfolder of the cache for each kernel that
``tools/kernel`` got; this machine itself; and, with an image given by path, the folder around it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from testbed.errors import InputError, MissingError, Where

NEEDED = ("ip_vs", "sch_netem", "openvswitch", "ipip", "wireguard", "dummy", "sctp")
"""Modules that make a kernel full-featured: without one of them it is not chosen by itself."""

GET = "`tools/kernel` gets one; `./run vm` does so by itself."
_OPTION = Where("--kernel")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel that can be booted.

    Attributes:
        version: As ``uname -r`` says it.
        image: The bzImage.
        root: The folder with ``lib/modules/VERSION``; None if its modules are nowhere.
    """

    version: str
    image: Path
    root: Path | None


def cache() -> Path:
    """The folder with what is kept between runs: kernels, and whether KVM boots a guest."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "k8s-net-testbed"


def choose(asked: str | None, cached: Path, host: Path = Path("/")) -> Kernel:
    """The kernel to boot.

    Args:
        asked: Path of an image or a version; None for the newest full-featured one, those of the
            cache before those of the machine.
        cached: The folder with a subfolder for each kernel that was got.
        host: Root of the machine's own kernels.

    Raises:
        InputError: What is asked for is no kernel.
        MissingError: There is none.
    """
    if asked is not None and ("/" in asked or Path(asked).is_file()):
        return _of_image(Path(asked).absolute(), (cached, host))
    known = [*_below(*(sorted(cached.iterdir()) if cached.is_dir() else ())), *_below(host)]
    if asked is None:
        return _best(known, host)
    for kernel in known:
        if kernel.version == asked:
            return kernel
    names = ", ".join(dict.fromkeys(kernel.version for kernel in known)) or "none"
    raise MissingError(
        f"there is no kernel {asked}; known: {names}",
        where=_OPTION,
        hint=f"`tools/kernel {asked}` gets it, if the distribution has it.",
    )


def age(version: str) -> tuple[tuple[int, str], ...]:
    """A sort key of versions, in which numbers count as such: 6.1.0-9 before 6.1.0-56."""
    return tuple((int(n or -1), text) for n, text in re.findall(r"(\d+)|(\D+)", version))


def modules(kernel: Kernel) -> set[str]:
    """Names of the modules that a kernel has, built in or not, with underscores."""
    if kernel.root is None:
        return set()
    folder = kernel.root / "lib/modules" / kernel.version
    lines: list[str] = []
    for name in ("modules.dep", "modules.builtin"):
        if (folder / name).is_file():
            lines += (folder / name).read_text().splitlines()
    paths = (line.partition(":")[0] for line in lines)
    return {Path(path).name.partition(".ko")[0].replace("-", "_") for path in paths}


def version_in(image: Path) -> str | None:
    """The version that a bzImage says it has; None if the file is none.

    Source: the kernel's Documentation/arch/x86/boot.rst, ``kernel_version`` of the setup header.
    """
    with image.open("rb") as file:
        head = file.read(0x10000)
    if head[0x202:0x206] != b"HdrS":
        return None
    start = int.from_bytes(head[0x20E:0x210], "little") + 0x200
    words = head[start : head.find(b"\0", start)].split()
    return words[0].decode("ascii", "replace") if words else None


def _below(*roots: Path) -> list[Kernel]:
    """The kernels in ``boot`` of some roots."""
    return [
        Kernel(version, image, _modules_root(version, [root]))
        for root in roots
        for image in sorted(root.glob("boot/vmlinuz-*"))
        for version in [image.name.removeprefix("vmlinuz-")]
    ]


def _modules_root(version: str, roots: Iterable[Path]) -> Path | None:
    for root in roots:
        if (root / "lib/modules" / version).is_dir():
            return root
    return None


def _best(known: list[Kernel], host: Path) -> Kernel:
    full = [kernel for kernel in known if modules(kernel) >= set(NEEDED)]
    if not full:
        raise MissingError(
            f"there is no kernel with {', '.join(NEEDED)} for the virtual machine", hint=GET
        )
    return max(full, key=lambda kernel: (kernel.root != host, age(kernel.version)))


def _of_image(image: Path, places: tuple[Path, Path]) -> Kernel:
    try:
        version = version_in(image)
    except OSError as error:
        raise InputError(f"{image}: {error.strerror}", where=_OPTION) from None
    if version is None:
        raise InputError(f"{image} is no bzImage", where=_OPTION)
    cached, host = places
    around = image.resolve().parent.parent
    return Kernel(version, image, _modules_root(version, (around, cached / version, host)))
