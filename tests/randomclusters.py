"""Histories of random clusters: Services of all kinds with their endpoints, by a seed.

Each cluster is made from the one before by ``apply`` and ``delete``, as a lab does it: Services
come, change and go, and so do their EndpointSlices, most of which are written by hand so that
conditions, nodes and hints can be anything. Some Services select pods instead, whose slices are the
controllers' work, with the readiness of the pods and hints by ``trafficDistribution``.

What no two Services share here: addresses and node ports, which are never used again either. Of
two Services with one address kube-proxy takes either, by the order of a Go map.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from testbed.cluster import delete
from testbed.cluster.backends import PodStatus, Statuses
from testbed.cluster.model import Cluster
from testbed.objects import Object, from_manifest
from testbed.spec import apply, resolve

Json = dict[str, Any]
NAMESPACES = ("default", "ns-1", "ns-2")
NODES = ("n1", "n2", "n3", None)
ZONES = ("a", "b")
APPS = ("a", "b", "c")
KINDS = ("ClusterIP", "NodePort", "LoadBalancer", "headless", "ExternalName")
RANGES = (
    ["0.0.0.0/0", "10.0.0.0/8"],
    ["192.168.1.0/24"],
    ["203.0.113.0/25", "10.0.0.0/8"],
    [" 198.18.0.0/15 ", "192.168.1.11/32"],
    ["2001:db8::/32"],
)
"""None of them overlap: nft writes what it has merged otherwise, and old ones refuse it."""

AFFINITY = 10800, 60, 1


@dataclass
class Written:
    """A Service as it was written last.

    Attributes:
        number: What is its own alone follows from this.
        namespace: Where it is.
        kind: One of :data:`KINDS`.
        app: The pods that it selects; empty if its slices are written by hand.
        affinity: Its affinity's seconds, or 0; they only change by way of 0.
        slices: How many of its slices there are.
        ports: Its ports.
    """

    number: int
    namespace: str
    kind: str
    app: str
    affinity: int = 0
    slices: int = 0
    ports: list[Json] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Some are as long as can be."""
        return f"s{self.number}" + ("-" + "x" * 55 if self.number % 7 == 0 else "")


class History:
    """Clusters, each made from the one before.

    Args:
        seed: For the random numbers, and part of the addresses.
        cluster: The first one; it may have Services, but none of a seed that is this one.
        protocols: Of ports.
        services: How many Services there are, about.
    """

    def __init__(
        self, seed: int, cluster: Cluster, protocols: tuple[str, ...], services: int = 12
    ) -> None:
        self._random, self._seed = Random(seed), seed  # noqa: S311 - no secret
        self._protocols, self._services = protocols, services
        self._number = 0
        self._all: list[Written] = []
        self.cluster = cluster

    def steps(self, count: int) -> Iterator[tuple[Cluster, Statuses]]:
        """So many clusters, and how their pods do."""
        gone = [("Service", *key) for key in self.cluster.services]
        gone += [("EndpointSlice", *key) for key in self.cluster.endpoint_slices]
        self._delete(*gone)
        self._apply(*map(_namespace, NAMESPACES[1:]), *self._pods())
        for _ in range(count):
            self._step()
            yield self.cluster, self._statuses()

    def _step(self) -> None:
        some = self._random.sample(self._all, len(self._all) // 5)
        self._delete(*(("Service", one.namespace, one.name) for one in some))
        for one in some:
            self._all.remove(one)
            if self._maybe(0.7):  # slices outlive their Service for a while
                self._cut(one, 0)
        for one in self._random.sample(self._all, len(self._all) // 3):
            self._turn(one)
            self._apply(self._service(one))
        for one in self._random.sample(self._all, len(self._all) // 2):
            self._reslice(one)
        while len(self._all) < self._random.randrange(1, 2 * self._services):
            self._new()

    def _new(self) -> None:
        self._number += 1
        kind = self._random.choices(KINDS, (30, 25, 30, 8, 7))[0]
        app = self._random.choice(APPS) if self._maybe(0.25) else ""
        one = Written(self._seed * 200 + self._number, self._choice(NAMESPACES), kind, app)
        if kind == "ExternalName":
            one.app = ""
        self._all.append(one)
        if self._maybe(0.5):  # endpoints may be known before their Service
            self._reslice(one)
            self._apply(self._service(one))
        else:
            self._apply(self._service(one))
            self._reslice(one)

    def _turn(self, one: Written) -> None:
        """Makes a Service one of another type, now and then."""
        if one.kind in KINDS[:3] and self._maybe(0.2):
            one.kind, one.ports = self._choice(KINDS[:3]), []

    def _service(self, one: Written) -> Object:
        self._renumber(one)
        metadata: Json = {"name": one.name, "namespace": one.namespace}
        if one.kind == "ExternalName":
            spec: Json = {"type": "ExternalName", "externalName": f"x{one.number}.example.org"}
            return _made("v1", "Service", metadata, spec=spec)
        if self._maybe(0.05):
            metadata["labels"] = {"service.kubernetes.io/service-proxy-name": "another"}
        spec = {"ports": one.ports, "internalTrafficPolicy": self._policy(0.2)}
        spec |= {"selector": {"app": one.app}} if one.app else {}
        if self._maybe(0.3):
            spec["trafficDistribution"] = self._choice(("PreferClose", "PreferSameNode"))
        spec["publishNotReadyAddresses"] = self._maybe(0.1)
        if one.kind == "headless":
            return _made("v1", "Service", metadata, spec={**spec, "clusterIP": "None"})
        spec |= {"clusterIP": self._address(one, "10.96"), "type": one.kind}
        self._outside(one, metadata, spec)
        one.affinity = 0 if one.affinity else self._choice((0, 0, 0, *AFFINITY))
        if one.affinity:
            spec["sessionAffinity"] = "ClientIP"
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": one.affinity}}
        return _made("v1", "Service", metadata, spec=spec)

    def _outside(self, one: Written, metadata: Json, spec: Json) -> None:
        """By which addresses it is reached from outside."""
        if self._maybe(0.3):
            spec["externalIPs"] = [self._address(one, "203.1"), self._address(one, "203.2")]
            del spec["externalIPs"][self._random.randrange(1, 3) :]
        if one.kind == "LoadBalancer":
            texts = [self._address(one, "198.18"), self._address(one, "198.19")]
            del texts[self._random.randrange(1, 3) :]
            if one.number % 5:
                metadata["annotations"] = {"metallb.io/loadBalancerIPs": ",".join(texts)}
            else:
                spec["loadBalancerClass"] = "example.org/of-nobody"  # has no address
            if self._maybe(0.4):
                spec["loadBalancerSourceRanges"] = self._choice(RANGES)
            spec["allocateLoadBalancerNodePorts"] = False
        if one.kind != "ClusterIP" or "externalIPs" in spec:
            spec["externalTrafficPolicy"] = self._policy(0.4)
            if one.kind == "LoadBalancer" and spec["externalTrafficPolicy"] == "Local":
                spec["healthCheckNodePort"] = 32410 + one.number % 350

    def _renumber(self, one: Written) -> None:
        """One to three ports; the first time, and now and then anew."""
        if one.ports and self._maybe(0.7):
            return
        count = self._random.choice((1, 1, 2, 3))
        names = self._random.sample(("http", "dns", "metrics", "p-4"), count)
        numbers = self._random.sample((53, 80, 443, 8080), count)
        if count == 1 and self._maybe(0.5):
            names = [""]
        given = enumerate(zip(names, numbers, strict=True))
        one.ports = [self._port(one, index, *pair) for index, pair in given]

    def _port(self, one: Written, index: int, name: str, number: int) -> Json:
        port: Json = {"port": number, "protocol": self._choice(self._protocols)}
        port |= {"name": name} if name else {}
        if one.app:
            port["targetPort"] = self._choice((8080, "web", "other"))
        if one.kind == "NodePort" or (one.kind == "LoadBalancer" and self._maybe(0.5)):
            port["nodePort"] = 30000 + one.number % 800 * 3 + index
        return port

    def _reslice(self, one: Written) -> None:
        """Writes the Service's slices anew, if they are written by hand."""
        if one.app or one.kind == "ExternalName":
            return
        count, addresses = self._random.choice((0, 1, 1, 1, 2)), iter(self._addresses())
        for index in range(count):
            self._apply(self._slice(one, index, addresses))
        self._cut(one, count)

    def _cut(self, one: Written, count: int) -> None:
        """Deletes those of a Service's slices that are too many."""
        names = (f"{one.name}-{index}" for index in range(count, one.slices))
        self._delete(*(("EndpointSlice", one.namespace, name) for name in names))
        one.slices = count

    def _addresses(self) -> list[str]:
        found = self._random.sample(range(10, 250), 12)
        return [f"10.244.{self._random.randrange(1, 4)}.{number}" for number in found]

    def _slice(self, one: Written, index: int, addresses: Iterator[str]) -> Object:
        one.slices = max(one.slices, index + 1)
        kept = [port for port in one.ports if self._maybe(0.9)]
        ports = [
            {"name": p.get("name", ""), "protocol": p["protocol"], "port": 9000 + p["port"] + index}
            for p in kept
        ]
        ports += [{"name": "unknown", "port": 9}] if self._maybe(0.1) else []
        six = (one.number + index) % 11 == 0  # an address type never changes
        hinted = self._choice(("", "", "", "zones", "nodes", "some"))
        ends = [self._end(next(addresses), hinted) for _ in range(self._random.randrange(6))]
        if six:
            ends = [{**end, "addresses": [f"fd00::{i + 1}"]} for i, end in enumerate(ends)]
        metadata = {
            "name": f"{one.name}-{index}",
            "namespace": one.namespace,
            "labels": {"kubernetes.io/service-name": one.name},
        }
        kind = "IPv6" if six else "IPv4"
        version = "discovery.k8s.io/v1"
        return _made(
            version, "EndpointSlice", metadata, addressType=kind, ports=ports, endpoints=ends
        )

    def _end(self, address: str, hinted: str) -> Json:
        node = self._choice(NODES)
        end: Json = {"addresses": [address], "conditions": self._conditions()}
        end |= {"nodeName": node} if node else {}
        hint = self._choice(("zones", "nodes", "")) if hinted == "some" else hinted
        if hint == "zones":
            end["hints"] = {"forZones": [{"name": self._choice(ZONES)}]}
        elif hint == "nodes":
            end["hints"] = {"forNodes": [{"name": self._choice(("n1", "n2"))}]}
        return end

    def _conditions(self) -> Json:
        if self._maybe(0.5):
            some: Json = self._choice(({}, {"ready": True}, {"ready": True, "serving": True}))
            return some
        found = {key: self._maybe(0.5) for key in ("ready", "serving", "terminating")}
        return {key: value for key, value in found.items() if self._maybe(0.9)}

    def _pods(self) -> Iterator[Object]:
        """Two of each app, on any node; those that are there from an earlier history stay."""
        for app in APPS:
            for index in range(2):
                if ("default", f"{app}-{index}") in self.cluster.pods:
                    continue
                for namespace in NAMESPACES:
                    ports = [{"name": "web", "containerPort": 8000 + index}]
                    container = {"name": "c", "image": "pause", "ports": ports}
                    metadata: Json = {"name": f"{app}-{index}", "namespace": namespace}
                    metadata |= {"labels": {"app": app}}
                    yield _made("v1", "Pod", metadata, spec={"containers": [container]})

    def _statuses(self) -> Statuses:
        keys = [key for key in sorted(self.cluster.pods) if self._maybe(0.3)]
        return {key: PodStatus(ready=False) for key in keys}

    def _apply(self, *objects: Object) -> None:
        self.cluster = apply(self.cluster, objects)

    def _delete(self, *keys: tuple[str, str, str]) -> None:
        self.cluster = delete(self.cluster, keys)

    def _address(self, one: Written, start: str) -> str:
        return f"{start}.{one.number // 200}.{one.number % 200 + 20}"

    def _policy(self, local: float) -> str:
        return "Local" if self._maybe(local) else "Cluster"

    def _maybe(self, chance: float) -> bool:
        return self._random.random() < chance

    def _choice(self, some: Any) -> Any:
        return self._random.choice(some)


def empty() -> Cluster:
    """Three nodes in two zones, without Services."""
    return resolve("twozone", chosen={"nodes": "3"}, proxy="iptables").cluster


def _namespace(name: str) -> Object:
    return _made("v1", "Namespace", {"name": name})


def _made(version: str, kind: str, metadata: Json, **more: Any) -> Object:
    return from_manifest({"apiVersion": version, "kind": kind, "metadata": metadata, **more})
