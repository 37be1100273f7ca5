"""A lab from inside: the desired state, and what makes it so. Lives in the daemon."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from testbed import cluster as clusters
from testbed import spec as specs
from testbed.cluster.model import BoundPod
from testbed.errors import InputError
from testbed.lab import hosts, join, podns, programs, status
from testbed.lab.containers import Program
from testbed.lab.executor import Executor
from testbed.lab.fabric import Fabric
from testbed.lab.kubelet import Key, Kubelet, PodRuntime
from testbed.lab.netns import NetNs
from testbed.lab.sandbox import STATE
from testbed.objects import Object
from testbed.plan import build
from testbed.plan.diff import diff
from testbed.plan.model import FABRIC, Plan
from testbed.spec import Spec

_PODS = STATE / "pods"


class Lab:
    """A lab that runs, or is about to.

    Args:
        name: Its name.
        spec: What it shall be.

    Attributes:
        spec: What it is to be now; ``apply`` and ``delete`` change it.
        kubelet: The pods' processes.
    """

    def __init__(self, name: str, spec: Spec) -> None:
        self.name, self.spec = name, spec
        self.kubelet = Kubelet()
        self._executor = Executor()
        self._changing = threading.Lock()
        self._plan = Plan()
        self._born = _now()
        self._created: dict[Key, str] = {}
        self._environments: dict[str, join.Descriptors] = {}

    def bring_up(self, progress: Callable[[str], None]) -> None:
        """Builds the fabric, carries out the plan, and starts daemons and pods.

        Raises:
            LabError: The kernel refuses something, or a daemon does not start.
        """
        progress("fabric")
        private = hosts.prepare(self.spec.plan)
        self._fabric = Fabric(self.spec.topology, private)
        self._daemons = hosts.Daemons(self._fabric)
        known = self._executor.namespaces
        known[FABRIC] = NetNs(FABRIC, os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        for host in self.spec.topology.hosts:
            name = f"{host.role}/{host.name}"
            known[name] = NetNs(name, self._fabric.hosts[host.name].net)
        progress(f"network of {len(self.spec.cluster.pods)} pods")
        self._enact(self.spec)
        progress("daemons")
        self._daemons.start(self.spec.plan)

    def wait(self, seconds: float) -> list[str]:
        """Waits for routes and pods; what is not as it should be when the time is over."""
        missing = self._executor.wait_for_routes(
            build.expects(self.spec.cluster, self.spec.mode), seconds
        )
        problems = [
            f"{name} has no route to {', '.join(routes)} (see `testbed exec {name} -- vtysh -c "
            "'show bgp summary'`)"
            for name, routes in missing.items()
        ]
        return problems + [_not_ready(pod) for pod in self.kubelet.wait_ready(seconds)]

    def apply(self, objects: Iterable[Object]) -> list[str]:
        """Makes or changes objects; what happened to each, as kubectl says it.

        Raises:
            InputError: The cluster refuses them; nothing was changed.
            LabError: The kernel refuses something.
        """
        with self._changing:
            given = list(objects)
            before = self.spec.cluster
            self._enact(self.spec.with_cluster(specs.apply(before, given)))
            return [f"{_title(item)} {_verb(before, item)}" for item in given]

    def delete(self, keys: list[tuple[str, str, str]]) -> list[str]:
        """Deletes objects by kind, namespace and name; what was deleted, as kubectl says it.

        Raises:
            InputError: One does not exist; nothing was changed.
            LabError: The kernel refuses something.
        """
        with self._changing:
            self._enact(self.spec.with_cluster(clusters.delete(self.spec.cluster, keys)))
            return [f'{kind.lower()} "{name}" deleted' for kind, _, name in keys]

    def _enact(self, new: Spec) -> None:
        """Makes the lab what ``new`` says: pods that go are ended first, new ones started last."""
        old_pods, plan = self.kubelet.pods, new.plan
        pods = new.cluster.pods
        gone = [
            key
            for key, running in old_pods.items()
            if key not in pods or not _same(running.bound, pods[key])
        ]
        self.kubelet.stop(gone)
        for key in gone:
            self._forget(f"pod/{key[0]}/{key[1]}")
        change = diff(self._plan, plan)
        self._executor.apply(change)
        self._plan, self.spec = plan, new
        fresh = [pod for key, pod in pods.items() if key not in self.kubelet.pods]
        for key, running in self.kubelet.pods.items():
            running.bound = pods[key]
        self._created |= {pod.key: _now() for pod in fresh}
        self.kubelet.start([self._runtime(pod) for pod in fresh])

    def _forget(self, namespace: str) -> None:
        for descriptor in self._environments.pop(namespace, {}).values():
            os.close(descriptor)

    def _runtime(self, bound: BoundPod) -> PodRuntime:
        return PodRuntime(
            bound,
            programs.of_pod(bound, self._pod(bound.key)),
            lambda: self._namespaces(bound.namespace),
            self.kubelet.notify,
        )

    def _namespaces(self, name: str) -> join.Descriptors:
        """The descriptors of a namespace's pod or host; a pod's are made on first need."""
        if name not in self._environments:
            self._environments[name] = self._executor.run(lambda: self._make_environment(name))
        return {**self._environments[name], "net": self.netns(name)}

    def _make_environment(self, name: str) -> join.Descriptors:
        if name in self._environments:
            return self._environments[name]
        kind, _, rest = name.partition("/")
        if kind != "pod":
            mount = os.dup(self._fabric.hosts[rest].mount)
            return {"uts": podns.make_uts(rest), "mount": mount}
        bound = self._bound(name)
        folder = _PODS / "_".join(bound.key)
        host = programs.host_name(bound)
        return podns.make(self._executor.namespaces[name], folder, host, bound.address)

    def _bound(self, name: str) -> BoundPod:
        _, namespace, pod = name.split("/")
        running = self.kubelet.pods.get((namespace, pod))
        return running.bound if running else self.spec.cluster.pods[namespace, pod]

    def enter(self, name: str, container: str | None) -> tuple[dict[str, str], list[int]]:
        """The environment and the descriptors to run a program in a pod or on a host.

        Args:
            name: Name of the namespace in the plan.
            container: Of a pod; None for its first.

        Raises:
            InputError: There is no such pod, host or container.
        """
        net = self.netns(name)
        variables = {"PATH": programs.PATH}
        if name.startswith("pod/"):
            _, namespace, pod = name.split("/")
            variables |= self._program((namespace, pod), container).environment
        own = self._namespaces(name)
        return dict(variables), [own["uts"], net, own["mount"]]

    def netns(self, name: str) -> int:
        """The descriptor of a network namespace by its name in the plan.

        Raises:
            InputError: There is no such pod or host.
        """
        if name not in self._executor.namespaces:
            raise InputError(f"lab {self.name!r} has no {name}")
        return self._executor.namespaces[name].descriptor

    def processes(self) -> dict[str, dict[str, int]]:
        """``NAMESPACE/POD`` → container → its process, as the sandbox numbers it.

        Containers that run no process, now or at all, are not in it.
        """
        found = {
            "/".join(key): {c.program.name: c.pid for c in pod.containers if c.pid is not None}
            for key, pod in list(self.kubelet.pods.items())
        }
        return {name: processes for name, processes in found.items() if processes}

    def log_of(self, key: Key, container: str | None) -> str:
        """What a container's process printed.

        Raises:
            InputError: There is no such pod or container.
        """
        if key not in self.kubelet.pods:
            raise InputError(f"pods {key[1]!r} not found in namespace {key[0]!r}")
        path = self._program(key, container).log
        return path.read_text(errors="replace") if path.exists() else ""

    def _program(self, key: Key, container: str | None) -> Program:
        runtime = self.kubelet.pods[key]
        known = [c.program for c in (*runtime.containers, *runtime.init)]
        return programs.named(known, container, key[1])

    def set_link(self, a: str, b: str, *, up: bool) -> None:
        """Takes the link between two hosts or switches down or up, at its first end.

        Raises:
            InputError: There is no such link.
        """
        for link in self.spec.topology.links:
            ends = {link.a: link.a_interface, link.b: link.b_interface}
            if ends.keys() == {a, b}:
                hosts_ = {host.name: host for host in self.spec.topology.hosts}
                name = f"{hosts_[a].role}/{a}" if a in hosts_ else FABRIC
                self._executor.set_device(name, ends[a], up=up)
                return
        raise InputError(f"{self.spec.topology.name} has no link between {a} and {b}")

    def _pod(self, key: Key) -> dict[str, Any]:
        cluster = self.spec.cluster
        created = self._created.get(key, self._born)
        return status.pod(cluster, cluster.pods[key], self.kubelet.pods.get(key), created)

    def objects(self, plural: str) -> list[dict[str, Any]]:
        """All objects of a kind, with status.

        Args:
            plural: ``pods``, ``nodes``, ``namespaces`` or ``deployments``.
        """
        cluster = self.spec.cluster
        if plural == "pods":
            return [self._pod(key) for key in cluster.pods]
        if plural == "nodes":
            kernel = os.uname().release
            return [status.node(cluster, node, self._born, kernel) for node in cluster.nodes]
        if plural == "namespaces":
            return [status.namespace(n.manifest, self._born) for n in cluster.namespaces.values()]
        runtimes = self.kubelet.pods.values()
        return [
            status.deployment(
                item,
                [r for r in runtimes if (r.bound.key[0], r.bound.owner) == key],
                self._created.get(key, self._born),
            )
            for key, item in cluster.deployments.items()
        ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _same(running: BoundPod, wanted: BoundPod) -> bool:
    return (running.node, running.address) == (wanted.node, wanted.address)


def _title(item: Object) -> str:
    group = {"Deployment": "deployment.apps"}.get(item.kind, item.kind.lower())
    return f"{group}/{item.metadata.name}"


def _verb(before: clusters.Cluster, item: Object) -> str:
    key = item.metadata.key
    held: Any = {
        "Pod": lambda: before.pods[key].pod,
        "Deployment": lambda: before.deployments[key],
        "Namespace": lambda: before.namespaces[item.metadata.name],
    }[item.kind]
    try:
        return "unchanged" if held().manifest == item.manifest else "configured"
    except KeyError:
        return "created"


def _not_ready(pod: PodRuntime) -> str:
    """Why a pod is not ready, in the words of its containers' states."""
    found = []
    for container in (*pod.init, *pod.containers):
        for state in (container.state, container.last_state):
            for detail in state.values():
                words = [str(detail[k]) for k in ("reason", "message") if k in detail]
                found += [f"{container.program.name}: {', '.join(words)}"] * bool(words)
    return f"pod {'/'.join(pod.bound.key)} is not ready: {'; '.join(found)}"
