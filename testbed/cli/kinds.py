"""The kinds of object that ``get``, ``describe`` and ``delete`` know, and their columns.

Names, short names and columns are kubectl's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.api.age import since
from testbed.cli import ingresstext, servicetext
from testbed.errors import InputError, unknown

Json = Mapping[str, Any]
Column = tuple[str, Callable[[Json], Any]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object as the command line names it.

    Attributes:
        kind: ``Pod``.
        plural: ``pods``.
        names: Whatever else it is called: singular and short names.
        namespaced: Whether its objects are in namespaces.
        title: What ``-o name`` puts before the slash.
        columns: Of the table.
        wide: Further columns of ``-o wide``.
        whole: Columns that say more there.
    """

    kind: str
    plural: str
    names: tuple[str, ...]
    namespaced: bool
    title: str
    columns: tuple[Column, ...]
    wide: tuple[Column, ...] = ()
    whole: Mapping[str, Callable[[Json], Any]] = field(default_factory=dict)


def age(item: Json) -> str:
    """How old an object is, as kubectl writes it."""
    return since(item["metadata"]["creationTimestamp"])


def _ready(pod: Json) -> str:
    states = pod["status"]["containerStatuses"]
    return f"{sum(s['ready'] for s in states)}/{len(pod['spec']['containers'])}"


def _restarts(pod: Json) -> int:
    return sum(int(state["restartCount"]) for state in pod["status"]["containerStatuses"])


def _pod_status(pod: Json) -> str:
    text = pod["status"].get("reason") or pod["status"]["phase"]
    return "Completed" if text == "Succeeded" else str(text)


def _internal(node: Json) -> str:
    return str(node["status"]["addresses"][0]["address"])


def _images(deployment: Json) -> str:
    return ",".join(c["image"] for c in deployment["spec"]["template"]["spec"]["containers"])


def _selector(deployment: Json) -> str:
    labels = deployment["spec"]["selector"].get("matchLabels", {})
    return ",".join(f"{key}={value}" for key, value in labels.items())


_NAME: Column = ("NAME", lambda item: item["metadata"]["name"])
_AGE: Column = ("AGE", age)

_SERVICES = (
    Kind(
        "Service",
        "services",
        ("service", "svc"),
        True,
        "service",
        (
            _NAME,
            ("TYPE", lambda item: item["spec"]["type"]),
            ("CLUSTER-IP", servicetext.cluster_ip),
            ("EXTERNAL-IP", servicetext.external_ip),
            ("PORT(S)", servicetext.ports),
            _AGE,
        ),
        (("SELECTOR", lambda item: servicetext.labels(item["spec"].get("selector", {}))),),
        {"EXTERNAL-IP": servicetext.external_ip_whole},
    ),
    Kind(
        "Endpoints",
        "endpoints",
        ("ep",),
        True,
        "endpoints",
        (_NAME, ("ENDPOINTS", servicetext.endpoints), _AGE),
    ),
    Kind(
        "EndpointSlice",
        "endpointslices",
        ("endpointslice", *(f"endpointslice{s}.discovery.k8s.io" for s in ("", "s"))),
        True,
        "endpointslice.discovery.k8s.io",
        (
            _NAME,
            ("ADDRESSTYPE", lambda item: item["addressType"]),
            ("PORTS", servicetext.slice_ports),
            ("ENDPOINTS", servicetext.slice_endpoints),
            _AGE,
        ),
    ),
)

_INGRESSES = (
    Kind(
        "Ingress",
        "ingresses",
        ("ingress", "ing", *(f"ingress{s}.networking.k8s.io" for s in ("", "es"))),
        True,
        "ingress.networking.k8s.io",
        (
            _NAME,
            ("CLASS", lambda item: item["spec"].get("ingressClassName", "<none>")),
            ("HOSTS", ingresstext.hosts),
            ("ADDRESS", ingresstext.address),
            ("PORTS", ingresstext.ports),
            _AGE,
        ),
    ),
    Kind(
        "IngressClass",
        "ingressclasses",
        ("ingressclass", *(f"ingressclass{s}.networking.k8s.io" for s in ("", "es"))),
        False,
        "ingressclass.networking.k8s.io",
        (
            _NAME,
            ("CONTROLLER", lambda item: item["spec"]["controller"]),
            ("PARAMETERS", ingresstext.parameters),
            _AGE,
        ),
    ),
    Kind(
        "Secret",
        "secrets",
        ("secret",),
        True,
        "secret",
        (
            _NAME,
            ("TYPE", lambda item: item["type"]),
            ("DATA", lambda item: str(len(item.get("data", {})))),
            _AGE,
        ),
    ),
)

_EGRESS = Kind(
    "CiliumEgressGatewayPolicy",
    "ciliumegressgatewaypolicies",
    ("ciliumegressgatewaypolicy", "cegp"),
    False,
    "ciliumegressgatewaypolicy.cilium.io",
    (_NAME, _AGE),
)

KINDS = (
    Kind(
        "Pod",
        "pods",
        ("pod", "po"),
        True,
        "pod",
        (
            _NAME,
            ("READY", _ready),
            ("STATUS", _pod_status),
            ("RESTARTS", _restarts),
            _AGE,
        ),
        (
            ("IP", lambda pod: pod["status"]["podIP"]),
            ("NODE", lambda pod: pod["spec"]["nodeName"]),
        ),
    ),
    Kind(
        "Node",
        "nodes",
        ("node", "no"),
        False,
        "node",
        (
            _NAME,
            ("STATUS", lambda _: "Ready"),
            ("INTERNAL-IP", _internal),
            ("POD-CIDR", lambda node: node["spec"]["podCIDR"]),
            _AGE,
        ),
        (("KERNEL-VERSION", lambda node: node["status"]["nodeInfo"]["kernelVersion"]),),
    ),
    Kind(
        "Deployment",
        "deployments",
        ("deployment", "deploy", "deployments.apps", "deployment.apps"),
        True,
        "deployment.apps",
        (
            _NAME,
            ("READY", lambda d: f"{d['status']['readyReplicas']}/{d['spec']['replicas']}"),
            ("UP-TO-DATE", lambda d: d["status"]["updatedReplicas"]),
            ("AVAILABLE", lambda d: d["status"]["availableReplicas"]),
            _AGE,
        ),
        (("IMAGES", _images), ("SELECTOR", _selector)),
    ),
    Kind(
        "Namespace",
        "namespaces",
        ("namespace", "ns"),
        False,
        "namespace",
        (_NAME, ("STATUS", lambda item: item["status"]["phase"]), _AGE),
    ),
    *_SERVICES,
    *_INGRESSES,
    _EGRESS,
)


def find(name: str) -> Kind:
    """The kind of that name, in any of its forms.

    Raises:
        InputError: No kind is called so; the message has the nearest.
    """
    for kind in KINDS:
        if name.lower() in (kind.plural, *kind.names):
            return kind
    raise unknown("kind", name, [kind.plural for kind in KINDS])


def missing(kind: Kind, name: str) -> InputError:
    """The error for an object that is not there, in kubectl's words."""
    return InputError(f'{kind.plural} "{name}" not found')
