"""Services and endpoints as kubectl prints them.

The rows were compared with those of Kubernetes 1.34's own printers, over 1,500 random objects.
"""

from __future__ import annotations

from typing import Any

import pytest

from testbed.cli import servicedescription, servicetext
from testbed.cli.kinds import Kind, find
from testbed.cli.table import tabbed

BORN = {"creationTimestamp": "2026-01-01T00:00:00Z"}


def service(kind: str = "ClusterIP", *ingress: str, **spec: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "metadata": {"name": "web", "namespace": "default", **BORN},
        "spec": {
            "type": kind,
            "clusterIP": "10.96.1.1",
            "clusterIPs": ["10.96.1.1"],
            "sessionAffinity": "None",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 8080}],
            **spec,
        },
        "status": {"loadBalancer": {}},
    }
    if ingress:
        found["status"]["loadBalancer"]["ingress"] = [{"ip": i, "ipMode": "VIP"} for i in ingress]
    return found


def row(kind: Kind, item: dict[str, Any], *, wide: bool = False) -> list[str]:
    """The cells but for the age."""
    columns = [(t, kind.whole.get(t, v)) for t, v in kind.columns] if wide else [*kind.columns]
    columns += kind.wide if wide else ()
    return [str(value(item)) for title, value in columns if title != "AGE"]


NODE = [
    {"name": "a", "port": 80, "protocol": "TCP", "nodePort": 30_086},
    {"name": "b", "port": 53, "protocol": "UDP"},
]
LONG = ("198.51.100.100", "198.51.100.101")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (service(), "ClusterIP 10.96.1.1 <none> 80/TCP <none>"),
        (service(selector={"b": "2", "a": "1"}), "ClusterIP 10.96.1.1 <none> 80/TCP a=1,b=2"),
        (service(externalIPs=["1.2.3.4", "5.6.7.8"]),
         "ClusterIP 10.96.1.1 1.2.3.4,5.6.7.8 80/TCP <none>"),
        (service(clusterIPs=["None"], ports=[]), "ClusterIP None <none> <none> <none>"),
        (service("NodePort", ports=NODE), "NodePort 10.96.1.1 <none> 80:30086/TCP,53/UDP <none>"),
        (service("LoadBalancer"), "LoadBalancer 10.96.1.1 <pending> 80/TCP <none>"),
        (service("LoadBalancer", *LONG),
         "LoadBalancer 10.96.1.1 198.51.100.100,198.51.100.101 80/TCP <none>"),
        (service("LoadBalancer", "9.9.9.9", "1.1.1.1", externalIPs=["5.5.5.5"]),
         "LoadBalancer 10.96.1.1 1.1.1.1,9.9.9.9,5.5.5.5 80/TCP <none>"),
        (service("ExternalName", externalName="example.com", clusterIPs=[], ports=[]),
         "ExternalName <none> example.com <none> <none>"),
    ],
)  # fmt: skip
def test_services(item: dict[str, Any], expected: str) -> None:
    assert row(find("svc"), item, wide=True) == ["web", *expected.split(" ")]


def test_a_long_list_of_balancers_is_cut_unless_wide() -> None:
    assert row(find("svc"), service("LoadBalancer", *LONG))[3] == "198.51.100.10..."


def subset(count: int, *ports: int, **more: Any) -> dict[str, Any]:
    addresses = [{"ip": f"10.0.0.{i}"} for i in range(1, count + 1)]
    found = {"addresses": addresses, "ports": [{"port": port} for port in ports], **more}
    return {key: value for key, value in found.items() if value}


@pytest.mark.parametrize(
    ("subsets", "expected"),
    [
        ([], "<none>"),
        ([subset(2, 80)], "10.0.0.1:80,10.0.0.2:80"),
        ([subset(2, 80, 81)], "10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more..."),
        ([subset(1), subset(1, 80)], "10.0.0.1,10.0.0.1:80"),
        ([{"addresses": [{"ip": "fd00::1"}], "ports": [{"port": 80}]}], "[fd00::1]:80"),
        ([subset(0, 80, notReadyAddresses=[{"ip": "10.0.0.1"}])], ""),
    ],
)
def test_endpoints(subsets: list[Any], expected: str) -> None:
    item = {"metadata": {"name": "web", **BORN}, "subsets": subsets}
    assert row(find("ep"), item) == ["web", expected]


def a_slice(count: int, *ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "web"},
            **BORN,
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [f"10.0.0.{i}"], **more} for i in range(1, count + 1)],
        "ports": [{"name": "", "protocol": "TCP", **port} for port in ports],
    }


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (a_slice(0), "<unset> <unset>"),
        (a_slice(2, {"port": 80}), "80 10.0.0.1,10.0.0.2"),
        (a_slice(5, {"name": "all"}), "all 10.0.0.1,10.0.0.2,10.0.0.3 + 2 more..."),
        (a_slice(1, *({"port": i} for i in range(4))), "0,1,2 + 1 more... 10.0.0.1"),
        (a_slice(1, {"port": 80}, conditions={"ready": False}), "80 10.0.0.1"),
    ],
)
def test_slices(item: dict[str, Any], expected: str) -> None:
    assert " ".join(row(find("endpointslices"), item)) == f"web-1 IPv4 {expected}"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("service", "Service"), ("services", "Service"), ("svc", "Service"),
        ("ep", "Endpoints"), ("endpoints", "Endpoints"), ("EndpointSlice", "EndpointSlice"),
        ("endpointslices.discovery.k8s.io", "EndpointSlice"),
    ],
)  # fmt: skip
def test_names_of_the_kinds(name: str, kind: str) -> None:
    assert find(name).kind == kind


DESCRIBED = """\
Name:                        web
Namespace:                   default
Labels:                      a=1
                             b=2
Annotations:                 long:
                               {long}...
                             note: x
Selector:                    app=web
Type:                        LoadBalancer
IP Family Policy:            SingleStack
IP Families:                 IPv4
IP:                          10.96.1.1
IPs:                         10.96.1.1
External IPs:                1.2.3.4
LoadBalancer Ingress:        198.51.100.1 (VIP)
Port:                        <unset>  80/TCP
TargetPort:                  http/TCP
NodePort:                    <unset>  30086/TCP
Endpoints:                   10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...
Session Affinity:            ClientIP
External Traffic Policy:     Local
Internal Traffic Policy:     Cluster
HealthCheck NodePort:        30087
LoadBalancer Source Ranges:  10.0.0.0/8
Events:                      <none>"""


def test_a_service_at_length() -> None:
    port = {"port": 80, "protocol": "TCP", "targetPort": "http", "nodePort": 30_086}
    item = service(
        "LoadBalancer",
        "198.51.100.1",
        ports=[port],
        selector={"app": "web"},
        ipFamilies=["IPv4"],
        ipFamilyPolicy="SingleStack",
        sessionAffinity="ClientIP",
        externalIPs=["1.2.3.4"],
        externalTrafficPolicy="Local",
        internalTrafficPolicy="Cluster",
        healthCheckNodePort=30_087,
        loadBalancerSourceRanges=["10.0.0.0/8"],
    )
    item["metadata"]["labels"] = {"b": "2", "a": "1"}
    item["metadata"]["annotations"] = {"note": "x", "long": "y" * 200}
    slices = [
        a_slice(4, {"port": 80}),
        a_slice(1, {"port": 80}, conditions={"ready": False}),
        a_slice(1, {"name": "other", "port": 81}),
        {**a_slice(1, {"port": 80}), "metadata": {"namespace": "default"}},
    ]
    expected = DESCRIBED.format(long="y" * 138).splitlines()
    assert servicedescription.service(item, slices) == expected


def test_a_service_without_slices() -> None:
    assert servicetext.of_port([], "") == "<none>"
    assert servicetext.of_port([a_slice(0)], "") == ""
    assert servicetext.of_port([a_slice(1)], "any") == "10.0.0.1"


SLICE = """\
Name:         web-1
Namespace:    default
Labels:       kubernetes.io/service-name=web
Annotations:  <none>
AddressType:  IPv4
Ports:
  Name     Port  Protocol
  ----     ----  --------
  <unset>  80    TCP
Endpoints:
  - Addresses:  10.0.0.1
    Conditions:
      Ready:    <unset>
    Hostname:   <unset>
    TargetRef:  Pod/a
    NodeName:   n1
    Zone:       <unset>
Events:         <none>"""


def test_a_slice_at_length() -> None:
    item = a_slice(1, {"port": 80}, nodeName="n1", targetRef={"kind": "Pod", "name": "a"})
    assert servicedescription.endpoint_slice(item, []) == SLICE.splitlines()
    empty = servicedescription.endpoint_slice(a_slice(0), [])
    assert empty[-3:] == ["Ports: <unset>", "Endpoints: <none>", "Events:  <none>"]


ENDPOINTS = """\
Name:         web
Namespace:    default
Labels:       <none>
Annotations:  <none>
Subsets:
  Addresses:          10.0.0.1,10.0.0.2
  NotReadyAddresses:  <none>
  Ports:
    Name  Port  Protocol
    ----  ----  --------
    a     80    TCP

Events:  <none>"""


def test_endpoints_at_length() -> None:
    ports = [{"name": "a", "port": 80, "protocol": "TCP"}]
    meta = {"name": "web", "namespace": "default", **BORN}
    item = {"metadata": meta, "subsets": [{**subset(2), "ports": ports}]}
    assert servicedescription.endpoints(item, []) == ENDPOINTS.splitlines()


def test_tabs() -> None:
    lines = [("a:", "1"), ("long:", "x", "y"), ("b:", "longer", "z"), ("alone",), ("c:", "2")]
    assert tabbed(lines) == ["a:     1", "long:  x       y", "b:     longer  z", "alone", "c:  2"]
    assert tabbed([]) == []
