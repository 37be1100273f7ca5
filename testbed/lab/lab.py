"""A lab from inside: the desired state, and what makes it so. Lives in the daemon."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from testbed import cluster as clusters
from testbed import spec as specs
from testbed.cluster.discovery import Discovery
from testbed.cluster.model import BoundPod
from testbed.dns import addon
from testbed.errors import LabError
from testbed.lab import announce, apiserver, controller, hosts, nodeinfo, programs, status, words
from testbed.lab.apiserver import ApiServer
from testbed.lab.births import Births
from testbed.lab.egress import EgressGateways
from testbed.lab.entries import Entries
from testbed.lab.executor import Executor
from testbed.lab.fabric import Fabric
from testbed.lab.faults import Faults
from testbed.lab.ingresses import Ingresses
from testbed.lab.kubelet import Key, Kubelet, PodRuntime
from testbed.lab.kubeproxies import KubeProxies
from testbed.lab.ledger import Ledger
from testbed.lab.loadbalancers import LoadBalancers
from testbed.lab.netns import NetNs
from testbed.lab.ports import ports
from testbed.lab.proxies import Proxies
from testbed.lab.services import PLURALS, Services
from testbed.lab.view import LabView
from testbed.lab.watch import Watch
from testbed.objects import Object
from testbed.plan import build
from testbed.plan.diff import diff
from testbed.plan.model import FABRIC, Plan
from testbed.spec import Spec

CONTROLLER = 10.0
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
        spec: What it is to be now; ``apply`` and ``delete`` change it.
        kubelet: The pods' processes.
        entries: The ways into pods and hosts, once the lab is built.
        faults: What of it has failed, once it is built.
        services: Its Services' endpoints.
        born: When it was made.
        leaving: Pods that are being ended, since when, and their containers.
        ledger: The versions of its objects.
        api: Its Kubernetes API.
        ingresses: What its ingress controllers serve.
    """

    def __init__(self, name: str, spec: Spec) -> None:
        self.name, self.spec = name, spec
        self.kubelet = Kubelet()
        self._executor = Executor()
        self._changing = threading.Lock()
        self._plan = Plan()
        self.born = _now()
        self._births = Births(self.born)
        self.services = Services(_now)
        self.leaving: dict[Key, tuple[str, PodRuntime]] = {}
        self.ledger = Ledger(LabView(self))
        self.api = ApiServer(self.ledger)
        self.kubelet.listener = self._told
        self._proxies = self._make_proxies()
        self._kube_proxies: KubeProxies | None = None
        self.ingresses = Ingresses(
            self._executor, self.ledger, self.api, lambda: dict(self.kubelet.pods)
        )
        cluster, watch = spec.cluster, Watch(self._executor, spec.cluster.nodes)
        self._load_balancers = LoadBalancers(cluster, self._executor, self._discover, watch)
        self._egress = EgressGateways(self._executor, watch, cluster.nodes, self._without)

    def bring_up(self, progress: Callable[[str], None]) -> None:
        """Builds the fabric, carries out the plan, and starts daemons and pods.

        Raises:
            LabError: The kernel refuses something, or a daemon does not start.
        """
        progress("fabric")
        private = hosts.prepare(self.spec.plan)
        fabric = Fabric(self.spec.topology, private)
        self.entries = Entries(self._executor, self.kubelet, fabric, self._resolv_conf)
        known = self._executor.namespaces
        known[FABRIC] = NetNs(FABRIC, os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        for host in self.spec.topology.hosts:
            name = f"{host.role}/{host.name}"
            known[name] = NetNs(name, fabric.hosts[host.name].net)
        progress(f"network of {len(self.spec.cluster.pods)} pods")
        self._enact(self.spec)
        progress("daemons")
        nodes = [node.namespace for node in self.spec.cluster.nodes]
        for door in apiserver.doors(self._executor, nodes):
            self.api.add(door)
        self.api.start()  # daemons may ask it
        daemons = hosts.Daemons(fabric)
        daemons.start(self.spec.plan)
        self._kube_proxies = KubeProxies(self._executor, self.ledger, self.api, daemons)
        if self.spec.topology.openvswitches:
            controller.settle(CONTROLLER)  # wait() says what is wrong if it does not
            announce.hosts(self.spec.topology, self._executor)
        self.faults = Faults(self.spec.topology, lambda: self._plan, self._executor, daemons)

    def _resolv_conf(self, bound: BoundPod) -> str:
        """The text of a pod's ``/etc/resolv.conf``."""
        return addon.resolv_conf(self.spec.cluster, bound).text

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
        return ports(self.spec.topology, self._executor)

    def wait(self, seconds: float, silence: float = 0.0) -> list[str]:
        """Waits for routes and pods; what is not as it should be when the time is over.

        With ``silence`` no route must have come or gone for so many seconds.
        """
        expected = build.expects(self.spec.cluster, self.spec.mode)
        missing = self._executor.wait_for_routes(expected, seconds, silence)
        problems = [
            f"{name} has no route to {', '.join(routes)} (see `testbed exec {name} -- vtysh -c "
            "'show bgp summary'`)"
            for name, routes in missing.items()
        ]
        if self.spec.topology.openvswitches:
            problems += controller.settle(seconds)
        problems += [words.not_ready(pod) for pod in self.kubelet.wait_ready(seconds)]
        self._flush()
        self._egress.start()
        try:
            self.ingresses.flush(self.spec.cluster)
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
            before = self.spec.cluster
            started = self._enact(self.spec.with_cluster(specs.apply(before, given)))
            after = self.spec.cluster
        self._settle(started)
        return [f"{words.title(item)} {words.verb(before, after, item)}" for item in given]

    def delete(self, keys: list[tuple[str, str, str]]) -> list[str]:
        """Deletes objects by kind, namespace and name; what was deleted, as kubectl says it.

        Raises:
            InputError: One does not exist; nothing was changed.
            LabError: The kernel refuses something.
        """
        with self._changing:
            started = self._enact(self.spec.with_cluster(clusters.delete(self.spec.cluster, keys)))
        self._settle(started)
        return [f'{words.resource(kind)} "{name}" deleted' for kind, _, name in keys]

    def _settle(self, started: list[PodRuntime]) -> None:
        """Waits for the probes of new pods, and until the proxies know what became of them."""
        if any(pod.open for pod in started):
            self.kubelet.wait_settled(started, SETTLE)
            self._flush()
        self.ingresses.flush(self.spec.cluster)

    def _enact(self, new: Spec) -> list[PodRuntime]:
        """Makes the lab what ``new`` says: pods that go are ended first, new ones started last.

        Returns:
            The pods that were started.
        """
        old_pods, plan = self.kubelet.pods, new.plan
        pods = new.cluster.pods
        gone = [
            key
            for key, running in old_pods.items()
            if key not in pods or not _same(running.bound, pods[key])
        ]
        self.leaving = {key: (_now(), old_pods[key]) for key in gone}
        self.kubelet.leave(gone)
        self.kubelet.notify()
        self.ledger.record("pods")  # that they are being ended
        self.services_changed()
        self.kubelet.stop(gone)
        for key in gone:
            self.entries.forget(f"pod/{key[0]}/{key[1]}")
        change = diff(self._plan, plan)
        self._executor.apply(change)
        self._egress.enacted(plan, new.cluster)
        fresh = [pod for key, pod in pods.items() if key not in self.kubelet.pods]
        births = self._births.with_cluster(new.cluster, fresh, _now())
        self._births = self._births.and_of(births)  # somebody may still look at the old ones
        self._plan, self.spec, self.leaving = plan, new, {}
        self._births = births
        for key, running in self.kubelet.pods.items():
            running.bound = pods[key]
        started = [self._runtime(pod) for pod in fresh]
        self.kubelet.start(started)
        self._discover()
        self.api.notify()
        self._flush()
        return started

    def _without(self, dead: frozenset[str]) -> None:
        """Has other nodes do what these nodes did, as far as that is planned."""
        with self._changing:
            if dead == self.spec.cluster.dead:
                return
            new = self.spec.with_cluster(replace(self.spec.cluster, dead=dead))
            self._executor.apply(diff(self._plan, new.plan))
            self._plan, self.spec = new.plan, new
            self._egress.enacted(new.plan, new.cluster)

    def _make_proxies(self) -> Proxies:
        programs = self.spec.programs() if self.spec.proxy_mode.needs else {}
        return Proxies(programs, self._executor, self._discover)

    def _flush(self) -> None:
        """Waits until proxies and load balancers have done what the Services ask for now."""
        self._proxies.flush()
        self._load_balancers.flush()
        if self._kube_proxies is not None:
            self._kube_proxies.flush()

    def _discover(self) -> Discovery:
        """The Services and their endpoints as they are now."""
        return self.services.update(self.spec.cluster, self._runtimes())

    def _runtimes(self) -> dict[Key, PodRuntime]:
        """The containers of all pods that run, also of those that are being ended."""
        leaving = {key: runtime for key, (_, runtime) in self.leaving.items()}
        return leaving | dict(self.kubelet.pods)

    def services_changed(self) -> None:
        """To be called when endpoints may have changed; the proxies look at them soon."""
        self._proxies.wake()
        self.api.notify()
        self._load_balancers.wake()

    def _told(self) -> None:
        """A container's state has changed."""
        self.services_changed()

    def _runtime(self, bound: BoundPod) -> PodRuntime:
        node = self.spec.cluster.node(bound.node).namespace
        return PodRuntime(
            bound,
            programs.of_pod(bound, self._pod(bound.key)),
            lambda: self.entries.namespaces(bound.namespace),
            self.kubelet.notify,
            lambda: self.entries.netns(node),
            self.kubelet.site,
        )

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
        path = self.entries.program(key, container).log
        return path.read_text(errors="replace") if path.exists() else ""

    def created(self, key: Key, kind: str = "Pod") -> str:
        """When an object was made; of a pod or another kind that does not come with the lab."""
        return self._births.created(kind, key)

    def _uid(self, pod: Key) -> str:
        return status.uid("Pod", *pod, self.created(pod))

    def _pod(self, key: Key) -> dict[str, Any]:
        cluster = self.spec.cluster
        bound, runtime = cluster.pods[key], self.kubelet.pods.get(key)
        return status.pod(cluster, bound, runtime, self.created(key), self.owner_uid(bound))

    def owner_uid(self, bound: BoundPod) -> str:
        """The UID of the Deployment that a pod belongs to; empty if it belongs to none."""
        if bound.owner is None:
            return ""
        namespace = bound.key[0]
        created = self.created((namespace, bound.owner), "Deployment")
        return status.uid("Deployment", namespace, bound.owner, created)

    def objects(self, plural: str) -> list[dict[str, Any]]:
        """All objects of a kind, with status.

        Args:
            plural: ``pods``, ``nodes``, ``namespaces``, ``deployments``, ``services``,
                ``endpoints``, ``endpointslices`` or one of :data:`testbed.lab.status.KEPT`.
        """
        cluster = self.spec.cluster
        if plural in PLURALS:
            return self.services.objects(plural, cluster, self._runtimes(), self._uid)
        if plural == "pods":
            return [self._pod(key) for key in cluster.pods]
        if plural == "nodes":
            return [status.node(cluster, n, self.born, nodeinfo.info()) for n in cluster.nodes]
        if plural == "namespaces":
            return [
                status.namespace(item.manifest, self.created(("", name), "Namespace"))
                for name, item in cluster.namespaces.items()
            ]
        if plural in status.KEPT:
            kept = status.kept(cluster, plural)
            at = self.ingresses.addresses
            return [
                status.as_kept(o, self.created(key, o.kind), at(cluster, key))
                for key, o in kept.items()
            ]
        owned: dict[tuple[str, str | None], list[PodRuntime]] = {}
        for runtime in list(self.kubelet.pods.values()):
            owned.setdefault((runtime.bound.key[0], runtime.bound.owner), []).append(runtime)
        return [
            status.deployment(item, owned.get(key, []), self.created(key, "Deployment"))
            for key, item in cluster.deployments.items()
        ]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _same(running: BoundPod, wanted: BoundPod) -> bool:
    return (running.node, running.address) == (wanted.node, wanted.address)
