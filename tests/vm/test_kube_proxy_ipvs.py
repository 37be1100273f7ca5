"""The real kube-proxy in its ipvs mode: it serves, and is waited for.

It takes minutes in software emulation, so only where ``FIDELITY_IPVS`` is in the environment.
"""

from __future__ import annotations

import os

import pytest
from machines import StartVmLab
from servicetraffic import NODE, PODS, Flow, check, prepare, service

pytestmark = [
    pytest.mark.usefixtures("kube_proxy"),
    pytest.mark.skipif(not os.environ.get("FIDELITY_IPVS"), reason="FIDELITY_IPVS asks for it"),
]
BOTH = ("local-0", "remote-0")
SERVICES = [
    PODS,
    service("both", list(BOTH), clusterIP="10.96.9.1", type="NodePort", nodePort=30001),
    service("nobody", [], clusterIP="10.96.9.5"),
    service("datagrams", ["local-3"], "UDP", clusterIP="10.96.9.9"),
]
FLOWS = (
    Flow("cluster IP", "pod", "10.96.9.1", 80, BOTH, False),
    Flow("node port", "client", NODE, 30001, BOTH, True),
    Flow("no endpoints", "pod", "10.96.9.5", 80),
    Flow("UDP", "pod", "10.96.9.9", 80, ("local-3",), False, protocol="UDP"),
)


def test_it_serves_and_follows_changes(vm_lab: StartVmLab) -> None:
    running = vm_lab(
        manifests=["\n---\n".join(SERVICES)],
        options=("--proxy", "kube-proxy-ipvs"),
        settings=("nodes=2",),
    )
    prepare(running)
    assert not check(running, FLOWS)
    servers = running.exec("node/n1", "ipvsadm", "-Sn")
    assert "-A -t 10.96.9.1:80 -s rr" in servers
    running.run("apply", "-f", "-", text=service("moving", ["remote-1"], clusterIP="10.96.9.20"))
    assert not check(running, [Flow("new", "pod", "10.96.9.20", 80, ("remote-1",), False)])
    running.run("apply", "-f", "-", text=service("moving", ["local-1"], clusterIP="10.96.9.20"))
    assert not check(running, [Flow("moved", "pod", "10.96.9.20", 80, ("local-1",), False)])
