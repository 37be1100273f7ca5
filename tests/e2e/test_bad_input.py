"""Bad input: exit code 2, one message that says what, where and what to do, and nothing left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from machine import Machine, machine_of_its_own

pytestmark = pytest.mark.e2e

PROMPT = 60.0  # seconds, also under software emulation; a fraction of one on an idle machine


@dataclass(frozen=True)
class Bad:
    """One bad input.

    Attributes:
        name: For pytest.
        says: What the message must have, in this order.
        manifest: The text of ``f.yaml``, which ``up`` gets by ``-f``.
        argv: Instead of ``up -f f.yaml``.
        files: Further files.
    """

    name: str
    says: tuple[str, ...]
    manifest: str | None = None
    argv: tuple[str, ...] = ("up", "-f", "f.yaml")
    files: dict[str, str] = field(default_factory=dict)


def _pod(name: str = "a", meta: str = "", spec: str = "", image: str = "pause") -> str:
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata:\n  name: {name}\n{meta}"
        f"spec:\n{spec}  containers:\n  - name: c\n    image: {image}\n"
    )


def _asks_for(*addresses: str, node: str = "n1") -> str:
    note = "  annotations:\n    cni.projectcalico.org/ipAddrs: '[\"{}\"]'\n"
    return "---\n".join(
        _pod(f"p{i}", note.format(address), f"  nodeName: {node}\n")
        for i, address in enumerate(addresses)
    )


def _many(replicas: int) -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n"
        f"  replicas: {replicas}\n  selector: {{matchLabels: {{a: b}}}}\n"
        "  template:\n    metadata: {labels: {a: b}}\n"
        "    spec: {containers: [{name: c, image: pause}]}\n"
    )


def _bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for i in range(1, 12):
        lines.append(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]")
    return "\n".join(lines) + "\n"


MANIFESTS = [
    Bad("colon", ("f.yaml:2: invalid YAML",), "apiVersion: v1\nkind: Pod: x\n"),
    Bad("tab", ("f.yaml:3: invalid YAML", "tabs"), "kind: Pod\nmetadata:\n\tname: a\n"),
    Bad("binary", ("f.yaml:1: not a text file",), "a\0b"),
    Bad("empty", ("f.yaml: holds no Kubernetes object",), "# nothing\n"),
    Bad("kind", ("f.yaml:2: kind: unknown kind 'v1 Pot'", "'v1 Pod'"),
        "apiVersion: v1\nkind: Pot\n"),
    Bad(
        "kind-of-later",
        ("f.yaml:2", "ConfigMap", "not served by this lab"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {a: b}\n",
    ),
    Bad("field", ("f.yaml", "containrs"), _pod().replace("containers", "containrs")),
    Bad("duplicate-pod", ("f.yaml", "document 2", "a"), _pod() + "---\n" + _pod()),
    Bad("duplicate-key", ("f.yaml:5: invalid YAML", "'name'"), _pod(meta="  name: b\n")),
    Bad("name", ("f.yaml:4: metadata.name: Invalid value: \"A_b\"",), _pod("A_b")),
    Bad("long-name", ("f.yaml:4: metadata.name",), _pod("a" * 254)),
    Bad("label", ("f.yaml:6: metadata.labels", "b c"), _pod(meta="  labels:\n    app: b c\n")),
    Bad("label-key", ("f.yaml:6: metadata.labels",), _pod(meta="  labels:\n    /app: b\n")),
    Bad("namespace", ("f.yaml:1", "metadata.namespace", "'shpo'"),
        _pod(meta="  namespace: shpo\n")),
    Bad("node", ("f.yaml:1", "'n9'", "Known: n1, n2, n3"), _pod(spec="  nodeName: n9\n")),
    Bad("image", ("f.yaml", "spec.containers[0].image: unknown image 'nginz:1'", "'nginx'"),
        _pod(image="nginz:1")),
    Bad("foreign-address", ("f.yaml:1", "10.244.2.9", "n1", "10.244.1.0/24"),
        _asks_for("10.244.2.9")),
    Bad("gateway-address", ("f.yaml:1", "10.244.1.1"), _asks_for("10.244.1.1")),
    Bad("no-address", ("f.yaml", "10.244.1.999"), _asks_for("10.244.1.999")),
    Bad("taken-address", ("document 2", "10.244.1.9", "taken"), _asks_for(*["10.244.1.9"] * 2)),
    Bad("bomb", ("f.yaml", "alias"), _bomb()),
    Bad("deep", ("f.yaml", "100"), "[" * 5000 + "]" * 5000),
    Bad("large", ("f.yaml", "4 MiB"), _pod() + "# " + "x" * (10 << 20)),
    Bad("many-documents", ("f.yaml", "4 MiB"), (_pod() + "---\n") * ((10 << 20) // 100)),
]  # fmt: skip

OPTIONS = [
    Bad("no-file", ("absent.yaml: no such file or folder",), argv=("up", "-f", "absent.yaml")),
    Bad("folder", ("void: no manifest in this folder",), argv=("up", "-f", "void"),
        files={"void/readme.txt": "x"}),
    Bad("lab-with-slash", ("--lab: invalid lab name 'a/b'",), argv=("--lab", "a/b", "up")),
    Bad("lab-with-dots", ("--lab: invalid lab name '../x'",), argv=("--lab", "../x", "down")),
    Bad("lab-empty", ("--lab: invalid lab name ''",), argv=("--lab", "", "up")),
    Bad("lab-long", ("--lab: invalid lab name",), argv=("--lab", "x" * 41, "up")),
    Bad("command", ("unknown command 'upp'", "Did you mean 'up'?"), argv=("upp",)),
    Bad("option", ("--cnj",), argv=("up", "--cnj", "bgp")),
    Bad("argument", ("extra",), argv=("up", "extra")),
    Bad("cni", ("--cni: unknown CNI mode 'vxlna'", "Did you mean 'vxlan'?", "Known: bgp"),
        argv=("up", "--cni", "vxlna")),
    Bad("proxy", ("--proxy: unknown proxy mode 'ipvss'",), argv=("up", "--proxy", "ipvss")),
    Bad("policy", ("--policy",), argv=("up", "--policy", "nothing")),
    Bad("ingress", ("--ingress",), argv=("up", "--ingress", "nothing")),
    Bad("topology", ("unknown topology 'leafspin'", "Did you mean 'leafspine'?"),
        argv=("up", "-t", "leafspin")),
    Bad("topology-file", ("absent.yaml",), argv=("up", "-t", "absent.yaml")),
    Bad("topology-yaml", ("t.yaml:2",), argv=("up", "-t", "t.yaml"),
        files={"t.yaml": "hosts: [n1]\nlinks: x: y\n"}),
    Bad("topology-python", ("t.py", "oh no"), argv=("up", "-t", "t.py"),
        files={"t.py": "raise RuntimeError('oh no')\n"}),
    Bad("setting", ("--set: unknown setting 'node'", "Did you mean 'nodes'?", "mtu", "pod_cidr"),
        argv=("up", "--set", "node=3")),
    Bad("setting-without-value", ("--set: 'nodes' is not KEY=VALUE",),
        argv=("up", "--set", "nodes")),
    Bad("setting-twice", ("--set: nodes is given twice",),
        argv=("up", "--set", "nodes=2", "--set", "nodes=3")),
    Bad("no-nodes", ("--set: nodes: invalid value '0'", "from 1 to 200"),
        argv=("up", "--set", "nodes=0")),
    Bad("negative-nodes", ("--set: nodes: invalid value '-1'",), argv=("up", "--set", "nodes=-1")),
    Bad("rate", ("--set: rate: invalid value 'fast'", "1Gbit"), argv=("up", "--set", "rate=fast")),
    Bad("delay", ("--set: delay: invalid value '20'",), argv=("up", "--set", "delay=20")),
    Bad("loss", ("--set: loss: invalid value '101%'",), argv=("up", "--set", "loss=101%")),
    Bad("mtu", ("--set: mtu: invalid value '100'",), argv=("up", "--set", "mtu=100")),
    Bad("no-cidr", ("--set: pod_cidr", "'10.244.0.0/33'"),
        argv=("up", "--set", "pod_cidr=10.244.0.0/33")),
    Bad("cidr-with-host", ("--set: pod_cidr", "'10.244.0.1/16'"),
        argv=("up", "--set", "pod_cidr=10.244.0.1/16")),
    Bad("cidr-of-few-nodes", ("--set: pod_cidr: pod_cidr 10.244.0.0/23 has 2 shares", "3 nodes"),
        argv=("up", "--set", "pod_cidr=10.244.0.0/23")),
    Bad("cidr-of-no-node", ("--set: node_cidr_mask_size", "does not fit"),
        argv=("up", "--set", "pod_cidr=10.244.0.0/28")),
    Bad("overlap-of-services", ("--set: pod_cidr: 10.96.0.0/16 overlaps service_cidr",),
        argv=("up", "--set", "pod_cidr=10.96.0.0/16")),
    Bad("overlap-of-underlay", ("--set: pod_cidr", "overlaps", "192.168.0.0/24"),
        argv=("up", "--set", "pod_cidr=192.168.0.0/16")),
    Bad("services-over-underlay", ("--set: service_cidr", "overlaps", "192.168.0.0/24"),
        argv=("up", "--set", "service_cidr=192.168.0.0/16")),
    Bad("mode-setting", ("--set: bfd: 'maybe'",),
        argv=("up", "--cni", "bgp", "--set", "bfd=maybe")),
    Bad("setting-of-another-mode", ("--set: unknown setting 'bgp_mesh_limit'",),
        argv=("up", "--set", "bgp_mesh_limit=3")),
    Bad("more-pods-than-addresses", ("f.yaml", "address"), _many(20),
        ("up", "-f", "f.yaml", "--set", "pod_cidr=10.244.0.0/26",
         "--set", "node_cidr_mask_size=28", "--set", "nodes=1")),
    Bad("timeout", ("--timeout",), argv=("up", "--timeout", "soon")),
    Bad("plan", ("f.yaml:2: invalid YAML",), "a: b\nkind: Pod: x\n", ("plan", "-f", "f.yaml")),
    Bad("scenario", ("unknown scenario 'pod-latncy'", "Did you mean 'pod-latency'?"),
        argv=("bench", "--scenario", "pod-latncy")),
    Bad("bench-cni", ("unknown CNI mode 'gbp'", "Did you mean 'bgp'?"),
        argv=("bench", "--cni", "gbp")),
    Bad("bench-file", ("absent.yaml",), argv=("bench", "absent.yaml")),
    Bad("bench-key", ("c.yaml:1", "'repaet'", "'repeat'"), argv=("bench", "c.yaml"),
        files={"c.yaml": "repaet: 3\n"}),
    Bad("compare", ("absent",), argv=("compare", "absent", "absent")),
    Bad("report", ("absent",), argv=("report", "absent")),
]  # fmt: skip


@pytest.fixture(scope="module")
def idle() -> Iterator[Machine]:
    """A machine without a lab."""
    with machine_of_its_own() as machine:
        yield machine


@pytest.fixture(scope="module")
def busy() -> Iterator[Machine]:
    """A machine with a lab."""
    with machine_of_its_own() as machine:
        machine.testbed("up", "-f", "-", text=_many(3) + "---\n" + _pod("running"))
        yield machine


@pytest.fixture(scope="module")
def state(busy: Machine) -> list[dict[str, Any]]:
    """Its state before the tests, and after each of them."""
    return _state(busy)


def _refused(machine: Machine, *argv: str, says: tuple[str, ...]) -> None:
    began = time.monotonic()
    done = machine.testbed(*argv, code=2)
    assert time.monotonic() - began < PROMPT
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("testbed: ")
    assert done.stderr.count("testbed: ") == 1
    assert len(done.stderr) < 2000
    position = 0
    for words in says:
        position = done.stderr.find(words, position)
        assert position >= 0, f"{words!r} is not in its place in: {done.stderr}"


@pytest.mark.parametrize("bad", [*MANIFESTS, *OPTIONS], ids=lambda bad: bad.name)
def test_refused(idle: Machine, bad: Bad) -> None:
    for name, text in bad.files.items() | {("f.yaml", bad.manifest or "")}:
        idle.write(name, text)
    before, files = idle.processes, sorted(idle.root.glob("mnt/**/*"))
    _refused(idle, *bad.argv, says=bad.says)
    assert "testbed" not in idle.sockets
    assert idle.processes == before
    assert sorted(idle.root.glob("mnt/**/*")) == files


def test_nothing_is_left(idle: Machine) -> None:
    """Runs after all of the above, whichever of them were chosen."""
    assert idle.labs() == []


def _state(machine: Machine) -> list[dict[str, Any]]:
    return [machine.json("get", kind, "-A") for kind in ("pods", "deployments")]


@pytest.mark.parametrize(
    "bad", [bad for bad in MANIFESTS if bad.name != "empty"], ids=lambda bad: bad.name
)
def test_apply_refuses_and_changes_nothing(
    busy: Machine, state: list[dict[str, Any]], bad: Bad
) -> None:
    good = _pod("good") + "---\n"  # what is good beside it is not done either
    busy.write("all/0.yaml", good)
    busy.write("all/f.yaml", bad.manifest or "")
    processes = busy.processes
    says = tuple(words.replace("f.yaml", "all/f.yaml") for words in bad.says)
    _refused(busy, "apply", "-f", "all", says=says)
    assert _state(busy) == state
    assert busy.processes == processes


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        (_pod("running", image="busybox"), ("f.yaml:1", "cannot be changed", "Delete the pod")),
        (_asks_for("10.244.1.2"), ("f.yaml:1", "10.244.1.2", "taken")),
        (_many(1000), ("f.yaml:1", "address")),
    ],
    ids=["spec-of-a-running-pod", "address-of-a-running-pod", "more-pods-than-addresses"],
)
def test_apply_refuses_what_does_not_fit(
    busy: Machine, state: list[dict[str, Any]], manifest: str, says: tuple[str, ...]
) -> None:
    busy.write("f.yaml", manifest)
    _refused(busy, "apply", "-f", "f.yaml", says=says)
    assert _state(busy) == state


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("apply",), ("-f",)),
        (("delete",), ("KIND",)),
        (("delete", "ns", "kube-system"), ("'kube-system' cannot be deleted",)),
        (("delete", "pod", "running", "absent"), ("'absent' not found",)),
        (("delete", "node", "n1"), ("n1",)),
        (("get",), ("KIND",)),
        (("get", "pods", "-l", "a in (b"), ("a in (b",)),
        (("get", "pods", "-o", "xml"), ("xml",)),
        (("exec", "running"), ("ARGV",)),
        (("exec", "a/b/c", "--", "true"), ("a/b/c",)),
    ],
    ids="-".join,
)
def test_verbs_of_a_running_lab(
    busy: Machine, state: list[dict[str, Any]], argv: tuple[str, ...], says: tuple[str, ...]
) -> None:
    _refused(busy, *argv, says=says)
    assert _state(busy) == state
