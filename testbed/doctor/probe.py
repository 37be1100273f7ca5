"""The child process in which ``testbed doctor`` tries what the kernel can do.

It gives itself network and mount namespaces of its own (and, without root, a user namespace), tries
each feature there, prints ``{name: reason of absence or null}`` as JSON, and ends; the kernel then
frees everything. ``/run`` is a tmpfs of its own meanwhile, because iptables takes a lock there.

One thing is not tried: a driver that the kernel would first have to load as a module. Loading is
nothing of a namespace (``ipip`` puts a ``tunl0`` into the host's own, ``br_netfilter`` changes how
the host's bridges filter), so such a feature counts as present if modprobe's dry run finds it. In
the virtual machine of ``testbed vm``, which nobody else uses, modules are loaded and tried.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from testbed.doctor.kernel import KERNEL, NAMESPACES
from testbed.doctor.trial import Trial
from testbed.kernel import syscalls

CLONE_NEWUSER = 0x10000000

IN_VM = "TESTBED_VM"
"""The environment variable that says that this is the virtual machine of ``testbed vm``."""


def loadable(modules: list[str]) -> set[str]:
    """Those of the modules that the kernel has not loaded yet but could."""
    if not Path("/proc/modules").exists() or not shutil.which("modprobe"):
        return set()
    argv = ["modprobe", "--dry-run", "--verbose", "--all", *modules]
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout
    return insmods(said).intersection(modules)


def insmods(said: str) -> set[str]:
    """The modules that modprobe's dry run would insert, from what it prints."""
    lines = (line.split() for line in said.splitlines())
    paths = (words[1] for words in lines if len(words) > 1 and words[0] == "insmod")
    return {Path(path).name.partition(".")[0].replace("-", "_") for path in paths}


def _become_root() -> None:
    """A user namespace in which an unprivileged user is root (user_namespaces(7))."""
    user, group = os.geteuid(), os.getegid()
    syscalls.unshare(CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _enter() -> None:
    """The throw-away namespaces."""
    syscalls.unshare(syscalls.CLONE_NEWNET | syscalls.CLONE_NEWNS)
    syscalls.mount("none", "/", flags=syscalls.MS_REC | syscalls.MS_PRIVATE)
    syscalls.mount("tmpfs", "/run", "tmpfs")


def _reason(attempt: Callable[[], object]) -> str | None:
    """Why an attempt fails, in few words; None if it does not."""
    try:
        attempt()
    except Exception as error:  # pyroute2 has a dozen classes, and absence takes any form
        code = getattr(error, "code", None) or getattr(error, "errno", None)
        if isinstance(code, int) and code in errno.errorcode:
            return os.strerror(code)
        return str(error) or type(error).__name__
    return None


def _modules(names: list[str]) -> set[str]:
    """The features whose modules are not loaded but could be; in the VM they are loaded instead."""
    modules = {name: KERNEL[name].module for name in names if KERNEL[name].module}
    could = loadable(list(modules.values())) if modules else set()
    if could and os.environ.get(IN_VM):
        subprocess.run(["modprobe", "--all", "--quiet", *could], timeout=30, check=False)
        return set()
    return {name for name, module in modules.items() if module in could}


def run(names: list[str]) -> dict[str, str | None]:
    """Tries features.

    Args:
        names: Of kernel features.

    Returns:
        Each name with the reason why the feature is absent; None where it is present.
    """
    found: dict[str, str | None] = dict.fromkeys(_modules(names))
    kernel = Trial()
    user = _reason(_become_root) if os.geteuid() else None
    for name in NAMESPACES.keys() & names:
        found[name] = _reason(partial(KERNEL[name].attempt, kernel))
    rest = [name for name in names if name not in found]
    if rest:
        entry = user or _reason(_enter)
        found |= {name: entry or _reason(partial(KERNEL[name].attempt, kernel)) for name in rest}
    return found


if __name__ == "__main__":
    json.dump(run(sys.argv[1:]), sys.stdout)
