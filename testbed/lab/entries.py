"""Ways into a lab: the namespaces of pods and hosts, as descriptors to join.

A pod's mount and UTS namespaces are made when somebody first needs them, a host's UTS namespace
likewise.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from testbed.cluster.model import BoundPod
from testbed.errors import InputError
from testbed.kernel import join
from testbed.kernel.executor import Executor
from testbed.kernel.sandbox import STATE
from testbed.kubelet import podns, programs
from testbed.kubelet.kubelet import Key, PodRuntime
from testbed.kubelet.programs import Program
from testbed.lab.fabric import Fabric
from testbed.plan.model import FABRIC

_PODS = STATE / "pods"


class Entries:
    """The ways into one lab.

    Args:
        executor: Has the network namespaces, and the thread that can enter others.
        pod: Gives the containers of a pod, also while it is being ended; None if there is none.
        fabric: Has the hosts.
        resolv_conf: Gives the text of a pod's ``/etc/resolv.conf``.
    """

    def __init__(
        self,
        executor: Executor,
        pod: Callable[[Key], PodRuntime | None],
        fabric: Fabric,
        resolv_conf: Callable[[BoundPod], str],
    ) -> None:
        self._executor, self._pod, self._fabric = executor, pod, fabric
        self._resolv_conf = resolv_conf
        self._made: dict[str, join.Descriptors] = {}

    def netns(self, name: str) -> int:
        """The descriptor of a network namespace by its name in the plan.

        ``switch/NAME`` leads to the one that all switches are in.

        Raises:
            InputError: There is no such pod or host.
        """
        kind, _, rest = name.partition("/")
        place = FABRIC if kind == "switch" and rest in self._fabric.switches else name
        place = self._place(name) if kind == "pod" else place
        if place not in self._executor.namespaces:
            raise _not_found(name)
        return self._executor.namespaces[place].descriptor

    def _place(self, name: str) -> str:
        """The network namespace of a pod: its own, or with ``hostNetwork`` its node's."""
        pod = self._pod(_key(name))
        return name if pod is None or not pod.bound.host_network else f"node/{pod.bound.node}"

    def namespaces(self, name: str) -> join.Descriptors:
        """The network, mount and UTS namespaces of a pod or host.

        Raises:
            InputError: There is no such pod or host.
        """
        net = self.netns(name)
        if name not in self._made:
            self._executor.run(lambda: self._make(name))
        return {**self._made[name], "net": net}

    def _make(self, name: str) -> None:
        if name in self._made:  # somebody else was first
            return
        kind, _, rest = name.partition("/")
        if kind == "pod":
            bound = self._runtime(_key(name)).bound
            netns = self._executor.namespaces[self._place(name)]
            folder = _PODS / "_".join(bound.key)
            host = programs.host_name(bound)
            resolv = self._resolv_conf(bound)
            self._made[name] = podns.make(netns, folder, host, bound.address, resolv)
        elif kind == "switch":
            mount = os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            self._made[name] = {"uts": podns.make_uts(rest), "mount": mount}
        else:
            mount = os.dup(self._fabric.hosts[rest].mount)
            self._made[name] = {"uts": podns.make_uts(rest), "mount": mount}

    def forget(self, name: str) -> None:
        """Gives back what was made for a pod that goes."""
        for descriptor in self._made.pop(name, {}).values():
            os.close(descriptor)

    def enter(self, name: str, container: str | None) -> tuple[dict[str, str], join.Descriptors]:
        """The variables and the namespaces of a program in a pod or on a host.

        Args:
            name: Name of the namespace in the plan.
            container: Of a pod; None for its first.

        Raises:
            InputError: There is no such pod, host or container.
        """
        self.netns(name)
        variables = {"PATH": programs.PATH}
        if name.startswith("pod/"):
            variables |= self.program(_key(name), container).environment
        return variables, self.namespaces(name)

    def program(self, key: Key, container: str | None) -> Program:
        """What a container of a pod runs.

        Raises:
            InputError: There is no such pod or container.
        """
        runtime = self._runtime(key)
        known = [c.program for c in (*runtime.containers, *runtime.init)]
        return programs.named(known, container, key[1])

    def _runtime(self, key: Key) -> PodRuntime:
        found = self._pod(key)
        if found is None:
            raise _not_found(f"pod/{key[0]}/{key[1]}")
        return found


def _not_found(name: str) -> InputError:
    kind, _, rest = name.partition("/")
    if kind != "pod":
        return InputError(f"this lab has no {kind} {rest!r}")
    namespace, pod = _key(name)
    return InputError(f"pod {pod!r} not found in namespace {namespace!r}")


def _key(name: str) -> Key:
    _, namespace, pod = name.split("/")
    return namespace, pod
