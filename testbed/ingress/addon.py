"""An ingress controller as an add-on of a lab: what ``kubectl apply`` of its manifest would make.

A namespace, an IngressClass, a Deployment of the controller and a Service of type LoadBalancer.
Source: ingress-nginx ``deploy/static/provider/cloud/deploy.yaml``: names, labels, ports, probes and
``externalTrafficPolicy: Local``, by which pods are told the client's own address. What a lab has no
use for is left out (RBAC, the admission webhook and its jobs, security contexts, resources). Three
things differ: readiness is asked for each second and not each tenth, because ``up`` waits for it;
the grace period is 30 s and not 300; and the class is the default one, so that an Ingress needs
none, unless the objects that a lab starts with have a default of their own. (One that is made later
is newer, and so wins by itself.)
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network
from typing import Any

from testbed.cluster.apiservice import SERVICE_PORT
from testbed.cluster.model import Cluster
from testbed.defaults import NONE
from testbed.ingress.contract import Controller, controllers
from testbed.objects import IngressClass, Object, from_manifest
from testbed.objects.ingressclass import DEFAULT_ANNOTATION

HEALTH_PORT = 10254
"""Where the controller's process answers ``/healthz``, as ingress-nginx's does."""

FOLDER = "/run/ingress"
"""Below it each pod of a controller has a folder of its own, with its proxy's files."""

_API_IP = 1  # of the service CIDR's addresses
Manifest = dict[str, Any]


def wanted(cluster: Cluster) -> bool:
    """Whether a cluster is to have a controller."""
    return cluster.options.ingress != NONE


def controller(cluster: Cluster) -> Controller:
    """The controller of a cluster that has one."""
    return controllers.get(cluster.options.ingress)


def name(of: Controller) -> str:
    """Of a controller's Deployment and Service."""
    return f"{of.namespace}-controller"


def service(cluster: Cluster) -> tuple[str, str]:
    """Namespace and name of the Service by which a cluster's controller is reached."""
    one = controller(cluster)
    return one.namespace, name(one)


def labels(of: Controller) -> dict[str, str]:
    """Those of a controller's pods, which its Service selects."""
    return {
        "app.kubernetes.io/component": "controller",
        "app.kubernetes.io/instance": of.namespace,
        "app.kubernetes.io/name": of.namespace,
    }


def addresses(cluster: Cluster) -> tuple[str, ...]:
    """Those of the controller's Service, which Ingresses are given; none without a controller."""
    if not wanted(cluster):
        return ()
    bound = cluster.services.get(service(cluster))
    return () if bound is None else bound.load_balancer


def objects(cluster: Cluster, given: Iterable[Object] = ()) -> list[Object]:
    """What is to be there; nothing for a cluster without a controller.

    Args:
        cluster: The cluster.
        given: What it starts with besides.
    """
    if not wanted(cluster):
        return []
    one, options = controller(cluster), cluster.options
    default = not any(isinstance(item, IngressClass) and item.default for item in given)
    api = f"http://{IPv4Network(options.service_cidr)[_API_IP]}:{SERVICE_PORT}"
    made = [
        _object("v1", "Namespace", one.namespace, one),
        _class(one, default),
        _service(one, options.ingress_policy),
        _deployment(one, int(options.ingress_replicas), api),
    ]
    return [from_manifest(manifest) for manifest in made]


def _object(version: str, kind: str, called: str, one: Controller, **rest: Any) -> Manifest:
    metadata: Manifest = {"name": called, "labels": labels(one)}
    if kind not in ("Namespace", "IngressClass"):
        metadata["namespace"] = one.namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _class(one: Controller, default: bool) -> Manifest:
    spec = {"controller": one.controllers[0]}
    made = _object("networking.k8s.io/v1", "IngressClass", one.usual, one, spec=spec)
    if default:
        made["metadata"]["annotations"] = {DEFAULT_ANNOTATION: "true"}
    return made


def _service(one: Controller, policy: str) -> Manifest:
    ports = [
        {"name": known, "port": port, "protocol": "TCP", "targetPort": known, "appProtocol": known}
        for known, port in (("http", 80), ("https", 443))
    ]
    spec: Manifest = {"type": "LoadBalancer", "externalTrafficPolicy": policy}
    spec |= {"ports": ports, "selector": labels(one)}
    return _object("v1", "Service", name(one), one, spec=spec)


def _deployment(one: Controller, replicas: int, api: str) -> Manifest:
    template: Manifest = {
        "metadata": {"labels": labels(one)},
        "spec": {"containers": [_container(one, api)], "terminationGracePeriodSeconds": 30},
    }
    spec = {"replicas": replicas, "selector": {"matchLabels": labels(one)}, "template": template}
    return _object("apps/v1", "Deployment", name(one), one, spec=spec)


def _container(one: Controller, api: str) -> Manifest:
    healthy = {"path": "/healthz", "port": HEALTH_PORT, "scheme": "HTTP"}
    downward = {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}
    ports = (("http", 80), ("https", 443))
    return {
        "name": "controller",
        "image": one.image,
        "args": [f"--apiserver-host={api}"],
        "env": [
            {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
            for name, path in downward.items()
        ],
        "ports": [{"name": n, "containerPort": p, "protocol": "TCP"} for n, p in ports],
        "livenessProbe": {
            "httpGet": healthy, "initialDelaySeconds": 10,
            "timeoutSeconds": 5, "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": healthy, "periodSeconds": 1, "timeoutSeconds": 5},
    }  # fmt: skip
