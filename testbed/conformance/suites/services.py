"""The suite ``services``: what Kubernetes promises of Services, by real connections.

It works on any lab with a proxy: for its time it has Services in a namespace ``conformance-…`` of
its own, whose endpoints are sockets in one pod of each of the first three nodes. These pods and all
nodes ask.

====================  ===========================================================================
``cluster-ip-tcp``    pods and nodes reach a cluster IP; between them all endpoints answer, and
                      what pods send comes as from them
``cluster-ip-udp``    the same with datagrams
``node-port``         pods and nodes reach the port on each node's address
``no-endpoints``      a Service without endpoints refuses connections
``hairpin``           a pod reaches itself through a Service
``client-affinity``   with ``sessionAffinity: ClientIP`` a client stays with its endpoint
``internal-local``    ``internalTrafficPolicy: Local``: the node's own endpoint or none
====================  ===========================================================================

Source: kubernetes.io, "Service" and "Virtual IPs and Service Proxies".
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from testbed.conformance import temporary
from testbed.conformance.answering import Answer, Kind, ask, serving
from testbed.conformance.contract import Check
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target, Targets, opened
from testbed.errors import TestbedError
from testbed.lab.client import Lab
from testbed.proxy.contract import modes

_NODES = 3
_TRIES = 30  # one of three endpoints stays unseen by one source 5 times in a million
_FILE = "testbed conformance"
_CHECKS = (
    "cluster-ip-tcp", "cluster-ip-udp", "node-port", "no-endpoints", "hairpin", "client-affinity",
    "internal-local",
)  # fmt: skip
Ports = dict[tuple[str, Kind], int]
Wrong = Callable[[Target, list[Answer]], str]
"""What is wrong with the answers that a source got; empty for nothing."""


class Services:
    """The contract's parts; see the module for the checks."""

    summary = "Services: every kind of address leads to the right endpoints"

    def run(self, lab: Lab) -> Iterator[Check]:
        """Checks a lab; see the contract."""
        if not modes.get(lab.info["proxy"]).needs:
            yield from (Check(name, 0, 0, skipped="the lab has no proxy") for name in _CHECKS)
            return
        with (
            temporary.filled(lab, 1) as own,
            opened(lab, lambda labels: labels.get(temporary.LABEL, own) == own) as targets,
            Sockets() as sockets,
        ):
            servers = list({pod.node: pod for pod in targets.pods}.values())[:_NODES]
            with serving(sockets, servers) as ports, _services(lab, servers, ports) as made:
                yield from _Run(targets, sockets, servers, made).checks()


suite = Services()


@dataclass
class _Run:
    """One run: who asks, who answers, and the addresses (name of a Service → IP, node port)."""

    targets: Targets
    sockets: Sockets
    servers: list[Target]
    addresses: dict[str, tuple[str, int]]

    def checks(self) -> Iterator[Check]:
        names = {server.name for server in self.servers}
        pods, everybody = self.servers, [*self.servers, *self.targets.nodes]

        def from_all(source: Target, answers: list[Answer]) -> str:
            others = {a.seen for a in answers if a.server != source.name} - {source.address}
            if {a.server for a in answers} != names:
                return "not all endpoints answer"
            return "the endpoints see another address" * (bool(others) and not source.is_node)

        def own(source: Target, answers: list[Answer]) -> str:
            here = self.servers[0].name if self.servers[0].node == source.node else ""
            return "" if {a.server for a in answers} == {here} else f"not {here or 'silent'}"

        def one(_: Target, answers: list[Answer]) -> str:
            found = {a.server for a in answers}
            return "" if len(found) == 1 and "" not in found else "not always the same endpoint"

        def refused(_: Target, answers: list[Answer]) -> str:
            return "" if {a.seen for a in answers} == {"refused"} else "not refused"

        def itself(source: Target, answers: list[Answer]) -> str:
            return (
                "" if {a.server for a in answers} == {source.name} else "it does not reach itself"
            )

        def any_of(_: Target, answers: list[Answer]) -> str:
            return "" if {a.server for a in answers} <= names else "no endpoint answers"

        yield self._check("cluster-ip-tcp", everybody, "TCP", ["all"], from_all)
        yield self._check("cluster-ip-udp", everybody, "UDP", ["datagrams"], from_all)
        yield self._node_ports(everybody, any_of)
        yield self._check("no-endpoints", everybody, "TCP", ["nobody"], refused, 1)
        yield self._check("hairpin", pods[:1], "TCP", ["itself"], itself, 1)
        yield self._check("client-affinity", everybody, "TCP", ["sticky"], one)
        yield self._check("internal-local", everybody, "TCP", ["local"], own, 3)

    def _check(
        self, name: str, sources: list[Target], kind: Kind, to: list[str], wrong: Wrong,
        tries: int = _TRIES,
    ) -> Check:  # fmt: skip
        places = [(self.addresses[service][0], 80) for service in to]
        return self._asked(name, sources, kind, places, wrong, tries)

    def _node_ports(self, sources: list[Target], wrong: Wrong) -> Check:
        places = [(node.address, self.addresses["all"][1]) for node in self.targets.nodes]
        return self._asked("node-port", sources, "TCP", places[:_NODES], wrong, 3)

    def _asked(
        self, name: str, sources: list[Target], kind: Kind, places: list[tuple[str, int]],
        wrong: Wrong, tries: int,
    ) -> Check:  # fmt: skip
        begun, failures = time.monotonic(), []
        for source in sources:
            for address, port in places:
                answers = []
                for _ in range(tries):
                    answers.append(ask(self.sockets, source, kind, address, port))
                    if answers[-1].seen == "silent":
                        break
                said = wrong(source, answers)
                if said:
                    found = sorted({f"{a.server} {a.seen}".strip() for a in answers})
                    where = f"{source} → {address}:{port} by {kind}"
                    failures.append(f"{where}: {said}: {', '.join(found)}")
        count = len(sources) * len(places)
        return Check(name, count, count, tuple(failures), time.monotonic() - begun)


@contextmanager
def _services(
    lab: Lab, servers: list[Target], ports: Ports
) -> Iterator[dict[str, tuple[str, int]]]:
    """The suite's Services for the time of a ``with`` block: name → cluster IP, node port."""
    namespace = f"conformance-{secrets.token_hex(3)}"
    meta = {"name": namespace, "labels": {temporary.LABEL: namespace}}
    objects = [{"apiVersion": "v1", "kind": "Namespace", "metadata": meta}]
    sticky = {"sessionAffinity": "ClientIP"}
    for name, ends, kind, spec in (
        ("all", servers, "TCP", {"type": "NodePort"}),
        ("datagrams", servers, "UDP", {}),
        ("nobody", [], "TCP", {}),
        ("itself", servers[:1], "TCP", {}),
        ("sticky", servers, "TCP", sticky),
        ("local", servers[:1], "TCP", {"internalTrafficPolicy": "Local"}),
    ):
        objects += _objects(namespace, name, ends, kind, ports, spec)  # type: ignore[arg-type]
    try:
        lab.ask("apply", manifests=[[item, _FILE, None, None] for item in objects])
        made = [s for s in lab.objects("services") if s["metadata"]["namespace"] == namespace]
        yield {
            s["metadata"]["name"]: (
                s["spec"]["clusterIP"],
                s["spec"]["ports"][0].get("nodePort", 0),
            )
            for s in made
        }
    finally:
        with suppress(TestbedError):  # the lab has ended
            connection = Lab(lab.name)
            connection.ask("delete", keys=[["Namespace", "", namespace]])
            connection.close()


def _objects(
    namespace: str, name: str, ends: list[Target], kind: Kind, ports: Ports, spec: dict[str, Any]
) -> list[dict[str, Any]]:
    """A Service, and a slice for each endpoint, because each has a port of its own."""
    port = {"name": "p", "port": 80, "protocol": kind}
    metadata = {"name": name, "namespace": namespace}
    found: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata,
         "spec": {**spec, "ports": [port]}},
    ]  # fmt: skip
    for number, end in enumerate(ends):
        label = {"kubernetes.io/service-name": name}
        found.append(
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "name": f"{name}-{number}", "labels": label},
                "addressType": "IPv4",
                "ports": [{**port, "port": ports[end.name, kind]}],
                "endpoints": [{"addresses": [end.address], "nodeName": end.node}],
            }
        )
    return found
