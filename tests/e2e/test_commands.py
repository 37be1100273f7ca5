"""The commands as a user types them, one lab for most of the tests."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from machine import TESTBED, Machine, children, machine_of_its_own, until

pytestmark = pytest.mark.e2e

# Reads a little of the checkout, wherever it is, and may nothing else that root may.
NOBODY = (
    *("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"),
    *("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search"),
    "--bounding-set=-all,+dac_read_search",
)

SHOP = """
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web, tier: front}}
spec:
  nodeName: n2
  containers:
  - {name: server, image: agnhost, args: [netexec, --http-port=8080]}
  - name: side
    image: busybox
    command: [sh, -c, 'echo hello from $WHO; echo oops >&2; exec sleep 1000']
    env:
    - {name: WHO, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: TWICE, value: $(WHO)-$(WHO)}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {app: client}}
spec:
  nodeName: n1
  hostname: caller
  containers: [{name: c, image: pause}]
"""

WORKERS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: work}
spec:
  replicas: 3
  selector: {matchLabels: {app: work}}
  template:
    metadata: {labels: {app: work}}
    spec:
      containers: [{name: c, image: alpine, command: [sleep, infinity]}]
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Machine]:
    """A machine with a lab ``shop`` that the tests leave as they found it."""
    with machine_of_its_own() as machine:
        machine.testbed("--lab", "shop", "up", "-f", "-", text=SHOP + "---" + WORKERS)
        yield machine


def _shop(machine: Machine, *argv: str, **options: Any) -> str:
    return machine.testbed("--lab", "shop", *argv, **options).stdout


def _pods(machine: Machine, *argv: str, lab: str = "shop") -> dict[str, Any]:
    items = json.loads(machine.testbed("--lab", lab, "get", "pods", *argv, "-o", "json").stdout)
    return {item["metadata"]["name"]: item for item in items["items"]}


def _pod(name: str, *containers: dict[str, Any], **spec: Any) -> str:
    whole = {"containers": list(containers), **spec}
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}
    )


def _sh(script: str, name: str = "c") -> dict[str, Any]:
    return {"name": name, "image": "busybox", "command": ["sh", "-c", script]}


def _phase(machine: Machine, lab: str, name: str, phase: str) -> dict[str, Any]:
    """A pod, once it is in a phase."""

    def found() -> dict[str, Any] | None:
        pod: dict[str, Any] = _pods(machine, lab=lab)[name]
        return pod if pod["status"]["phase"] == phase else None

    pod = until(found, f"pod {name} is {phase}")
    assert pod is not None
    return pod


# Listing and showing


def test_ls(shop: Machine) -> None:
    (lab,) = shop.json("ls")
    expected = {"name": "shop", "topology": "single", "cni": "vxlan", "proxy": "iptables"}
    assert expected.items() <= lab.items()
    assert lab["pid"] in shop.processes
    header, line = shop.testbed("ls").stdout.splitlines()
    assert header.split()[:4] == ["NAME", "TOPOLOGY", "CNI", "PROXY"]
    assert line.split()[:4] == ["shop", "single", "vxlan", "iptables"]


def test_get_prints_columns(shop: Machine) -> None:
    header, web = _shop(shop, "get", "pods", "-n", "shop", "-o", "wide").splitlines()
    assert header.split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP", "NODE"]
    assert web.split()[:4] + web.split()[5:] == ["web", "2/2", "Running", "0", "10.244.2.2", "n2"]
    everywhere = _shop(shop, "get", "po", "-A").splitlines()
    assert everywhere[0].split()[:2] == ["NAMESPACE", "NAME"]
    assert len(everywhere) == 1 + 5
    nodes = [line.split() for line in _shop(shop, "get", "no").splitlines()[1:]]
    assert [(n[0], n[1], n[3]) for n in nodes] == [
        ("n1", "Ready", "10.244.1.0/24"),
        ("n2", "Ready", "10.244.2.0/24"),
        ("n3", "Ready", "10.244.3.0/24"),
    ]


def test_get_as_data(shop: Machine) -> None:
    listed = json.loads(_shop(shop, "get", "pods", "-A", "-o", "json"))
    assert (listed["apiVersion"], listed["kind"]) == ("v1", "List")
    web = json.loads(_shop(shop, "get", "pod", "web", "-n", "shop", "-o", "json"))
    assert web in listed["items"]
    assert (web["kind"], web["spec"]["nodeName"]) == ("Pod", "n2")
    assert (web["status"]["phase"], web["status"]["podIP"]) == ("Running", "10.244.2.2")
    assert web == yaml.safe_load(_shop(shop, "get", "pod/web", "-n", "shop", "-o", "yaml"))
    deployment = json.loads(_shop(shop, "get", "deploy", "work", "-o", "json"))
    assert (deployment["status"]["replicas"], deployment["status"]["readyReplicas"]) == (3, 3)


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("app=web", ["pod/web"]),
        ("app in (web, client),!tier", ["pod/client"]),
        ("app notin (work)", ["pod/web", "pod/client"]),
        ("app=nothing", []),
    ],
)
def test_get_by_label(shop: Machine, selector: str, names: list[str]) -> None:
    found = _shop(shop, "get", "pods", "-A", "-l", selector, "-o", "name").split()
    assert sorted(found) == sorted(names)


def test_pods_of_a_deployment_are_spread(shop: Machine) -> None:
    pods = _pods(shop, "-l", "app=work").values()
    assert {pod["spec"]["nodeName"] for pod in pods} == {"n1", "n2", "n3"}
    assert {pod["metadata"]["ownerReferences"][0]["name"] for pod in pods} == {"work"}


def test_describe(shop: Machine) -> None:
    pod = _shop(shop, "describe", "pod", "web", "-n", "shop")
    for words in (
        ("Name:", "web"),
        ("Node:", "n2/"),
        ("IP:", "10.244.2.2"),
        ("Labels:", "app=web"),
    ):
        assert any(all(w in line for w in words) for line in pod.splitlines()), words
    assert "n1" in _shop(shop, "describe", "node", "n1")
    assert "3 desired" in _shop(shop, "describe", "deployment", "work")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("get", "pod", "nobody"), 'pods "nobody" not found'),
        (("get", "pots"), "unknown kind 'pots'\n  Did you mean 'pods'?"),
        (("describe", "node", "n9"), 'nodes "n9" not found'),
        (("delete", "pod", "nobody"), "nobody"),
        (("delete", "pod"), "which pods?"),
        (("exec", "nobody", "--", "true"), "pod 'nobody' not found in namespace 'default'"),
        (("exec", "node/n9", "--", "true"), "no node 'n9'"),
        (("exec", "client", "-c", "x", "--", "true"), "container 'x' not found in pod 'client'"),
        (("logs", "nobody"), "'nobody' not found"),
    ],
)
def test_what_is_not_there(shop: Machine, argv: tuple[str, ...], message: str) -> None:
    done = shop.testbed("--lab", "shop", *argv, code=2)
    assert (done.stdout, done.stderr.count("testbed: ")) == ("", 1)
    assert message in done.stderr


# exec and logs


@pytest.mark.parametrize(
    ("script", "code"),
    [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -9 $$", 137)],
)
def test_exec_passes_the_exit_code_on(shop: Machine, script: str, code: int) -> None:
    # The shell around it tells of a signal as every shell does.
    line = (*TESTBED, "--lab", "shop", "exec", "client", "--", "sh", "-c", script)
    shop.run("sh", "-c", '"$@"; exit $?', "sh", *line, code=code)


def test_exec_of_no_program(shop: Machine) -> None:
    done = shop.testbed("--lab", "shop", "exec", "client", "--", "no-such-program", code=127)
    assert "no-such-program" in done.stderr


def test_exec_passes_input_on_when_asked(shop: Machine) -> None:
    assert _shop(shop, "exec", "-i", "client", "--", "cat", text="a\nb\n") == "a\nb\n"
    assert _shop(shop, "exec", "client", "--", "cat", text="a\nb\n") == ""


def test_exec_leaves_the_programs_own_options_alone(shop: Machine) -> None:
    said = _shop(shop, "exec", "client", "--", "echo", "--lab", "x", "-n", "--", "y")
    assert said == "--lab x -n -- y\n"


def test_a_container_has_its_own_environment(shop: Machine) -> None:
    argv = ("exec", "-n", "shop", "web", "-c", "side", "--", "sh", "-c", "echo $WHO $TWICE $HOME")
    assert _shop(shop, *argv) == "10.244.2.2 10.244.2.2-10.244.2.2 /root\n"
    other = _shop(shop, "exec", "-n", "shop", "web", "--", "env", env={"SECRET": "of the caller"})
    assert "HOSTNAME=web" in other.splitlines()
    assert "WHO=" not in other
    assert "SECRET" not in other


@pytest.mark.parametrize(
    ("target", "host", "address"),
    [
        ("client", "caller", "10.244.1.2"),
        ("node/n2", "n2", "192.168.0.12"),
        ("external/client", "client", "192.168.0.200"),
    ],
)
def test_exec_enters_pods_nodes_and_externals(
    shop: Machine, target: str, host: str, address: str
) -> None:
    said = _shop(shop, "exec", target, "--", "sh", "-c", "hostname; ip -4 -o address")
    assert said.splitlines()[0] == host
    assert address in said


def test_exec_enters_routers(machine: Machine) -> None:
    machine.testbed("--lab", "zones", "up", "-t", "twozone")
    forwards = ("exec", "router/r1", "--", "cat", "/proc/sys/net/ipv4/ip_forward")
    assert machine.testbed("--lab", "zones", *forwards).stdout == "1\n"


def test_hosts_file_and_host_name(shop: Machine) -> None:
    said = _shop(shop, "exec", "client", "--", "cat", "/etc/hostname", "/etc/hosts")
    assert said.splitlines()[0] == "caller"
    assert "10.244.1.2\tcaller" in said
    resolved = _shop(shop, "exec", "client", "--", "getent", "hosts", "caller")
    assert resolved.split() == ["10.244.1.2", "caller"]


def test_logs(shop: Machine) -> None:
    assert _shop(shop, "logs", "-n", "shop", "web", "-c", "side") == "hello from 10.244.2.2\noops\n"
    assert _shop(shop, "logs", "client") == ""


def test_containers_of_a_pod_share_its_namespaces(shop: Machine) -> None:
    show = ("--", "readlink", "/proc/self/ns/net", "/proc/self/ns/uts", "/proc/self/ns/mnt")
    server, side, other = (
        _shop(shop, "exec", *pod, *show)
        for pod in (
            ("-n", "shop", "web", "-c", "server"),
            ("-n", "shop", "web", "-c", "side"),
            ("client",),
        )
    )
    assert server == side
    assert not set(server.split()) & set(other.split())
    local = _shop(
        shop, "exec", "-n", "shop", "web", "-c", "side", "--",
        *("curl", "-s", "--retry", "5", "--retry-connrefused", "http://127.0.0.1:8080/hostname"),
    )  # fmt: skip
    assert local == "web"
    # The containers' own processes are there too, not just what exec starts.
    processes = _shop(shop, "exec", "-n", "shop", "web", "--", "sh", "-c", "ls -l /proc/*/ns/uts")
    uts = server.split()[1]
    assert processes.count(uts) >= 2 + 1


# apply and delete


@pytest.fixture
def lab(machine: Machine) -> Machine:
    """The machine, with a lab ``default`` of the test's own."""
    machine.testbed("up", "-f", "-", text=WORKERS)
    return machine


def _processes(machine: Machine) -> dict[str, str]:
    """Pod → process and its start time, of the workers."""
    script = (
        "for p in /proc/[0-9]*; do [ \"$(tr '\\0' ' ' < $p/cmdline)\" = 'sleep infinity ' ] && "
        "echo $(nsenter --uts=$p/ns/uts hostname) ${p#/proc/} $(cut -d' ' -f22 $p/stat); done; true"
    )
    said = machine.testbed("exec", "node/n1", "--", "sh", "-c", script).stdout
    return dict(line.split(" ", 1) for line in said.splitlines())


def test_apply_says_what_it_did_and_leaves_the_rest_alone(lab: Machine) -> None:
    pods, processes = _pods(lab, lab="default"), _processes(lab)
    assert processes.keys() == pods.keys()
    more = WORKERS.replace("replicas: 3", "replicas: 5")
    apply = ("apply", "-f", "-")
    assert lab.testbed(*apply, text=WORKERS).stdout == "deployment.apps/work unchanged\n"
    extra = _pod("extra", {"name": "c", "image": "pause"})
    said = lab.testbed(*apply, text=f"{more}---\n{extra}").stdout.splitlines()
    assert said == ["deployment.apps/work configured", "pod/extra created"]
    after = _pods(lab, lab="default")
    assert len(after) == 3 + 2 + 1
    assert {name: after[name] for name in pods} == pods
    assert processes.items() <= _processes(lab).items()
    addresses = {pod["status"]["podIP"] for pod in after.values()}
    assert len(addresses) == len(after)
    ping = ("ping", "-c1", "-W2", "-q")
    for pod in after.values():  # the dataplane has the change once apply has returned
        lab.testbed("exec", "extra", "--", *ping, pod["status"]["podIP"])


def test_a_smaller_deployment_loses_pods_only(lab: Machine) -> None:
    pods, processes = _pods(lab, lab="default"), _processes(lab)
    lab.testbed("apply", "-f", "-", text=WORKERS.replace("replicas: 3", "replicas: 1"))
    ((name, pod),) = _pods(lab, lab="default").items()
    assert pod == pods[name]
    assert _processes(lab) == {name: processes[name]}


def test_a_new_template_replaces_the_pods(lab: Machine) -> None:
    pods = _pods(lab, lab="default")
    lab.testbed("apply", "-f", "-", text=WORKERS.replace("infinity]", "'3600']"))
    after = _pods(lab, lab="default")
    assert len(after) == 3
    assert not after.keys() & pods.keys()
    assert not _processes(lab)


def test_a_deployments_pod_is_replaced(lab: Machine) -> None:
    before = _pods(lab, lab="default")
    gone = min(before)
    assert lab.testbed("delete", "pod", gone).stdout == f'pod "{gone}" deleted\n'
    after = _pods(lab, lab="default")
    assert len(after) == 3
    assert gone not in after
    assert len(after.keys() & before.keys()) == 2


def test_delete_by_kind_by_file_and_with_its_namespace(lab: Machine) -> None:
    lab.testbed("apply", "-f", lab.write("shop/all.yaml", SHOP))
    lab.testbed("exec", "client", "--", "ping", "-c1", "-W2", "10.244.2.3")
    lab.testbed("delete", "pod", "client")
    assert "client" not in _pods(lab, "-A", lab="default")
    assert lab.testbed("delete", "ns", "shop").stdout == 'namespace "shop" deleted\n'
    assert "web" not in _pods(lab, "-A", lab="default")
    assert "shop" not in lab.testbed("get", "ns", "-o", "name").stdout
    lab.testbed("apply", "-f", "shop")
    lab.testbed("delete", "-f", "shop")
    assert len(_pods(lab, "-A", lab="default")) == 3
    lab.testbed("delete", "-f", "-", text=WORKERS)
    assert _pods(lab, "-A", lab="default") == {}
    assert "No resources found" in lab.testbed("get", "pods").stderr


# The life of pods


def test_jobs_end(lab: Machine) -> None:
    jobs = [
        _pod("well", _sh("exit 0"), restartPolicy="Never"),
        _pod("badly", _sh("exit 3"), restartPolicy="Never"),
        _pod("killed", _sh("kill -9 $$$$"), restartPolicy="Never"),
        _pod("content", _sh("exit 0"), restartPolicy="OnFailure"),
    ]
    lab.testbed("apply", "-f", "-", text="---\n".join(jobs))
    for name, phase, code, reason in (
        ("well", "Succeeded", 0, "Completed"),
        ("content", "Succeeded", 0, "Completed"),
        ("badly", "Failed", 3, "Error"),
        ("killed", "Failed", 137, "Error"),
    ):
        (status,) = _phase(lab, "default", name, phase)["status"]["containerStatuses"]
        ended = status["state"]["terminated"]
        assert (name, ended["exitCode"], ended["reason"]) == (name, code, reason)
    table = lab.testbed("get", "pods").stdout
    assert [line.split()[2] for line in table.splitlines() if line.startswith("well")] == [
        "Completed"
    ]


def test_a_container_that_fails_is_started_again_later(lab: Machine) -> None:
    lab.testbed("apply", "-f", "-", text=_pod("again", _sh("echo tried; exit 1")))
    until(
        lambda: _pods(lab, lab="default")["again"]["status"].get("reason") == "CrashLoopBackOff",
        "the pod is in CrashLoopBackOff",
    )
    (status,) = _pods(lab, lab="default")["again"]["status"]["containerStatuses"]
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert lab.testbed("logs", "again").stdout == "tried\n"


def test_init_containers_run_one_after_the_other_and_first(lab: Machine) -> None:
    step = "echo {0} >> /tmp/order; cat /tmp/order"
    pod = _pod(
        "steps",
        _sh(step.format("main") + "; sleep 1000", "main"),
        initContainers=[_sh(step.format("one"), "one"), _sh(step.format("two"), "two")],
    )
    lab.testbed("apply", "-f", "-", text=pod)
    _phase(lab, "default", "steps", "Running")
    until(lambda: lab.testbed("logs", "steps").stdout == "one\ntwo\nmain\n", "all have run")
    assert lab.testbed("logs", "steps", "-c", "two").stdout == "one\ntwo\n"
    stuck = _pod(
        "stuck", _sh("echo never"), initContainers=[_sh("exit 1", "i")], restartPolicy="Never"
    )
    lab.testbed("apply", "-f", "-", text=stuck)
    _phase(lab, "default", "stuck", "Failed")
    assert lab.testbed("logs", "stuck").stdout == ""


def test_a_command_that_does_not_exist(machine: Machine) -> None:
    bad = _pod("bad", {"name": "c", "image": "x", "command": ["no-such-program"]})
    done = machine.testbed("up", "--timeout", "2", "-f", "-", text=bad + "---\n" + WORKERS, code=4)
    assert done.stderr.count("testbed: ") == 1
    for word in ("default/bad", "no-such-program", "after 2 s"):
        assert word in done.stderr
    assert machine.labs() == ["default"]
    pods = _pods(machine, lab="default")
    assert pods["bad"]["status"]["reason"] in ("StartError", "CrashLoopBackOff")
    (state,) = pods["bad"]["status"]["containerStatuses"]
    assert state["lastState"]["terminated"]["reason"] == "StartError"
    assert not state["ready"]
    assert {p["status"]["phase"] for n, p in pods.items() if n != "bad"} == {"Running"}


# Which lab, and its end


def test_the_lab_is_chosen_by_option_or_environment(machine: Machine) -> None:
    machine.testbed("up", "--lab", "one", "--set", "nodes=1")
    machine.testbed("up", "--set", "nodes=2", env={"TESTBED_LAB": "two"})
    count = ("get", "nodes", "-o", "name")
    for argv, env, nodes in (
        (("--lab", "one", *count), {}, 1),
        ((*count, "--lab", "two"), {}, 2),
        (count, {"TESTBED_LAB": "two"}, 2),
        ((*count, "--lab=one"), {"TESTBED_LAB": "two"}, 1),
    ):
        assert len(machine.testbed(*argv, env=env).stdout.split()) == nodes
    assert sorted(machine.labs()) == ["one", "two"]
    assert "no lab 'default' runs" in machine.testbed(*count, code=4).stderr
    machine.testbed("down", env={"TESTBED_LAB": "two"})
    assert machine.labs() == ["one"]


def test_down(machine: Machine) -> None:
    assert machine.testbed("down").stdout == ""
    for name in ("a", "b", "default"):
        machine.testbed("--lab", name, "up", "--set", "nodes=1")
    before = machine.processes
    machine.testbed("down", "--all")
    assert machine.labs() == []
    assert machine.processes < before
    assert machine.supervisors() == []
    assert machine.testbed("down", "--all").stderr == ""
    assert machine.testbed("ls").stdout == "No lab runs.\n"


def test_the_programs_of_root_are_found_with_the_path_of_a_user(machine: Machine) -> None:
    """`su` without `-` leaves a user's PATH, which has no folder of ip, iptables and modprobe."""
    user = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    machine.testbed("up", "--set", "nodes=1", env=user)
    machine.testbed("exec", "node/n1", "--", "iptables", "-S", env=user)
    machine.testbed("down", env=user)


def test_a_second_up_changes_nothing(lab: Machine) -> None:
    before = _pods(lab, lab="default")
    done = lab.testbed("up", "-f", "-", text=SHOP, code=2)
    assert (done.stdout, done.stderr.count("testbed: ")) == ("", 1)
    assert "lab 'default' already runs" in done.stderr
    assert _pods(lab, "-A", lab="default") == before


def test_an_interrupted_up_leaves_nothing(machine: Machine) -> None:
    bad = _pod("bad", {"name": "c", "image": "x", "command": ["no-such-program"]})
    before = machine.processes
    up = machine.start(*TESTBED, "up", "-f", machine.write("bad.yaml", bad))
    until(machine.supervisors, "a supervisor runs")
    (command,) = children(up.pid)
    os.kill(command, signal.SIGINT)
    said = up.communicate(timeout=60)
    assert up.returncode == 130, said
    assert said == ("", said[1])
    assert said[1].splitlines()[-1] == "testbed: interrupted"
    until(lambda: machine.processes == before, "all processes are gone", 30)
    assert machine.labs() == []


# plan


@pytest.mark.parametrize("output", ["yaml", "shell"])
def test_plan_needs_no_root_and_changes_nothing(machine: Machine, output: str) -> None:
    path, links = machine.write("shop.yaml", SHOP), machine.run("ip", "-j", "link").stdout
    before = machine.processes
    options = ("plan", "-f", path, "--cni", "bgp", "-o", output)
    said = machine.run(*NOBODY, *TESTBED, *options).stdout
    assert said == machine.testbed(*options).stdout
    assert "10.244.2.2" in said
    assert output == "shell" or isinstance(yaml.safe_load(said), dict)
    assert machine.labs() == []
    assert (machine.processes, machine.run("ip", "-j", "link").stdout) == (before, links)


def test_up_needs_root(machine: Machine) -> None:
    done = machine.run(*NOBODY, *TESTBED, "up", code=3)
    assert done.stderr == "testbed: a lab needs root\n  Run the same command with sudo.\n"
