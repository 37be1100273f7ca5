"""The view holds what a proxy needs: fates of packets worked out from nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cluster_builders import Manifest
from flows import Fate, Host, Packet, fate

from testbed.cluster import BoundService
from testbed.cluster.proxyview import endpoints_of, ports
from testbed.cluster.serviceview import ProxyView
from testbed.objects import EndpointSlice, Service, from_manifest

SHARED = Path(__file__).parents[4] / "shared/conformance/service.json"
OWN = Path(__file__).with_name("flows.json")


def cases() -> list[Any]:
    """The repository's own scenarios, and the reference's where it is there."""
    found = [(OWN.name, one) for one in json.loads(OWN.read_text())]
    if SHARED.exists():
        found += [(SHARED.name, one) for one in json.loads(SHARED.read_text())["scenarios"]]
    return [pytest.param(one, id=f"{file}: {one['id']}") for file, one in found]


def view(given: list[Manifest]) -> ProxyView:
    """What proxies see of the Services of a scenario, by way of their API objects."""
    services: dict[Any, Any] = {}
    endpoints: dict[Any, Any] = {}
    for one in given:
        bound = BoundService(_service(one), tuple(one.get("loadBalancerIPs", ())))
        found = dict(ports(bound))
        services |= found
        endpoints |= endpoints_of(found, [_slice(one, port) for port in one["ports"]])
    return ProxyView(services, endpoints)


def _service(one: Manifest) -> Service:
    namespace, name = one["name"].split("/")
    kind = "ClusterIP"
    if one.get("loadBalancerIPs"):
        kind = "LoadBalancer"
    elif any("nodePort" in port for port in one["ports"]):
        kind = "NodePort"
    copied = (
        *("clusterIP", "ports", "externalIPs", "internalTrafficPolicy", "externalTrafficPolicy"),
        *("loadBalancerSourceRanges", "sessionAffinity"),
    )
    made = from_manifest(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": kind, **{key: one[key] for key in copied if key in one}},
        }
    )
    assert isinstance(made, Service)
    return made


def _slice(one: Manifest, port: Manifest) -> EndpointSlice:
    conditions = ("ready", "serving", "terminating")
    made = from_manifest(
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "x"},
            "addressType": "IPv4",
            "ports": [
                {"name": port.get("name", ""), "port": port["port"], "protocol": port["protocol"]}
            ],
            "endpoints": [
                {
                    "addresses": [end["ip"]],
                    "conditions": {name: end[name] for name in conditions if name in end},
                    **({"nodeName": end["node"]} if "node" in end else {}),
                }
                for end in one["endpoints"]
            ],
        }
    )
    assert isinstance(made, EndpointSlice)
    return made


@pytest.mark.parametrize("case", cases())
def test_fates(case: Manifest) -> None:
    options = case["options"]
    host = Host(
        "testnode",
        ("192.168.0.2", "192.168.1.2"),
        "10.0.0.0/8" if options["localDetector"] else None,
        options["masqueradeAll"],
        options["localhostNodePorts"],
        tuple(options["nodePortAddresses"] or ()),
    )
    seen = view(case["services"])
    for flow in case["flows"]:
        packet = Packet(flow["src"], flow["protocol"], flow["dst"], flow["dport"])
        expect = flow["expect"]
        found = fate(seen, host, packet)
        wanted = Fate(
            expect["action"],
            tuple(sorted(expect.get("endpoints", ()))),
            expect.get("masquerade", False),
        )
        assert found == wanted, flow["name"]


def test_a_packet_of_nobodys() -> None:
    host = Host("testnode", ("192.168.0.2",), None)
    assert fate(view([]), host, Packet("10.0.0.1", "TCP", "10.96.0.1", 80)) == Fate("none")
