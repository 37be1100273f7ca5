"""Proxy mode userspace by real connections: as the others, but for what a relay cannot do.

Every endpoint sees the node; the policy Local, source ranges and hints of the client's address mean
nothing; a Service without endpoints takes connections of TCP and closes them, and swallows UDP.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace

import pytest
from labs import RunningLab, StartLab
from servicetraffic import LOCAL, NODE, SECOND, Flow, ask, check, prepare, service
from test_service_traffic import FLOWS, SERVICES

pytestmark = pytest.mark.e2e

EVERYWHERE = {
    "Local: external IP": ("local-0", "local-1", "remote-0"),
    "Local: load balancer": ("local-0", "local-1", "remote-0"),
    "Local: node port": ("local-0", "local-1", "remote-0"),
    "none here": ("remote-0",),
    "not allowed": ("local-0",),
}
"""What iptables keeps from somewhere, and a relay does not."""


def relayed(flow: Flow) -> Flow:
    """A flow as a relay has it."""
    servers = EVERYWHERE.get(flow.title, flow.servers)
    if flow.title == "internal, none here":
        servers = ("remote-0",)  # with a node port, others may go there; so all do
    return replace(flow, servers=servers, masquerade=True, otherwise="refused")


MORE = "\n---\n".join(
    [
        service("sticky", ["local-1", "remote-0", "remote-1"], clusterIP="10.96.9.12",
                type="NodePort", nodePort=30012, sessionAffinity="ClientIP"),
        service("silence", [], "UDP", clusterIP="10.96.9.13"),
    ]
)  # fmt: skip
DIFFERENT = (
    Flow("node port on localhost", "localhost", "127.0.0.1", 30001, ("local-0", "remote-0"), True),
    Flow("second address", "client", SECOND, 30001, ("local-0", "remote-0"), True),
    Flow("no endpoint of UDP", "pod", "10.96.9.13", 80, otherwise="silent", protocol="UDP"),
    Flow("the relay's own port", "client", NODE, 20240),
    Flow("UDP from the node", "node", "10.96.9.9", 80, ("local-3", "remote-2"), protocol="UDP"),
)


@pytest.fixture(scope="module", params=["vxlan", "bgp"])
def running(request: pytest.FixtureRequest, shared_lab: StartLab) -> RunningLab:
    options = ("--proxy", "userspace")
    found = shared_lab(
        cni=request.param, manifests=(SERVICES, MORE), options=options, settings=("nodes=2",)
    )
    prepare(found)
    return found


def who(lab: RunningLab, source: str, address: str, times: int, port: int = 80) -> list[str]:
    probe = {"protocol": "TCP", "address": address, "port": port, "tries": times}
    [outcomes] = ask(lab, source, [{**probe, "want": ["nobody"]}])
    return [one[1] for one in outcomes if one[0] == "answered"]


def test_each_address_leads_where_it_should(running: RunningLab) -> None:
    assert not check(running, (*map(relayed, FLOWS), *DIFFERENT))


def test_a_pod_reaches_itself_through_its_service(running: RunningLab) -> None:
    probe = {"protocol": "TCP", "address": "10.96.9.11", "port": 80, "tries": 1, "want": []}
    [[outcome]] = ask(running, "default/local-3", [probe])
    assert outcome[:2] == ["answered", "local-3"]
    assert outcome[2] != LOCAL["local-3"]


def test_endpoints_in_turn(running: RunningLab) -> None:
    """3,000 connections to three endpoints: exactly even, so that chi-square is 0.

    One after the other: a server whose queue is full is passed over after 250 ms.
    """
    counts = Counter(who(running, "pod", "10.96.9.10", 3000))
    assert counts == dict.fromkeys(("local-1", "remote-0", "remote-1"), 1000)


def test_a_client_stays_at_its_endpoint_whichever_address_it_uses(running: RunningLab) -> None:
    first, *others = who(running, "client", "10.96.9.12", 6)
    assert {*others, *who(running, "client", NODE, 3, 30012)} == {first}
    assert len(others) == 5


def test_a_change_and_a_relay_that_has_died(running: RunningLab) -> None:
    """Endpoints and Services come and go; a relay that was killed knows all after a change."""

    def change(*names: str) -> None:
        text = service("late", names, clusterIP="10.96.9.30", type="NodePort", nodePort=30030)
        running.run("apply", "-f", "-", text=text)

    for names in (("local-0",), ("local-0", "remote-0"), ("remote-1",), ()):
        change(*names)
        flows = [Flow("late", "client", ip, port, names) for ip, port in AT]
        assert not check(running, flows)
    held = running.exec("node/n1", "ss", "-Hltnp", "sport = :20240")
    (number,) = set(re.findall(r"pid=(\d+)", held))
    running.exec("node/n1", "kill", "-9", number)
    change("local-1")
    assert not check(running, [Flow("late", "client", ip, port, ("local-1",)) for ip, port in AT])
    assert set(who(running, "pod", "10.96.9.10", 3)) == {"local-1", "remote-0", "remote-1"}
    running.run("delete", "endpointslice", "late-1")
    running.run("delete", "service", "late")
    assert not who(running, "client", NODE, 1, 30030)


AT = (("10.96.9.30", 80), (NODE, 30030))


SESSION = """
import socket, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
    link.settimeout(5)
    link.connect(("10.96.9.9", 80))
    for pause in (0.0, 0.05, 0.05, 0.05, 0.6):
        time.sleep(pause)
        link.send(b"hostname")
        print(link.recv(2048).decode())
"""


def test_a_session_of_udp_ends_when_nothing_is_sent(running: RunningLab) -> None:
    """After 250 ms it is the next endpoint's turn, though the client's port is the same."""
    *during, after = running.exec("default/asker", sys.executable, "-c", SESSION).split()
    assert len(set(during)) == 1
    assert {*during, after} == {"local-3", "remote-2"}


def test_what_the_suite_of_services_says(running: RunningLab) -> None:
    """It is what no process between client and endpoint can do that fails."""
    done = running.run("conformance", "--suite", "services", "-o", "json", code=1)
    failed = {one["name"] for one in json.loads(done.stdout)["checks"] if not one["passed"]}
    assert failed == {"cluster-ip-tcp", "cluster-ip-udp", "no-endpoints"}


ECHO = f"""\
apiVersion: v1
kind: Pod
metadata: {{name: echo, labels: {{app: echo}}}}
spec:
  nodeName: n2
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: busybox
    command:
    - {sys.executable}
    - -c
    - |
      import socket
      with socket.create_server(("", 80)) as server:
          while True:
              with server.accept()[0] as link:
                  link.sendall(b"".join(iter(lambda: link.recv(1 << 16), b"")))
---
apiVersion: v1
kind: Service
metadata: {{name: echo}}
spec: {{clusterIP: 10.96.9.40, selector: {{app: echo}}, ports: [{{port: 80}}]}}
"""
SEND = """
import socket, threading
link = socket.create_connection(("10.96.9.40", 80), 20)
data = bytes(range(256)) * 40000
def send():
    link.sendall(data)
    link.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
print(b"".join(iter(lambda: link.recv(1 << 16), b"")) == data)
"""


def test_one_half_of_a_connection_may_end_before_the_other(running: RunningLab) -> None:
    """Ten megabytes to a server that answers when it has them all."""
    running.run("apply", "-f", "-", text=ECHO)
    assert running.exec("default/asker", sys.executable, "-c", SEND).strip() == "True"
    running.run("delete", "-f", "-", text=ECHO)
