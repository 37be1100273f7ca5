"""Each mode on each topology, as YAML and as shell commands, and the smallest change between plans.

``UPDATE_GOLDEN=1 pytest tests/golden/test_plans.py`` writes the files anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.objects import parse
from testbed.plan import shell, text
from testbed.plan.diff import diff
from testbed.plan.model import NamespacePlan, Plan
from testbed.spec import Spec, apply, resolve

FOLDER = Path(__file__).parent / "plans"
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: pause}]}
---
apiVersion: v1
kind: Pod
metadata:
  name: fixed
  annotations: {cni.projectcalico.org/ipAddrs: '["10.244.1.9"]'}
spec: {containers: [{name: c, image: pause}]}
"""
NEW_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: late}
spec: {nodeName: n2, containers: [{name: c, image: pause}]}
"""
POLICY = """\
---
apiVersion: cilium.io/v2
kind: CiliumEgressGatewayPolicy
metadata: {name: fixed}
spec:
  selectors: [{podSelector: {matchLabels: {app: web}}}]
  destinationCIDRs: [192.168.0.0/24, 0.0.0.0/0]
  excludedCIDRs: [10.0.0.0/8]
  egressGateway:
    nodeSelector:
      matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [n2, n3]}]
    egressIP: 192.168.0.50
"""
IMPAIRED = {
    "nodes": "1",
    "l1-sp1.delay": "20ms",
    "l1-sp1.jitter": "2ms",
    "sp2-l1.delay": "20ms",
    "sp2-l1.jitter": "2ms",
    "sp2-l1.distribution": "normal",
    "sp2-l1.reorder": "1%",
    "l2-sp1.rate": "10Mbit",
    "l2-sp2.rate": "10Mbit",
    "l2-sp2.limit": "50",
    "n1-s1.loss": "1%",
    "n2-s2.duplicate": "0.1%",
    "n2-s2.corrupt": "0.01%",
    "client-sb100.rate": "100kbit",
    "client-sb100.delay": "300ms",
    "client-sb100.limit": "10",
    "client-sb100.mtu": "576",
}
CASES = {
    "vxlan-single": ("single", "vxlan", {}),
    "vxlan-leafspine": ("leafspine", "vxlan", {}),
    "vxlan-twozone": ("twozone", "vxlan", {}),
    "host-gw-single": ("single", "host-gw", {}),
    "bgp-single": ("single", "bgp", {}),
    "bgp-leafspine": ("leafspine", "bgp", {}),
    "bgp-twozone": ("twozone", "bgp", {}),
    "bgp-reflectors": ("single", "bgp", {"nodes": "4", "bgp_mesh_limit": "3"}),
    "bgp-bfd": ("leafspine", "bgp", {"bfd": "true"}),
    "bgp-balanced": ("leafspine", "bgp", {"nodes": "1", "lb": "bgp"}),
    "vxlan-balanced": ("twozone", "vxlan", {"nodes": "2", "lb": "bgp", "lb_pool": "192.0.2.0/28"}),
    "vxlan-sdn": ("sdn", "vxlan", {"nodes": "1", "spines": "1"}),
    "bgp-sdn-kernel": ("sdn", "bgp", {"nodes": "1", "datapath": "kernel"}),
    "vxlan-dns": ("single", "vxlan", {"nodes": "2", "dns": "coredns"}),
    "vxlan-jumbo": ("single", "vxlan", {"nodes": "2", "mtu": "9000"}),
    "bgp-exempt": ("single", "bgp", {"nodes": "2", "egress_exempt": "192.168.0.201,10.0.0.0/8"}),
    "vxlan-gateway": ("single", "vxlan", {}),
    "vxlan-impaired": ("single", "vxlan", {"rate": "1Gbit", "delay": "5ms", "loss": "1%"}),
    "bgp-impaired": ("leafspine", "bgp", IMPAIRED),
}
MODES = [case for case in CASES if not case.endswith(("-impaired", "-jumbo"))]


def lab(case: str) -> Spec:
    topology, mode, settings = CASES[case]
    manifest = MANIFEST + POLICY * case.endswith("-gateway")
    return resolve(topology, parse(manifest, "app.yaml"), mode, "none", settings)


@pytest.mark.parametrize("case", CASES)
def test_the_plan(case: str) -> None:
    spec = lab(case)
    written = {
        FOLDER / f"{case}.yaml": text.render(spec) + "\n",
        FOLDER / f"{case}.sh": shell.render(spec.plan, spec.topology),
    }
    for golden, now in written.items():
        if os.environ.get("UPDATE_GOLDEN"):
            golden.write_text(now)
        assert now == golden.read_text()


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(CASES)


@pytest.mark.parametrize("case", MODES)
def test_a_plan_needs_no_change_to_become_itself(case: str) -> None:
    change = diff(lab(case).plan, lab(case).plan)
    assert not (change.made or change.gone or change.changed)


@pytest.mark.parametrize("case", MODES)
def test_a_new_pod_touches_its_own_namespace_and_its_nodes(case: str) -> None:
    before = lab(case)
    after = before.with_cluster(apply(before.cluster, parse(NEW_POD, "late.yaml")))
    there = diff(before.plan, after.plan)
    assert set(there.made) == {"pod/default/late"}
    assert not there.gone
    assert set(there.changed) == {"node/n2"}
    assert there.changed["node/n2"].remove == NamespacePlan()
    assert [link.peer_namespace for link in there.changed["node/n2"].add.links] == [
        "pod/default/late"
    ]


@pytest.mark.parametrize("case", MODES)
def test_the_way_back_removes_what_the_way_there_added(case: str) -> None:
    before = lab(case)
    after = before.with_cluster(apply(before.cluster, parse(NEW_POD, "late.yaml")))
    there, back = diff(before.plan, after.plan), diff(after.plan, before.plan)
    assert back.gone == there.made
    assert {name: change.remove for name, change in back.changed.items()} == {
        name: change.add for name, change in there.changed.items()
    }


def test_another_plan_is_reached_from_nothing_by_making_all_of_it() -> None:
    plan = lab("bgp-single").plan
    change = diff(Plan(), plan)
    assert change.made == plan.namespaces
    assert not (change.gone or change.changed)
