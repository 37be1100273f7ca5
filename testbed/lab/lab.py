"""A lab from inside: the desired state, and what makes it so. Lives in the daemon."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from testbed import cluster as clusters
from testbed import spec as specs
from testbed.cluster.model import BoundPod
from testbed.dns import addon
from testbed.errors import LabError
from testbed.kernel.executor import Executor
from testbed.kernel.netns import NetNs
from testbed.kubelet import programs
from testbed.kubelet.kubelet import Key, PodRuntime
from testbed.lab import announce, apiserver, controller, hosts, words
from testbed.lab.apiserver import ApiServer
from testbed.lab.egress import EgressGateways
from testbed.lab.entries import Entries
from testbed.lab.fabric import Fabric
from testbed.lab.faults import Faults
from testbed.lab.ingresses import Ingresses
from testbed.lab.kubeproxies import KubeProxies
from testbed.lab.ledger import Ledger
from testbed.lab.loadbalancers import LoadBalancers
from testbed.lab.ports import ports
from testbed.lab.proxies import Proxies
from testbed.lab.state import State, now
from testbed.lab.view import LabView
from testbed.lab.watch import Watch
from testbed.objects import Object
from testbed.plan import build
from testbed.plan.diff import diff
from testbed.plan.model import FABRIC, Plan
from testbed.spec import Spec

CONTROLLER = 30.0
"""Seconds that an SDN controller has to program its switches before hosts announce themselves."""

SETTLE = 30.0
"""Seconds that ``apply`` gives new pods until they are ready, or a probe says that they are not."""

SILENCE = 0.25
"""Seconds without news of routes after which the daemons have done with what happened."""


class Lab:
    """A lab that runs, or is about to.

    Args:
        name: Its name.
        spec: What it shall be.

    Attributes:
        state: What it is now.
        entries: The ways into pods and hosts, once the lab is built.
        faults: What of it has failed, once it is built.
        ledger: The versions of its objects.
        api: Its Kubernetes API.
    """

    def __init__(self, name: str, spec: Spec) -> None:
        self.name, self.state = name, State(spec)
        self._executor = Executor()
        self._changing = threading.Lock()
        self._plan = Plan()
        self._view = LabView(self.state)
        self.ledger = Ledger(self._view)
        self.api = ApiServer(self.ledger)
        self.state.kubelet.listener = self._services_changed
        self._proxies = self._make_proxies()
        self._kube_proxies: KubeProxies | None = None
        self._ingresses = Ingresses(self._executor, self.ledger, self.api, self.state)
        cluster, watch = spec.cluster, Watch(self._executor, spec.cluster.nodes)
        self._load_balancers = LoadBalancers(cluster, self._executor, self.state.discover, watch)
        self._egress = EgressGateways(self._executor, watch, cluster.nodes, self._without)

    def bring_up(self, progress: Callable[[str], None]) -> None:
        """Builds the fabric, carries out the plan, and starts daemons and pods.

        Raises:
            LabError: The kernel refuses something, or a daemon does not start.
        """
        spec = self.state.spec
        progress("fabric")
        private = hosts.prepare(spec.plan)
        fabric = Fabric(spec.topology, private)
        self.entries = Entries(self._executor, self.state.runtime, fabric, self._resolv_conf)
        known = self._executor.namespaces
        known[FABRIC] = NetNs(FABRIC, os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        for host in spec.topology.hosts:
            name = f"{host.role}/{host.name}"
            known[name] = NetNs(name, fabric.hosts[host.name].net)
        progress(f"network of {len(spec.cluster.pods)} pods")
        self._enact(spec)
        progress("daemons")
        nodes = [node.namespace for node in spec.cluster.nodes]
        for door in apiserver.doors(self._executor, nodes):
            self.api.add(door)
        self.api.start()  # daemons may ask it
        daemons = hosts.Daemons(fabric)
        daemons.start(spec.plan)
        self._kube_proxies = KubeProxies(self._executor, self.ledger, self.api, daemons)
        if spec.topology.openvswitches:
            controller.settle(CONTROLLER)  # wait() says what is wrong if it does not
            announce.hosts(spec.topology, self._executor)
        self.faults = Faults(spec.topology, lambda: self._plan, self._executor, daemons)

    def _resolv_conf(self, bound: BoundPod) -> str:
        """The text of a pod's ``/etc/resolv.conf``."""
        return addon.resolv_conf(self.state.spec.cluster, bound).text

    def settle(self, seconds: float) -> list[str]:
        """Waits until the lab is as it should be after a repair; what is not, if time is over.

        Daemons that act on a failure or on its repair do so one after the other, so routes must
        also have stayed for :data:`SILENCE` seconds, and as long as sessions may still end.
        """
        failed = [f"{kind} {target} has failed" for kind, target in self.faults.open]
        return failed + self.wait(seconds, max(SILENCE, self.faults.uncertain))

    @property
    def programmed(self) -> tuple[float, float, float] | None:
        """When the proxies last did something (:attr:`testbed.lab.proxies.Proxies.last`)."""
        return self._proxies.last

    def ports(self) -> list[dict[str, Any]]:
        """The counters of both ends of every link (:mod:`testbed.lab.ports`)."""
        return ports(self.state.spec.topology, self._executor)

    def wait(self, seconds: float, silence: float = 0.0) -> list[str]:
        """Waits for routes and pods; what is not as it should be when the time is over.

        With ``silence`` no route must have come or gone for so many seconds.
        """
        expected = build.expects(self.state.spec.cluster, self.state.spec.mode)
        missing = self._executor.wait_for_routes(expected, seconds, silence)
        problems = [
            f"{name} has no route to {', '.join(routes)} (see `testbed exec {name} -- vtysh -c "
            "'show bgp summary'`)"
            for name, routes in missing.items()
        ]
        if self.state.spec.topology.openvswitches:
            problems += controller.settle(seconds)
        problems += [words.not_ready(pod) for pod in self.state.kubelet.wait_ready(seconds)]
        self._flush()
        self._egress.start()
        try:
            self._ingresses.flush()
        except LabError as error:
            problems.append(str(error))
        return problems

    def apply(self, objects: Iterable[Object]) -> list[str]:
        """Makes or changes objects; what happened to each, as kubectl says it.

        Raises:
            InputError: The cluster refuses them; nothing was changed.
            LabError: The kernel refuses something.
        """
        with self._changing:
            given = list(objects)
            before = self.state.spec.cluster
            started = self._enact(self.state.spec.with_cluster(specs.apply(before, given)))
            after = self.state.spec.cluster
        self._settle(started)
        return [f"{words.title(item)} {words.verb(before, after, item)}" for item in given]

    def delete(self, keys: list[tuple[str, str, str]]) -> list[str]:
        """Deletes objects by kind, namespace and name; what was deleted, as kubectl says it.

        Raises:
            InputError: One does not exist; nothing was changed.
            LabError: The kernel refuses something.
        """
        with self._changing:
            spec = self.state.spec
            started = self._enact(spec.with_cluster(clusters.delete(spec.cluster, keys)))
        self._settle(started)
        return [f'{words.resource(kind)} "{name}" deleted' for kind, _, name in keys]

    def _settle(self, started: list[PodRuntime]) -> None:
        """Waits for the probes of new pods, and until the proxies know what became of them."""
        if any(pod.open for pod in started):
            self.state.kubelet.wait_settled(started, SETTLE)
            self._flush()
        self._ingresses.flush()

    def _enact(self, new: Spec) -> list[PodRuntime]:
        """Makes the lab what ``new`` says: pods that go are ended first, new ones started last.

        Returns:
            The pods that were started.

        Raises:
            LabError: The kernel refuses something; all is as before, but for pods that had been
                ended, which are new ones of the same name.
        """
        self._end_others(new)
        try:
            self._carry_out(new)
        except LabError:
            if self.state.spec is not new:  # else it is being brought up
                self._begin(self.state.spec)
            raise
        return self._begin(new)

    def _end_others(self, new: Spec) -> None:
        """Ends the pods that ``new`` has not, or elsewhere."""
        state, pods = self.state, new.cluster.pods
        kubelet, old_pods = state.kubelet, state.kubelet.pods
        gone = [
            key
            for key, running in old_pods.items()
            if key not in pods or not _same(running.bound, pods[key])
        ]
        state.leaving = {key: (now(), old_pods[key]) for key in gone}
        kubelet.leave(gone)
        kubelet.notify()
        self.ledger.record("pods")  # that they are being ended
        self._services_changed()
        kubelet.stop(gone)

    def _begin(self, new: Spec) -> list[PodRuntime]:
        """Starts the pods that ``new`` has and the lab has not; its network is there."""
        state, pods = self.state, new.cluster.pods
        kubelet = state.kubelet
        fresh = [pod for key, pod in pods.items() if key not in kubelet.pods]
        births = state.births.with_cluster(new.cluster, fresh, now())
        state.births = state.births.and_of(births)  # somebody may still look at the old ones
        for namespace, name in state.leaving:
            self.entries.forget(f"pod/{namespace}/{name}")
        state.spec, state.leaving = new, {}
        state.births = births
        for key, running in kubelet.pods.items():
            running.bound = pods[key]
        started = [self._runtime(pod) for pod in fresh]
        kubelet.start(started)
        state.discover()
        self.api.notify()
        self._flush()
        return started

    def _carry_out(self, new: Spec) -> None:
        """Makes the kernel what a spec plans."""
        self._executor.apply(diff(self._plan, new.plan))
        self._plan = new.plan
        self._egress.enacted(new.plan, new.cluster)

    def _without(self, dead: frozenset[str]) -> None:
        """Has other nodes do what these nodes did, as far as that is planned."""
        with self._changing:
            old = self.state.spec
            if dead != old.cluster.dead:
                new = old.with_cluster(replace(old.cluster, dead=dead))
                self._carry_out(new)
                self.state.spec = new

    def _make_proxies(self) -> Proxies:
        spec = self.state.spec
        programs = spec.programs() if spec.proxy_mode.needs else {}
        return Proxies(programs, self._executor, self.state.discover)

    def _flush(self) -> None:
        """Waits until proxies and load balancers have done what the Services ask for now."""
        self._proxies.flush()
        self._load_balancers.flush()
        if self._kube_proxies is not None:
            self._kube_proxies.flush()

    def _services_changed(self) -> None:
        """Endpoints may have changed; the proxies look at them soon."""
        self._proxies.wake()
        self.api.notify()
        self._load_balancers.wake()

    def _runtime(self, bound: BoundPod) -> PodRuntime:
        node = self.state.spec.cluster.node(bound.node).namespace
        return PodRuntime(
            bound,
            programs.of_pod(bound, self._view.pod(bound.key)),
            lambda: self.entries.namespaces(bound.namespace),
            self.state.kubelet.notify,
            lambda: self.entries.netns(node),
            self.state.kubelet.site,
        )

    def processes(self) -> dict[str, dict[str, int]]:
        """``NAMESPACE/POD`` → container → its process, as the sandbox numbers it.

        Containers that run no process, now or at all, are not in it.
        """
        found = {
            "/".join(key): {c.program.name: c.pid for c in pod.containers if c.pid is not None}
            for key, pod in list(self.state.kubelet.pods.items())
        }
        return {name: processes for name, processes in found.items() if processes}

    def log_of(self, key: Key, container: str | None) -> str:
        """What a container's process printed.

        Raises:
            InputError: There is no such pod or container.
        """
        path = self.entries.program(key, container).log
        return path.read_text(errors="replace") if path.exists() else ""


def _same(running: BoundPod, wanted: BoundPod) -> bool:
    return (running.node, running.address) == (wanted.node, wanted.address)
