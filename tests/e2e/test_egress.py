"""What leaves the cluster: whose address is seen, with and without exemption."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from labs import TESTBED, RunningLab, StartLab

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
        return listener.stdout.readline().strip()


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
