"""Load balancers' addresses from outside the cluster: by ARP and by BGP, and when a node dies."""

from __future__ import annotations

import json

import pytest
from labs import RunningLab, StartLab
from machine import until

from testbed.cluster.announcers import answering

pytestmark = pytest.mark.e2e

WEB = """\
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  nodeName: n3
  containers: [{name: c, image: agnhost, args: [netexec]}]
"""
SERVICE = """\
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: {policy}
  loadBalancerIP: {address}
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"""
NODES = ("n1", "n2", "n3")
CLUSTER = next(
    address
    for address in (f"198.51.100.{i}" for i in range(10, 250))
    if answering({address: NODES}, NODES)[address] == "n1"
)
"""An address that n1, which has no endpoint, answers for while it lives."""
LOCAL = "198.51.100.9"
MANIFEST = (
    WEB
    + SERVICE.format(name="cluster", policy="Cluster", address=CLUSTER)
    + SERVICE.format(name="local", policy="Local", address=LOCAL)
)
MACS = {f"n{i}": f"02:00:c0:a8:00:{10 + i:02x}" for i in (1, 2, 3)}  # 192.168.0.1i


def client_seen(lab: RunningLab, address: str) -> str:
    """Who the pod sees when the client asks through an address; empty for no answer."""
    argv = ("curl", "-sS", "-m", "2", f"http://{address}/clientip")
    done = lab.run("exec", "external/client", "--", *argv, code=None)
    return done.stdout.rpartition(":")[0] if done.returncode == 0 else ""


def neighbour(lab: RunningLab, address: str) -> str:
    """The hardware address that the client has for an address."""
    found = json.loads(lab.exec("external/client", "ip", "-j", "neigh", "show", address))
    return str(found[0].get("lladdr", "")) if found else ""


def routes(lab: RunningLab, router: str, address: str) -> list[str]:
    """The next hops that a router has for an address."""
    text = lab.exec(f"router/{router}", "ip", "-j", "route", "show", f"{address}/32")
    found = json.loads(text or "[]")
    hops = [hop for route in found for hop in route.get("nexthops", [route])]
    return sorted(hop["gateway"] for hop in hops)


def test_one_node_answers_for_an_address_and_another_when_it_dies(lab: StartLab) -> None:
    started = lab(manifests=[MANIFEST], options=["--proxy", "iptables"])
    assert client_seen(started, LOCAL) == "192.168.0.200"  # nobody's but the client's own
    assert neighbour(started, LOCAL) == MACS["n3"]  # the only one with an endpoint
    assert client_seen(started, CLUSTER) == "10.244.1.0"  # n1's, who has masqueraded it
    assert neighbour(started, CLUSTER) == MACS["n1"]
    started.run("fail", "node", "n1")
    until(lambda: client_seen(started, CLUSTER) not in ("", "10.244.1.0"), "another node", 90)
    assert neighbour(started, CLUSTER) in (MACS["n2"], MACS["n3"])
    started.run("heal", "node", "n1")
    until(lambda: neighbour(started, CLUSTER) == MACS["n1"], "n1 again", 90)
    assert client_seen(started, CLUSTER) == "10.244.1.0"
    started.run("delete", "service", "cluster")
    started.exec("external/client", "ip", "neigh", "flush", "all")
    assert not client_seen(started, CLUSTER)
    assert client_seen(started, LOCAL)
    started.run("delete", "pod", "web")
    started.exec("external/client", "ip", "neigh", "flush", "all")
    assert not client_seen(started, LOCAL)
    assert neighbour(started, LOCAL) == ""  # without an endpoint nobody answers


@pytest.mark.parametrize("cni", ["vxlan", "bgp"])
def test_routers_learn_of_the_nodes_that_answer(lab: StartLab, cni: str) -> None:
    started = lab(
        topology="leafspine",
        cni=cni,
        manifests=[MANIFEST],
        settings=["lb=bgp"],
        options=["--proxy", "nftables"],
    )
    assert routes(started, "l1", CLUSTER) == ["192.168.1.11", "192.168.1.12"]
    assert routes(started, "l2", CLUSTER) == ["192.168.2.11", "192.168.2.12"]
    assert routes(started, "l2", LOCAL) == ["192.168.2.11"]
    assert routes(started, "l1", LOCAL) == ["10.0.1.0", "10.0.2.0"]  # the spines
    assert len(routes(started, "b1", CLUSTER)) == 2
    assert client_seen(started, LOCAL) == "192.168.100.200"
    assert client_seen(started, CLUSTER) not in ("", "192.168.100.200")
    started.run("delete", "pod", "web")
    for router, address in (("l2", LOCAL), ("l2", CLUSTER), ("b1", CLUSTER)):
        until(lambda at=(router, address): not routes(started, *at), f"no {address} at {router}")


def test_addresses_behind_a_router_are_reached_by_arp_too(lab: StartLab) -> None:
    """The pool is on the first rack's link: its leaf tells the fabric."""
    started = lab(topology="leafspine", manifests=[MANIFEST], options=["--proxy", "nftables-flat"])
    assert client_seen(started, CLUSTER)
    assert not client_seen(started, LOCAL)  # its endpoint is in the other rack, as with MetalLB
    answer = started.exec("external/client", "ip", "route", "get", CLUSTER)
    assert "via 192.168.100.1" in answer
