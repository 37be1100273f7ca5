"""What the guest is, from inside; all in one virtual machine."""

from __future__ import annotations

import json

import pytest
from machines import StartVmLab, Vm

NEEDED = ("ipvs", "netem", "openvswitch", "ipip", "wireguard", "dummy", "sctp")


def test_it_has_every_feature(vm: Vm) -> None:
    features = json.loads(vm.testbed("doctor", "-o", "json").stdout)["features"]
    assert {name: features[name]["present"] for name in NEEDED} == dict.fromkeys(NEEDED, True)


def test_a_virtual_machine_in_it_is_refused(vm: Vm) -> None:
    said = vm.testbed("vm", "--", "true", code=2).stderr
    assert "this is the virtual machine already" in said


@pytest.mark.parametrize("cni", ["vxlan", "bgp"])
def test_a_lab_in_it_is_a_cluster_network(vm_lab: StartVmLab, cni: str) -> None:
    lab = vm_lab(cni=cni)
    found = json.loads(lab.run("conformance", "-o", "json").stdout)
    assert found["passed"]
    assert {check["name"] for check in found["checks"]} >= {"pod-to-pod-tcp", "path-mtu"}
