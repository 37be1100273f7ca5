"""What leaves the cluster: whose address is seen, with and without exemption."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from labs import TESTBED, RunningLab, StartLab
from machine import Machine, until

from testbed.go import build

pytestmark = pytest.mark.e2e

PORT = 4000
LISTEN = f"""
import socket
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.bind(("", {PORT}))
print("ready", flush=True)
while True:
    print(link.recvfrom(64)[1][0], flush=True)
"""
SEND = """
import socket, sys
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
link.sendto(b"x", (sys.argv[1], int(sys.argv[2])))
"""
PODS = """\
apiVersion: v1
kind: Pod
metadata: {name: shell}
spec: {nodeName: n1, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: far}
spec: {nodeName: n2, containers: [{name: c, image: pause}]}
"""
OUTSIDE = f"""\
apiVersion: v1
kind: Service
metadata: {{name: outside}}
spec: {{clusterIP: 10.96.0.99, ports: [{{port: 53, protocol: UDP, targetPort: {PORT}}}]}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: outside-1, labels: {{kubernetes.io/service-name: outside}}}}
addressType: IPv4
ports: [{{port: {PORT}, protocol: UDP}}]
endpoints: [{{addresses: [192.168.0.201]}}]
"""


@contextmanager
def listening(lab: RunningLab, target: str) -> Iterator[subprocess.Popen[str]]:
    """Something in a target that says whom each datagram is from."""
    argv = [*TESTBED, "--lab", lab.name, "exec", target, "--", sys.executable, "-c", LISTEN]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def seen(lab: RunningLab, target: str, address: str, port: int = PORT) -> str:
    """Whose address a target sees when the pod ``shell`` sends to an address."""
    with listening(lab, target) as listener:
        lab.exec("default/shell", sys.executable, "-c", SEND, address, str(port))
        assert listener.stdout is not None
        return str(listener.stdout.readline()).strip()


@pytest.mark.parametrize("cni", ["vxlan", "bgp"])
def test_pods_keep_their_address_where_it_is_exempt(lab: StartLab, cni: str) -> None:
    exempt = "egress_exempt=192.168.0.201,192.168.0.12/32"
    started = lab(
        cni=cni,
        manifests=[PODS, OUTSIDE],
        settings=["externals=2", exempt, "masquerade_all=true"],
        options=["--proxy", "iptables"],
    )
    assert seen(started, "external/client", "192.168.0.200") == "192.168.0.11"
    assert seen(started, "external/client2", "192.168.0.201") == "10.244.1.2"
    assert seen(started, "node/n2", "192.168.0.12") == "10.244.1.2"
    assert seen(started, "node/n3", "192.168.0.13") == "192.168.0.11"
    assert seen(started, "far", "10.244.2.2") == "10.244.1.2"
    # What a proxy has marked is masqueraded, also where the destination is exempt.
    assert seen(started, "external/client2", "10.96.0.99", 53) == "192.168.0.11"


GATEWAY = """\
apiVersion: v1
kind: Pod
metadata: {name: shell, labels: {app: chosen}}
spec: {nodeName: n1, containers: [{name: c, image: agnhost, args: [netexec]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: near, labels: {app: chosen}}
spec: {nodeName: n2, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata: {name: other, labels: {app: other}}
spec: {nodeName: n1, containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  externalTrafficPolicy: Local
  selector: {app: chosen}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
"""
POLICY = """\
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: fixed}
spec:
  selectors: [{podSelector: {matchLabels: {app: chosen}}}]
  destinationCIDRs: [0.0.0.0/0]
  excludedCIDRs: [192.168.0.201/32]
  egressGateway:
    nodeSelector:
      matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n2, n3]}]
    egressIP: 192.168.0.50
"""
ASK = f"""
import socket, sys
try:
    with socket.create_connection((sys.argv[1], {PORT}), 1) as link:
        print(link.recv(64).decode())
except OSError as error:
    print(type(error).__name__)
"""
ANSWER = f"""
import socket
with socket.create_server(("", {PORT})) as server:
    print("ready", flush=True)
    while True:
        link, (address, _) = server.accept()
        link.sendall(address.encode())
        link.close()
"""


@contextmanager
def answering(lab: RunningLab, target: str) -> Iterator[None]:
    """Something in a target that tells each client its address as it sees it."""
    argv = [*TESTBED, "--lab", lab.name, "exec", target, "--", sys.executable, "-c", ANSWER]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
        process.kill()


def told(lab: RunningLab, pod: str, address: str = "192.168.0.200") -> str:
    """What a pod is told of its address by a server outside; the error's name without an answer."""
    return lab.exec(f"default/{pod}", sys.executable, "-c", ASK, address).strip()


@pytest.mark.parametrize("cni", ["vxlan", "bgp"])
def test_chosen_pods_leave_through_a_gateway(lab: StartLab, cni: str) -> None:
    started = lab(
        cni=cni, manifests=[GATEWAY], settings=["externals=2"], options=["--proxy", "iptables"]
    )
    with answering(started, "external/client"):
        assert told(started, "shell") == "192.168.0.11"
        said = started.run("apply", "-f", "-", text=POLICY).stdout
        assert said == "ciliumegressgatewaypolicy.cilium.io/fixed created\n"
        assert "fixed" in started.run("get", "cegp").stdout
        assert told(started, "shell") == "192.168.0.50"  # through the tunnel
        assert told(started, "near") == "192.168.0.50"  # the gateway's own pod
        assert told(started, "other") == "192.168.0.11"  # not chosen
        with answering(started, "external/client2"):
            assert told(started, "shell", "192.168.0.201") == "192.168.0.11"  # excluded
        with answering(started, "node/n3"), answering(started, "near"):
            assert told(started, "shell", "192.168.0.13") == "192.168.0.11"  # a node
            assert told(started, "shell", "10.244.2.2") == "10.244.1.2"  # a pod
        # Who asks a chosen pod gets its answer, from whom they have asked.
        seen = started.exec("external/client", "curl", "-sm2", "192.168.0.11:30080/clientip")
        assert seen.startswith("192.168.0.200:")
        started.run("delete", "cegp", "fixed")
        assert told(started, "shell") == "192.168.0.11"
    for node in ("n1", "n2", "n3"):
        left = started.exec(f"node/{node}", "sh", "-c", "ip rule; ip link; ip addr; iptables-save")
        assert "egress" not in left.lower()
        assert "192.168.0.50" not in left
        assert left.count("lookup") == 3
    started.run("apply", "-f", "-", text=POLICY)


def test_another_node_takes_over_when_the_gateway_dies(lab: StartLab) -> None:
    started = lab(manifests=[GATEWAY, POLICY], options=["--proxy", "nftables"])
    with answering(started, "external/client"):
        assert told(started, "shell") == "192.168.0.50"
        started.run("fail", "node", "n2")
        until(lambda: told(started, "shell") == "192.168.0.50", "another gateway", 90)
        assert "192.168.0.50" in started.exec("node/n3", "ip", "-4", "addr")
        started.run("heal", "node", "n2")
        route = ("ip", "route", "show", "table", "all", "dev", "egress")
        until(lambda: "192.168.0.12" in started.exec("node/n1", *route), "n2 again", 90)
        until(lambda: told(started, "shell") == "192.168.0.50", "n2 answers", 90)
        # With neither of them no packet goes another way, and leaks the node's address.
        started.run("fail", "node", "n2")
        started.run("fail", "node", "n3")
        until(lambda: not started.exec("node/n1", *route), "no gateway", 90)
        assert told(started, "shell") not in ("192.168.0.50", "192.168.0.11")
        assert told(started, "other") == "192.168.0.11"


def test_of_two_nodes_the_one_that_is_left_is_the_gateway(lab: StartLab) -> None:
    anybody = POLICY.replace("values: [n2, n3]", "values: [n1, n2]")
    pods = GATEWAY.replace("nodeName: n1", "nodeName: n3").replace("nodeName: n2", "nodeName: n1")
    pods = pods.replace("nodeName: n3", "nodeName: n2")
    started = lab(manifests=[pods, anybody], settings=["nodes=2"])
    with answering(started, "external/client"):
        assert told(started, "shell") == "192.168.0.50"
        started.run("fail", "node", "n1")
        until(lambda: told(started, "shell") == "192.168.0.50", "the node that is left", 90)


EXTERNAL_NAME = """\
---
apiVersion: v1
kind: Service
metadata: {name: partner}
spec: {type: ExternalName, externalName: client.example.com}
"""


@pytest.mark.skipif(build.find("coredns") is None, reason="there is no CoreDNS (docs/dns.md)")
def test_an_external_name_leads_outside(lab: StartLab) -> None:
    started = lab(
        manifests=[GATEWAY, EXTERNAL_NAME],
        settings=["nodes=2"],
        options=["--proxy", "iptables", "--dns", "coredns"],
    )
    with answering(started, "external/client"):
        assert told(started, "other", "partner") == "192.168.0.11"
        assert told(started, "other", "partner.default.svc.cluster.local") == "192.168.0.11"


def test_the_printed_plan_is_a_gateway_too(machine: Machine) -> None:
    shell = ("plan", "--cni", "vxlan", "-f", "-", "-o", "shell")
    script = machine.testbed(*shell, text=f"{GATEWAY}---\n{POLICY}").stdout
    machine.write("plan.sh", script)
    machine.run(
        "sh", "-ec", "timeout 30 sh -e plan.sh >out 2>&1 </dev/null || { cat out; exit 1; }"
    )
    machine.run("ip", "netns", "exec", "default.shell", "ping", "-c1", "-W5", "192.168.0.200")
    rules = machine.run("ip", "netns", "exec", "n2", "iptables-save", "-c", "-t", "nat").stdout
    (rule,) = [line for line in rules.splitlines() if "SNAT" in line and "10.244.1.2/32" in line]
    assert rule.startswith("[1:")
