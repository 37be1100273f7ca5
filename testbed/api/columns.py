"""The columns of tables, as kubectl prints them.

Names, order and cells are those of Kubernetes' own (``pkg/printers/internalversion/printers.go``).
A kind without an entry has its name and age.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.api import podcells
from testbed.api.age import since

Json = Mapping[str, Any]
NONE = "<none>"
_SHOWN = 3  # endpoints and ports, before "+ 2 more..."
_ROLE = "node-role.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        name: Its title; kubectl prints it in capitals.
        cell: Its value for an object.
        wide: Whether it is shown with ``-o wide`` only.
        type: ``string`` or ``integer``.
    """

    name: str
    cell: Callable[[Json], str | int]
    wide: bool = False
    type: str = "string"

    def definition(self) -> dict[str, Any]:
        """The column in a table (``TableColumnDefinition``)."""
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": "",
            "priority": int(self.wide),
        }


def _labels(values: Mapping[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((values or {}).items())) or NONE


def _some(texts: list[str]) -> str:
    shown = ",".join(texts[:_SHOWN])
    return f"{shown} + {len(texts) - _SHOWN} more..." if len(texts) > _SHOWN else shown or NONE


def _node_status(node: Json) -> str:
    ready = [c["status"] for c in node["status"].get("conditions", ()) if c["type"] == "Ready"]
    text = ("Ready" if ready[0] == "True" else "NotReady") if ready else "Unknown"
    return text + (",SchedulingDisabled" if node["spec"].get("unschedulable") else "")


def _roles(node: Json) -> str:
    labels = node["metadata"].get("labels", {})
    found = {key.removeprefix(_ROLE) for key in labels if key.startswith(_ROLE)}
    return ",".join(sorted(found - {""})) or NONE


def _node_address(kind: str) -> Callable[[Json], str]:
    def cell(node: Json) -> str:
        addresses = node["status"].get("addresses", ())
        return next((str(a["address"]) for a in addresses if a["type"] == kind), NONE)

    return cell


def _node_info(key: str, absent: str = "<unknown>") -> Callable[[Json], str]:
    return lambda node: str(node["status"].get("nodeInfo", {}).get(key) or absent)


def _selector(item: Json) -> str:
    """A Deployment's selector as ``metav1.LabelSelectorAsSelector`` writes it."""
    selector = item["spec"].get("selector") or {}
    terms = [f"{k}={v}" for k, v in selector.get("matchLabels", {}).items()]
    for term in selector.get("matchExpressions", ()):
        values = ",".join(sorted(term.get("values", ())))
        forms = {"In": f" in ({values})", "NotIn": f" notin ({values})", "Exists": ""}
        absent = "!" * (term["operator"] == "DoesNotExist")
        terms.append(absent + term["key"] + forms.get(term["operator"], ""))
    return ",".join(sorted(terms)) or NONE


def _of_template(key: str) -> Callable[[Json], str]:
    return lambda item: ",".join(c[key] for c in item["spec"]["template"]["spec"]["containers"])


def _external_ip(service: Json) -> str:
    spec, kind = service["spec"], service["spec"].get("type", "ClusterIP")
    if kind == "ExternalName":
        return str(spec.get("externalName", ""))
    balancer = service.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    found = [str(i.get("ip") or i.get("hostname")) for i in balancer] * (kind == "LoadBalancer")
    found += spec.get("externalIPs", ())
    return ",".join(found) or ("<pending>" if kind == "LoadBalancer" else NONE)


def _cluster_ip(service: Json) -> str:
    spec = service["spec"]
    return str((spec.get("clusterIPs") or [spec.get("clusterIP") or NONE])[0])


def _service_ports(service: Json) -> str:
    def text(port: Json) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node}/{port['protocol']}"

    return ",".join(map(text, service["spec"].get("ports", ()))) or NONE


def _endpoints(item: Json) -> str:
    return _some(list(_of_subsets(item.get("subsets") or ())))


def _of_subsets(subsets: Iterable[Json]) -> Iterable[str]:
    for subset in subsets:
        addresses = [str(address["ip"]) for address in subset.get("addresses") or ()]
        ports = [port["port"] for port in subset.get("ports") or ()]
        yield from addresses if not ports else (f"{a}:{p}" for p in ports for a in addresses)


def _slice_ports(item: Json) -> str:
    ports = item.get("ports") or ()
    return _some([str(port.get("port") or port.get("name") or "*") for port in ports])


def _slice_endpoints(item: Json) -> str:
    return _some([a for e in item.get("endpoints") or () for a in e.get("addresses") or ()])


def _hosts(item: Json) -> str:
    hosts = [str(rule.get("host", "")) for rule in item["spec"].get("rules") or ()]
    rules, found = len(hosts), [host for host in hosts if host]
    last = next((i for i in range(rules) if sum(map(bool, hosts[: i + 1])) == _SHOWN), rules)
    more, text = last + 1 < rules, ",".join(found[:_SHOWN]) or "*"
    return f"{text} + {rules - _SHOWN} more..." if more else text


def _balancer(item: Json) -> str:
    found = item.get("status", {}).get("loadBalancer", {}).get("ingress", ())
    return ",".join(sorted({str(one.get("ip") or one.get("hostname")) for one in found}))


def _parameters(item: Json) -> str:
    found = item["spec"].get("parameters")
    group = f".{found['apiGroup']}" if found and "apiGroup" in found else ""
    return f"{found['kind']}{group}/{found['name']}" if found else NONE


def _of_status(key: str) -> Callable[[Json], int]:
    return lambda item: int(item["status"].get(key, 0))


def _replicas(item: Json) -> str:
    return f"{item['status'].get('readyReplicas', 0)}/{item['spec']['replicas']}"


_NAME = Column("Name", lambda item: str(item["metadata"]["name"]))
_AGE = Column("Age", lambda item: since(item["metadata"].get("creationTimestamp")))

_COLUMNS: Mapping[str, tuple[Column, ...]] = {
    "pods": (
        _NAME,
        Column("Ready", podcells.ready),
        Column("Status", podcells.status),
        Column("Restarts", podcells.restarts),
        _AGE,
        Column("IP", podcells.address, wide=True),
        Column("Node", lambda pod: pod["spec"].get("nodeName") or NONE, wide=True),
        Column("Nominated Node", lambda _: NONE, wide=True),
        Column("Readiness Gates", podcells.gates, wide=True),
    ),
    "nodes": (
        _NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        _AGE,
        Column("Version", _node_info("kubeletVersion", "")),
        Column("Internal-IP", _node_address("InternalIP"), wide=True),
        Column("External-IP", _node_address("ExternalIP"), wide=True),
        Column("OS-Image", _node_info("osImage"), wide=True),
        Column("Kernel-Version", _node_info("kernelVersion"), wide=True),
        Column("Container-Runtime", _node_info("containerRuntimeVersion"), wide=True),
    ),
    "namespaces": (_NAME, Column("Status", lambda item: str(item["status"]["phase"])), _AGE),
    "deployments": (
        _NAME,
        Column("Ready", _replicas),
        Column("Up-to-date", _of_status("updatedReplicas"), type="integer"),
        Column("Available", _of_status("availableReplicas"), type="integer"),
        _AGE,
        Column("Containers", _of_template("name"), wide=True),
        Column("Images", _of_template("image"), wide=True),
        Column("Selector", _selector, wide=True),
    ),
    "services": (
        _NAME,
        Column("Type", lambda item: str(item["spec"].get("type", "ClusterIP"))),
        Column("Cluster-IP", _cluster_ip),
        Column("External-IP", _external_ip),
        Column("Port(s)", _service_ports),
        _AGE,
        Column("Selector", lambda item: _labels(item["spec"].get("selector")), wide=True),
    ),
    "servicecidrs": (_NAME, Column("CIDRs", lambda item: ",".join(item["spec"]["cidrs"])), _AGE),
    "endpoints": (_NAME, Column("Endpoints", _endpoints), _AGE),
    "endpointslices": (
        _NAME,
        Column("AddressType", lambda item: str(item["addressType"])),
        Column("Ports", _slice_ports),
        Column("Endpoints", _slice_endpoints),
        _AGE,
    ),
    "ingresses": (
        _NAME,
        Column("Class", lambda item: str(item["spec"].get("ingressClassName", NONE))),
        Column("Hosts", _hosts),
        Column("Address", _balancer),
        Column("Ports", lambda item: "80, 443" if item["spec"].get("tls") else "80"),
        _AGE,
    ),
    "ingressclasses": (
        _NAME,
        Column("Controller", lambda item: str(item["spec"]["controller"])),
        Column("Parameters", _parameters),
        _AGE,
    ),
    "secrets": (
        _NAME,
        Column("Type", lambda item: str(item["type"])),
        Column("Data", lambda item: len(item.get("data", {})), type="integer"),
        _AGE,
    ),
}


def of(plural: str) -> tuple[Column, ...]:
    """The columns of a kind, by its plural."""
    return _COLUMNS.get(plural, (_NAME, _AGE))
