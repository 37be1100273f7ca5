"""The command lines of QEMU and of virtiofsd, as pure functions.

A guest has no disk and no network interface: its root is the machine's own, through virtio-fs, and
it talks through virtio-serial ports, each of which is one end of a socket pair here::

    console   what the kernel prints                     (a serial line, for errors)
    control   JSON lines: ready, signals, exit code      (testbed.vm.guest)
    stdin, stdout, stderr

Sources: qemu(1); docs/interop/vhost-user.rst and docs/tools/virtiofsd.rst of QEMU.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.errors import InputError, Where

PORTS = ("control", "stdin", "stdout", "stderr")
"""The virtio-serial ports of a guest, by name."""

KVM, TCG = "kvm", "tcg"

_LEAST = 512
_UNITS = {"M": 1, "G": 1024}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a guest is.

    Attributes:
        memory: MiB.
        cpus: Virtual CPUs.
    """

    memory: int
    cpus: int


def mebibytes(text: str) -> int:
    """What ``--memory`` says, in MiB: ``4G``, ``512M``.

    Raises:
        InputError: It is no such size, or too small to boot.
    """
    found = re.fullmatch(r"(\d{1,7})([MG])i?B?", text, re.IGNORECASE)
    size = int(found[1]) * _UNITS[found[2].upper()] if found else 0
    if size < _LEAST:
        raise InputError(
            f"{text!r} is no size of a memory, or less than {_LEAST}M",
            where=Where("--memory"),
            hint="Write it as 4G or 512M.",
        )
    return size


def kernel_options(accelerator: str, init: str, argv: tuple[str, ...]) -> str:
    """The kernel's command line, which starts ``init`` with ``argv``.

    Software emulation goes without defences against other users of the CPU, which cost most where
    each branch is emulated, and which a guest does not have; and without the self-tests of ciphers,
    a quarter of the kernel's start.
    """
    slow = ("mitigations=off", "cryptomgr.notests") if accelerator == TCG else ()
    own = ("console=ttyS0", "loglevel=4", "panic=-1", *slow)
    return " ".join((*own, f"init={init}", "--", *argv))


def command(
    size: Size, accelerator: str, image: str, initramfs: int, files: Mapping[str, int], append: str
) -> list[str]:
    """The command line of QEMU.

    Args:
        size: Of the guest.
        accelerator: :data:`KVM` or :data:`TCG`.
        image: The kernel.
        initramfs: Descriptor of a file.
        files: Descriptors of connected sockets: ``root`` to virtiofsd, ``console``, and one for
            each of :data:`PORTS`.
        append: The kernel's command line.
    """
    # fmt: off
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-machine", "q35,sata=off,smbus=off,usb=off,vmport=off",
        *_processor(accelerator), "-smp", str(size.cpus),
        "-m", f"{size.memory}M",
        # virtiofsd reads and writes the guest's memory, so the two share it
        "-object", f"memory-backend-memfd,id=memory,size={size.memory}M,share=on",
        "-numa", "node,memdev=memory",
        "-kernel", image, "-initrd", f"/proc/self/fd/{initramfs}", "-append", append,
        *_socket("root", files["root"]), "-device", "vhost-user-fs-pci,chardev=root,tag=ROOTFS",
        *_socket("console", files["console"]), "-serial", "chardev:console",
        "-device", "virtio-serial-pci",
        *(word for name in PORTS for word in _port(name, files[name])),
    ]
    # fmt: on


def _processor(accelerator: str) -> list[str]:
    if accelerator == KVM:
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max"]


def _socket(name: str, descriptor: int) -> list[str]:
    return ["-chardev", f"socket,id={name},fd={descriptor}"]


def _port(name: str, descriptor: int) -> list[str]:
    return [*_socket(name, descriptor), "-device", f"virtserialport,chardev={name},name={name}"]


def virtiofsd(program: str, usage: str, listener: int) -> list[str]:
    """The command line of virtiofsd, which serves the whole root of its mount namespace.

    Everything is cached in the guest: what others change here meanwhile, it may not see.

    Args:
        program: Its path.
        usage: What it prints for ``--help``: QEMU's own (in C, until QEMU 7.2) and its successor
            (in Rust) have other options.
        listener: Descriptor of a listening socket.
    """
    common = [program, f"--fd={listener}"]
    if "--shared-dir" in usage:
        return [*common, "--shared-dir=/", "--cache=always", "--sandbox=chroot"]
    options = ("source=/", "cache=always", "sandbox=chroot", "log_level=err")
    return [*common, "-f", *(word for option in options for word in ("-o", option))]
