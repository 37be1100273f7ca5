"""The script with which a guest starts: from a read-only root to one that programs can write to.

virtme-ng's initramfs mounts the machine's root by virtio-fs, read-only, and starts this as process
1. It puts an overlay in memory over that root, mounts the kernel's own file systems and the folders
that are writable for real, and makes the result the root (pivot_root(2): with chroot(2) instead,
neither user namespaces nor the kernel's own calls of modprobe would work).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from testbed.vm.kernels import Kernel

FOLDER = "/run/.testbed-vm"
"""A folder that only the guest's first root has, and its ``memory`` for a file system."""

PATH = f"{FOLDER}/init"
"""Where the script is."""

_SCRIPT = """\
# fails: the guest ends, and this shell's message is the last on its console
set -eu
b={busybox}
mount() {{ "$b" mount -n "$@"; }}
cd {folder}/memory
mount -t tmpfs -o mode=755 memory .
cd {folder}/memory
"$b" mkdir upper work root
mount -t overlay -o "lowerdir=/,upperdir=$PWD/upper,workdir=$PWD/work" root root
cd root
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec sysfs sys
mount -t devtmpfs -o mode=755 devtmpfs dev
mount -t tmpfs -o mode=755,nosuid,nodev run run
"$b" mkdir -p dev/pts dev/shm dev/net run/lock run/old
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev shm dev/shm
mount -t cgroup2 cgroup2 sys/fs/cgroup || :
mount -t bpf -o mode=700 bpf sys/fs/bpf || :
[ -e dev/net/tun ] || "$b" mknod dev/net/tun c 10 200
for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
    [ -e "dev/${{name%%:*}}" ] || "$b" ln -s "/proc/self/${{name#*:}}" "dev/${{name%%:*}}"
done
{modules}
for folder in {writable}; do
    "$b" mkdir -p ".$folder"
    mount --bind "$folder" ".$folder"
done
"$b" pivot_root . run/old
cd /
"$b" umount -l /run/old
"$b" rmdir /run/old
"$b" hostname {name}
"$b" ip link set lo up
exec {python} -I -S -B {guest}
"""

_MODULES = """\
"$b" mkdir -p lib/modules
[ -e lib/modules/{version} ] || "$b" ln -s {folder} lib/modules/{version}"""


@dataclass(frozen=True, slots=True)
class Programs:
    """Paths of programs, the same here and in the guest.

    Attributes:
        busybox: A static one.
        python: Python, which runs ``guest``.
        guest: The file of :mod:`testbed.vm.guest`.
    """

    busybox: str
    python: str
    guest: str


def script(programs: Programs, kernel: Kernel, writable: Sequence[str], name: str) -> str:
    """The text of the script.

    Args:
        programs: What it calls.
        kernel: The one that boots, whose modules modprobe shall find.
        writable: Absolute paths of folders.
        name: The guest's host name.
    """
    quoted = {key: shlex.quote(getattr(programs, key)) for key in programs.__slots__}
    return _SCRIPT.format(
        folder=FOLDER,
        modules=_modules(kernel),
        writable=" ".join(shlex.quote(path) for path in writable),
        name=shlex.quote(name),
        **quoted,
    )


def _modules(kernel: Kernel) -> str:
    if kernel.root is None:
        return ""
    folder = kernel.root / "lib/modules" / kernel.version
    return _MODULES.format(
        version=shlex.quote(kernel.version), folder=shlex.quote(str(folder.absolute()))
    )
