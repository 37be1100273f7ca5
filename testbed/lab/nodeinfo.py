"""What nodes say of the machine that they are on: all the same, because they share it.

``nodeInfo``, ``capacity`` and ``allocatable`` of a Node's status (v1), as the kubelet finds them
(``pkg/kubelet/nodestatus/setters.go``), but that every node has the whole machine.
"""

from __future__ import annotations

import os
import platform
from functools import cache
from importlib.metadata import version
from typing import Any

from testbed.release import GIT_VERSION

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}  # Go's names


@cache
def info() -> dict[str, Any]:
    """The fields of a Node's status that are about the machine; not to be changed."""
    machine = os.uname()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    resources = {"cpu": str(os.cpu_count()), "memory": f"{memory >> 10}Ki"}
    return {
        "capacity": resources,
        "allocatable": resources,
        "nodeInfo": {
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "kernelVersion": machine.release,
            "osImage": _system(),
            "containerRuntimeVersion": f"testbed://{version('k8s-net-testbed')}",
            "kubeletVersion": GIT_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": _ARCHITECTURES.get(machine.machine, machine.machine),
        },
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"
