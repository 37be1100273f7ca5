"""The suite ``dns``: names of the cluster, asked for by real questions from pods.

It works on a lab with cluster DNS and a proxy. For its time it has Services in a namespace
``conformance-…`` of its own, and an idle pod on each of up to ten nodes. These pods, and of the
others whose ``resolv.conf`` names the cluster's DNS and its domains a sample, ask by UDP and by
TCP, and must get what the lab's objects say. A check ends at its tenth failure.

=================  ==============================================================================
``services``       a Service's short name is its cluster IP, also across namespaces
``headless``       a headless Service is its ready endpoints, each also by its host name
``srv``            named ports of both kinds, as port and target
``reverse``        a cluster IP's name, and that of an endpoint with a host name
``pod-names``      ``10-244-1-2.NAMESPACE.pod`` is that address
``external-name``  an ExternalName leads on
``absent``         what is not there is said not to be there
``outside``        a question for a name outside is answered, too
=================  ==============================================================================

Source: kubernetes/dns, ``docs/specification.md`` (schema 1.1.0).
"""

from __future__ import annotations

import itertools
import random
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from testbed.conformance import temporary
from testbed.conformance.contract import Check
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target, opened
from testbed.errors import TestbedError
from testbed.lab.client import Lab
from testbed.proxy.contract import modes

Json = dict[str, Any]
_FILE = "testbed conformance"
_NODES = 10  # that have a pod of the suite's, at most
_CLIENTS = 20  # other pods that ask, at most
_SERVICES = 10  # of the lab's own that are asked for, at most
_FAILURES = 10  # of a check: one that is answered by nobody takes seconds
_KNOWN = 10.0  # seconds until the DNS servers must have heard of new Services
_CHECKS = (
    "services", "headless", "srv", "reverse", "pod-names", "external-name", "absent", "outside",
)  # fmt: skip


class Dns:
    """The contract's parts; see the module for the checks."""

    summary = "cluster DNS: names of Services, endpoints and pods lead to the right addresses"

    def run(self, lab: Lab) -> Iterator[Check]:
        """Checks a lab; see the contract."""
        reason = _unfit(lab)
        if reason:
            yield from (Check(name, 0, 0, skipped=reason) for name in _CHECKS)
            return
        with (
            _made(lab) as own,
            opened(lab, lambda labels: labels.get(temporary.LABEL, own) == own) as targets,
            Sockets() as sockets,
        ):
            yield from _checks(lab, sockets, targets.pods, own)


suite = Dns()


def _unfit(lab: Lab) -> str:
    """Why a lab has nothing to check; empty if it has."""
    if _server(lab) is None:
        return "the lab has no DNS"
    return "" if modes.get(lab.info["proxy"]).needs else "the lab has no proxy"


def _server(lab: Lab) -> str | None:
    """The cluster IP of cluster DNS."""
    for service in lab.objects("services", "kube-system"):
        if service["metadata"]["name"] == "kube-dns":
            return str(service["spec"]["clusterIP"])
    return None


def _checks(lab: Lab, sockets: Sockets, pods: list[Target], namespace: str) -> Iterator[Check]:
    from testbed.conformance import resolving

    own = [pod for pod in pods if pod.name.startswith(f"{namespace}/")]
    others = [pod for pod in pods if pod not in own]
    drawn = random.Random(0).sample(others, min(len(others), _CLIENTS))  # noqa: S311
    clients = [resolving.client(lab, pod) for pod in own]
    _, *common = clients[0].resolver.search
    for client in (resolving.client(lab, pod) for pod in drawn):
        asks = _server(lab) in client.resolver.nameservers
        clients += [client] * (asks and set(common) <= set(client.resolver.search))
    domain = common[1].to_text()
    questions = _questions(lab, own, namespace, domain)
    _await_known(sockets, clients[0], questions["external-name"][0])
    for name, asked in questions.items():
        begun = time.monotonic()
        cases = list(itertools.product(clients, asked, (False, True)))
        failures: list[str] = []
        for count, (one, question, tcp) in enumerate(cases, start=1):  # noqa: B007 - used below
            said = resolving.wrong(sockets, one, question, tcp=tcp)
            failures += [said] * bool(said)
            if len(failures) == _FAILURES:
                break
        skipped = "" if cases else "the Corefile says `pods disabled`"
        seconds = time.monotonic() - begun
        yield Check(name, count if cases else 0, len(cases), tuple(failures), seconds, skipped)


def _await_known(sockets: Sockets, asking: Any, last: Any) -> None:
    """Waits until DNS has heard of the Service that was made last; the checks tell if it has not.

    It watches the API, so this is a matter of milliseconds.
    """
    from testbed.conformance import resolving

    end = time.monotonic() + _KNOWN
    while resolving.wrong(sockets, asking, last, tcp=True) and time.monotonic() < end:
        time.sleep(0.05)


def _questions(
    lab: Lab, pods: list[Target], namespace: str, domain: str
) -> Mapping[str, list[Any]]:
    """Check → what is asked in it."""
    from testbed.conformance.resolving import Question

    def question(name: str, kind: str, *expected: str) -> Question:
        return Question(name, kind, frozenset(expected))

    own = {s["metadata"]["name"]: s["spec"] for s in lab.objects("services", namespace)}
    headless = f"headless.{namespace}.svc.{domain}"
    ends = {pod.name.split("/")[1]: pod.address for pod in pods}
    names = {name: f"{name}.{headless}" for name in ends}
    first = next(iter(ends))
    plain = own["plain"]["clusterIP"]
    return {
        "services": [question(*found) for found in _cluster_ips(lab)],
        "headless": [
            question(f"headless.{namespace}", "A", *ends.values()),
            *(question(f"{n}.headless.{namespace}.svc", "A", a) for n, a in ends.items()),
        ],
        "srv": [
            question(f"_p._tcp.plain.{namespace}", "SRV", f"80 plain.{namespace}.svc.{domain}"),
            question(f"_q._udp.headless.{namespace}", "SRV", *(f"53 {n}" for n in names.values())),
        ],
        "reverse": [
            question(_reverse(plain), "PTR", f"plain.{namespace}.svc.{domain}"),
            question(_reverse(ends[first]), "PTR", names[first]),
        ],
        "pod-names": [
            question(f"{address.replace('.', '-')}.{namespace}.pod", "A", address)
            for address in ends.values() if _pod_names(lab)
        ],
        "external-name": [
            question(f"alias.{namespace}", "A", plain),
            question(f"alias.{namespace}", "CNAME", f"plain.{namespace}.svc.{domain}"),
        ],
        "absent": [
            question(f"nosuch.{namespace}", "A"),
            question(f"_nosuch._tcp.plain.{namespace}", "SRV"),
            question(f"nosuch.headless.{namespace}.svc.{domain}", "A"),
        ],
        "outside": [question("conformance.invalid.", "A")],
    }  # fmt: skip


def _cluster_ips(lab: Lab) -> list[tuple[str, str, str]]:
    """Short name, kind and cluster IP of Services, the suite's own among them."""
    found = [
        (f"{item['metadata']['name']}.{item['metadata']['namespace']}", "A", address)
        for item in lab.objects("services")
        if (address := item["spec"].get("clusterIP", "None")) != "None"
    ]
    return found[-_SERVICES:]


def _pod_names(lab: Lab) -> bool:
    """Whether the Corefile has pods' names."""
    argv = ["grep", "-q", "pods disabled", "/run/coredns/Corefile"]
    node = lab.objects("nodes")[0]["metadata"]["name"]
    with lab.popen(f"node/{node}", argv, stderr=subprocess.DEVNULL) as process:
        return process.wait() != 0


def _reverse(address: str) -> str:
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa."


@contextmanager
def _made(lab: Lab) -> Iterator[str]:
    """The suite's Services and pods for the time of a ``with`` block; yields their namespace."""
    namespace = f"conformance-{secrets.token_hex(3)}"
    labels = {temporary.LABEL: namespace}
    ports = [{"name": "p", "port": 80, "protocol": "TCP"}]
    ports += [{"name": "q", "port": 53, "protocol": "UDP"}]
    nodes = [node["metadata"]["name"] for node in lab.objects("nodes")][:_NODES]
    objects = [
        _object("Namespace", namespace, labels),
        *(_pod(number, node, labels) for number, node in enumerate(nodes)),
        _object("Service", "plain", spec={"ports": ports}),
        _object(
            "Service", "headless", spec={"ports": ports, "clusterIP": "None", "selector": labels}
        ),
    ]
    _into(namespace, objects[1:])
    try:
        temporary.put(lab, objects)
        alias = {"type": "ExternalName", "externalName": _name_of_plain(lab, namespace)}
        (last,) = _into(namespace, [_object("Service", "alias", spec=alias)])
        lab.ask("apply", manifests=[[last, _FILE, None, None]])
        yield namespace
    finally:
        with suppress(TestbedError):  # the lab has ended
            connection = Lab(lab.name)
            connection.ask("delete", keys=[["Namespace", "", namespace]])
            connection.close()


def _name_of_plain(lab: Lab, namespace: str) -> str:
    """The full name of a Service, in the domain that a pod with cluster DNS searches last."""
    argv = ["grep", "-h", "^search ", "/etc/resolv.conf"]
    with lab.popen(f"{namespace}/host-0", argv, stdout=subprocess.PIPE) as process:
        domains = process.communicate()[0].decode().split()
    return f"plain.{namespace}.svc.{domains[3]}"


def _object(kind: str, name: str, labels: Json | None = None, **rest: Any) -> Json:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **rest}


def _into(namespace: str, objects: list[Json]) -> list[Json]:
    for item in objects:
        item["metadata"]["namespace"] = namespace
    return objects


def _pod(number: int, node: str, labels: Json) -> Json:
    """An idle pod with a name in DNS (``hostname`` and ``subdomain``)."""
    containers = [{"name": "pause", "image": "pause"}]
    name = f"host-{number}"
    spec = {"nodeName": node, "hostname": name, "subdomain": "headless", "containers": containers}
    return _object("Pod", name, labels, spec=spec)
