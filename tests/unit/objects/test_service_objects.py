"""Services, Endpoints, EndpointSlices and probes: typed objects, defaults, and bad ones."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.errors import InputError
from testbed.objects import (
    EndpointSlice,
    Exec,
    Grpc,
    HttpGet,
    Probe,
    Service,
    ServicePort,
    TcpSocket,
    from_manifest,
    parse,
)
from testbed.objects.addresses import parse as parse_address
from testbed.objects.addresses import parse_network

CASES = yaml.safe_load(Path(__file__).with_name("service_errors.yaml").read_text())


@pytest.mark.parametrize("name", CASES)
def test_message(name: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(CASES[name]["text"], "f.yaml")
    assert str(caught.value) == CASES[name]["message"]


def made(kind: str, body: dict[str, Any], version: str = "v1") -> Any:
    return from_manifest({"apiVersion": version, "kind": kind, "metadata": {"name": "web"}, **body})


def spec(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = made("Service", {"spec": given}).manifest["spec"]
    return found


def test_service() -> None:
    service = made(
        "Service",
        {
            "spec": {
                "type": "LoadBalancer",
                "selector": {"app": "web"},
                "ports": [
                    {"name": "a", "port": 80, "targetPort": "http", "nodePort": 30_080},
                    {"name": "b", "port": 53, "protocol": "UDP", "appProtocol": "dns"},
                ],
                "externalTrafficPolicy": "Local",
                "publishNotReadyAddresses": True,
                "loadBalancerIP": "1.2.3.4",
                "trafficDistribution": "PreferClose",
            }
        },
    )
    assert isinstance(service, Service)
    assert service.metadata.key == ("default", "web")
    found = service.spec
    assert found.ports == (
        ServicePort("a", 80, "TCP", "http", 30_080, None),
        ServicePort("b", 53, "UDP", 53, 0, "dns"),
    )
    assert (found.selector, found.cluster_ips, found.headless) == ({"app": "web"}, (), False)
    assert (found.internal_traffic_policy, found.external_traffic_policy) == ("Cluster", "Local")
    assert (found.publish_not_ready_addresses, found.allocate_node_ports) == (True, True)
    assert (found.load_balancer_ip, found.traffic_distribution) == ("1.2.3.4", "PreferClose")
    assert found.node_ports == (30_080,)


PLAIN = {
    "type": "ClusterIP",
    "sessionAffinity": "None",
    "internalTrafficPolicy": "Cluster",
    "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
}
PORTS = [{"port": 80}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        # Empty is absent, as in Go.
        ({"type": "", "clusterIP": "", "selector": {}, "externalIPs": []}, {}),
        ({"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 5}}}, {}),
        (
            {"sessionAffinity": "ClientIP"},
            {"sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10_800}}},
        ),
        ({"externalIPs": ["1.2.3.4"]}, {"externalTrafficPolicy": "Cluster"}),
        ({"type": "NodePort"}, {"externalTrafficPolicy": "Cluster"}),
        (
            {"type": "LoadBalancer"},
            {"externalTrafficPolicy": "Cluster", "allocateLoadBalancerNodePorts": True},
        ),
        ({"clusterIP": "None"}, {"clusterIPs": ["None"]}),
    ],
)
def test_defaults_of_a_service(given: dict[str, Any], expected: dict[str, Any]) -> None:
    kept = {key: value for key, value in given.items() if value}
    if "sessionAffinity" not in kept:
        kept.pop("sessionAffinityConfig", None)
    assert spec(ports=PORTS, **given) == {**PLAIN, **kept, **expected}


def test_an_external_name_has_few_fields() -> None:
    given = {"type": "ExternalName", "externalName": "a.b.", "internalTrafficPolicy": "Local"}
    assert spec(**given) == {
        "type": "ExternalName",
        "externalName": "a.b.",
        "sessionAffinity": "None",
    }


def test_a_completed_manifest_is_complete() -> None:
    for kind, body in (
        ("Service", {"spec": {"type": "LoadBalancer", "ports": PORTS, "clusterIP": "10.96.0.9"}}),
        ("Endpoints", {"subsets": [{"addresses": [{"ip": "10.0.0.1"}], "ports": PORTS}]}),
    ):
        once = made(kind, body).manifest
        assert from_manifest(once).manifest == once


def test_the_input_is_left_alone() -> None:
    given = {"spec": {"ports": [{"port": 80}], "type": ""}}
    made("Service", given)
    assert given == {"spec": {"ports": [{"port": 80}], "type": ""}}


def test_endpoint_slice() -> None:
    found = made(
        "EndpointSlice",
        {
            "addressType": "IPv4",
            "endpoints": [
                {
                    "addresses": ["10.0.0.1"],
                    "conditions": {"ready": False, "serving": True, "terminating": True},
                    "targetRef": {"kind": "Pod", "namespace": "default", "name": "a"},
                    "hints": {"forZones": [{"name": "z"}], "forNodes": [{"name": "n1"}]},
                    "zone": "z",
                },
                {"addresses": ["10.0.0.2"], "targetRef": {"kind": "VM", "name": "x"}},
            ],
            "ports": [{"port": 80}, {"name": "all"}],
        },
        "discovery.k8s.io/v1",
    )
    assert isinstance(found, EndpointSlice)
    going, unknown = found.endpoints
    assert (going.ready, going.serving, going.terminating) == (False, True, True)
    assert (going.target, going.zone_hints, going.node_hints) == (("default", "a"), {"z"}, {"n1"})
    # Conditions that nobody knows count as good (discovery/v1 types.go).
    assert (unknown.ready, unknown.serving, unknown.terminating) == (True, True, False)
    assert unknown.target is None
    assert [(p.name, p.port, p.protocol) for p in found.ports] == [
        ("", 80, "TCP"),
        ("all", None, "TCP"),
    ]
    assert found.service is None


def test_a_thousand_endpoints_are_the_most_of_a_slice() -> None:
    ends = [{"addresses": ["10.0.0.1"]}] * 1001
    body = {"addressType": "IPv4", "endpoints": ends[:1000]}
    made("EndpointSlice", body, "discovery.k8s.io/v1")
    with pytest.raises(InputError) as caught:
        made("EndpointSlice", {**body, "endpoints": ends * 4}, "discovery.k8s.io/v1")
    assert str(caught.value) == "manifest: endpoints: Too many: 4004: must have at most 1000 items"


def test_readiness_probes() -> None:
    def probe(**given: Any) -> Probe:
        container = {"name": "c", "image": "i", "readinessProbe": given}
        found = made("Pod", {"spec": {"containers": [container]}}).spec.containers[0]
        assert isinstance(found.readiness_probe, Probe)
        return found.readiness_probe

    assert probe(httpGet={"port": "http"}) == Probe(
        HttpGet("http", "/", "", "HTTP", ()), 0, 10, 1, 1, 3
    )
    header = {"name": "X-A", "value": "b"}
    get = {"port": 80, "path": "/ok", "host": "h", "scheme": "HTTPS", "httpHeaders": [header]}
    assert probe(httpGet=get).handler == HttpGet(80, "/ok", "h", "HTTPS", (("X-A", "b"),))
    assert probe(tcpSocket={"port": 80}).handler == TcpSocket(80, "")
    assert probe(grpc={"port": 80}).handler == Grpc(80, "")
    assert probe(grpc={"port": 80, "service": "a.B"}).handler == Grpc(80, "a.B")
    with pytest.raises(InputError) as caught:
        probe(grpc={"port": 0})
    wrong = "spec.containers[0].readinessProbe.grpc.port: Invalid value: 0: must be between 1 and"
    assert wrong in str(caught.value)
    times = {"initialDelaySeconds": 1, "periodSeconds": 2, "timeoutSeconds": 3}
    counts = {"successThreshold": 4, "failureThreshold": 5}
    assert probe(exec={"command": ["a", "b"]}, **times, **counts) == Probe(
        Exec(("a", "b")), 1, 2, 3, 4, 5
    )


def test_no_readiness_probe() -> None:
    pod = made("Pod", {"spec": {"containers": [{"name": "c", "image": "i"}]}})
    assert pod.spec.containers[0].readiness_probe is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"), ("010.000.0.001", "10.0.0.1"),
        ("fd00::1", "fd00::1"), ("FD00:0::0001", "fd00::1"), ("::ffff:10.0.0.1", "10.0.0.1"),
        ("10.0.0", None), ("10.0.0.256", None), ("10.0.0.1/8", None), (" 10.0.0.1", None),
        ("fe80::1%eth0", None), ("", None), ("None", None), ("10.0.0.1\n", None),
        ("\N{FULLWIDTH DIGIT ONE}.2.3.4", None),
    ],
)  # fmt: skip
def test_addresses(text: str, address: str | None) -> None:
    assert parse_address(text) == (None if address is None else ip_address(address))


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.1.2.3/8", "10.0.0.0/8"), ("010.0.0.0/08", "10.0.0.0/8"), ("fd00::1/8", "fd00::/8"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("10.0.0.0", None), ("10.0.0.0/33", None),
        ("10.0.0.0/-1", None),
        ("10.0.0.0/255.0.0.0", None), ("/8", None), ("10.0.0.0/8/8", None),
    ],
)  # fmt: skip
def test_networks(text: str, network: str | None) -> None:
    assert parse_network(text) == (None if network is None else ip_network(network))
