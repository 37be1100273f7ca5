"""The initramfs of a guest, by virtme-ng: modules for the root, a busybox, and its own script.

That script (``virtme.mkinitramfs``) loads the modules, mounts the virtio-fs share ``ROOTFS``
and starts what ``init=`` names there. virtme-ng's own commands are not used: their guest
takes 16 s to a command in software emulation instead of 6, cuts the files that output goes to, and
joins both output streams.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from testbed.errors import MissingError
from testbed.vm.kernels import Kernel

MODULES = ("virtio_pci", "virtio_console", "virtiofs", "overlay")
"""What a guest needs before it has its root."""


def busybox() -> str:
    """Path of the busybox that runs in a guest.

    Raises:
        MissingError: There is none, or no virtme-ng.
    """
    path: str | None = _virtme().mkinitramfs.find_busybox("/", True)
    if path is None:
        raise MissingError("the virtual machine needs busybox", hint=hint("busybox-static"))
    return os.path.realpath(path)


def write(kernel: Kernel, busybox: str, descriptor: int) -> None:
    """Writes the initramfs into an open file.

    Needs a temporary folder for a moment.

    Args:
        kernel: Whose modules it shall have.
        busybox: Path of a static busybox.
        descriptor: Of the file.
    """
    virtme = _virtme()
    config = virtme.mkinitramfs.Config()
    config.busybox, config.access = busybox, "rw"  # what is writable, testbed.vm.box decides
    if kernel.root is not None:
        find = partial(virtme.modfinder.find_modules_from_install, kver=kernel.version)
        config.modfiles = find(MODULES, root=str(kernel.root))
    with os.fdopen(os.dup(descriptor), "wb") as file:
        virtme.mkinitramfs.mkinitramfs(file, config)


def hint(package: str) -> str:
    """How to get a package that only the virtual machine needs."""
    return f"`./run vm` installs it; it is the package {package}."


def _virtme() -> Any:
    try:
        import virtme.mkinitramfs
        import virtme.modfinder
    except ImportError:
        raise MissingError(
            "the virtual machine needs virtme-ng",
            hint="`./run vm` installs it; it is the extra `vm` of the Python package.",
        ) from None
    return virtme
