"""A pod's mount and UTS namespaces, which all of its containers share, made on first need.

In them the pod has its own host name, ``/sys`` (of its network namespace), ``/etc/hosts``,
``/etc/hostname`` and ``/etc/resolv.conf``; every other file is the machine's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from testbed.kernel import join, syscalls
from testbed.kernel.netns import NetNs

_SELF = "/proc/thread-self/ns/"
_HOSTS = """\
# Kubernetes-managed hosts file.
127.0.0.1\tlocalhost
{address}\t{name}
"""
_NO_RESOLVER = "# No nameserver: this lab has no DNS (testbed up --dns coredns).\n"


def make(
    netns: NetNs, folder: Path, host_name: str, address: str, resolv_conf: str
) -> join.Descriptors:
    """The namespaces of a pod or a node, as descriptors; the thread comes back to where it was.

    The thread must not share its file system state with others (``CLONE_FS``).

    Args:
        netns: The pod's network namespace.
        folder: Where its files are written.
        host_name: Its host name.
        address: Its address.
        resolv_conf: Its ``/etc/resolv.conf``.
    """
    home = {kind: _open(kind) for kind in ("mnt", "uts")}
    try:
        with netns.entered():
            syscalls.unshare(syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS)
            syscalls.set_host_name(host_name)
            _mounts(folder, host_name, address, resolv_conf)
            return {"uts": _open("uts"), "mount": _open("mnt")}
    finally:
        for descriptor in home.values():
            syscalls.setns(descriptor)
            os.close(descriptor)


def make_uts(host_name: str) -> int:
    """A UTS namespace with a host name; the thread comes back to where it was."""
    home = _open("uts")
    syscalls.unshare(syscalls.CLONE_NEWUTS)
    syscalls.set_host_name(host_name)
    made = _open("uts")
    syscalls.setns(home)
    os.close(home)
    return made


def _open(kind: str) -> int:
    return os.open(_SELF + kind, os.O_RDONLY | os.O_CLOEXEC)


def _mounts(folder: Path, host_name: str, address: str, resolv_conf: str) -> None:
    syscalls.mount("", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    safe = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("sysfs", "/sys", "sysfs", safe)
    folder.mkdir(parents=True, exist_ok=True)
    _show(folder / "hostname", "/etc/hostname", host_name + "\n")
    _show(folder / "hosts", "/etc/hosts", _HOSTS.format(address=address, name=host_name))
    _show(folder / "resolv.conf", "/etc/resolv.conf", resolv_conf or _NO_RESOLVER)


def _show(file: Path, target: str, content: str) -> None:
    """Puts a file of the pod's own in the place of one of the machine's.

    A machine that lacks the file lacks it in pods too: a bind mount needs something to cover.
    """
    file.write_text(content)
    with suppress(FileNotFoundError):
        syscalls.mount(str(file), os.path.realpath(target, strict=True), flags=syscalls.MS_BIND)
