"""A lab with an ingress controller, asked from the external host through the load balancer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from labs import RunningLab
from machine import until

from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target
from testbed.conformance.web import Browser
from testbed.lab.client import Lab

Manifest = dict[str, Any]
NAMESPACES = {"nginx": "ingress-nginx", "haproxy": "haproxy-ingress"}


class Site:
    """The controller's address, and who asks there.

    Attributes:
        lab: The lab.
        browser: On its external host.
        address: Of the controller's Service.
    """

    def __init__(self, lab: Lab, browser: Browser, address: str) -> None:
        self.lab, self.browser, self.address = lab, browser, address

    def delete(self, manifests: Iterable[Mapping[str, Any]]) -> None:
        """Deletes objects of namespace ``default``."""
        names = [(one["kind"], one["metadata"]["name"]) for one in manifests]
        self.lab.ask("delete", keys=[[kind, "default", name] for kind, name in names])


@contextmanager
def site(running: RunningLab, controller: str, source: str = "external/client") -> Iterator[Site]:
    """A way to the controller of a lab for the time of a ``with`` block."""
    lab = Lab(running.name)
    netns = lab.netns(source)
    try:
        services = lab.objects("services", NAMESPACES[controller])
        address = services[0]["status"]["loadBalancer"]["ingress"][0]["ip"]
        with Sockets() as sockets:
            yield Site(lab, Browser(sockets, Target(source, "", "", netns)), address)
    finally:
        os.close(netns)
        lab.close()


def thing(version: str, kind: str, name: str, **fields: Any) -> Manifest:
    """An object of namespace ``default``."""
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def echo(name: str, ports: Iterable[int], replicas: int = 1, **container: Any) -> list[Manifest]:
    """A Service, and pods that answer with its name."""
    env = [
        {"name": "SERVICE_NAME", "value": name},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    probe = {"tcpSocket": {"port": 3000}, "periodSeconds": 1}
    one = {"name": "c", "image": "echoserver", "env": env, "readinessProbe": probe, **container}
    labels = {"app": name}
    spec = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [one]}},
    }
    named = [{"name": f"p{n}", "port": n, "targetPort": 3000} for n in sorted(ports)]
    service = thing("v1", "Service", name, spec={"selector": labels, "ports": named})
    return [service, thing("apps/v1", "Deployment", name, spec=spec)]


def secret(name: str, certificate: str, key: str) -> Manifest:
    """A Secret with a certificate."""
    data = {"tls.crt": certificate, "tls.key": key}
    return thing("v1", "Secret", name, type="kubernetes.io/tls", stringData=data)


def apply(running: RunningLab, manifests: Iterable[Mapping[str, Any]], code: int = 0) -> str:
    """``testbed apply`` of some objects; what it said on stderr.

    It waits until all pods are ready: on a slow machine a probe is asked before there is a server.
    """
    import yaml

    text = yaml.safe_dump_all(list(manifests))
    said = running.run("apply", "-f", "-", text=text, code=code).stderr
    until(lambda: _ready(running), "the pods are ready")
    return said


def _ready(running: RunningLab) -> bool:
    pods = json.loads(running.run("get", "pods", "-A", "-o", "json").stdout)["items"]
    found = [one for pod in pods for one in pod["status"]["conditions"] if one["type"] == "Ready"]
    return all(one["status"] == "True" for one in found)
