"""The host is the same before, during and after a lab; labs and users do not meet."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from machine import TESTBED, Machine, until

pytestmark = pytest.mark.e2e

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
# May read and search everything, wherever the checkout is, but is not root.
READER = (*NOBODY, "--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")

MOVING = {  # sysctls whose values move by themselves, and why
    r"fs\.(dentry-state|inode-nr|inode-state|file-nr|aio-nr)": "what is cached and open",
    r"kernel\.ns_last_pid": "the last process that was started",
    r"kernel\.pty\.nr": "terminals that are open",
    r"kernel\.random\.(uuid|entropy_avail)": "random at each reading",
    r"net\.netfilter\.nf_conntrack_count": "connections of this moment",
}

LABS = (  # between them everything that writes into the kernel: VXLAN, FRR, iptables, tc, routers
    ("--cni", "vxlan", "--set", "rate=100Mbit"),
    ("--cni", "bgp", "-t", "leafspine", "--set", "nodes=1"),
)

POD = """
apiVersion: v1
kind: Pod
metadata: {name: writer}
spec:
  containers:
  - name: c
    image: busybox
    command:
    - sh
    - -c
    - for d in /tmp /var/tmp /var/log /run; do echo x > $$d/of-the-pod; done; sleep 1000
"""

HOST = """
set -e
sysctl -qw net.ipv6.conf.default.disable_ipv6=1  # its addresses take a second to settle
ip link add here0 type veth peer name here1
ip address add 203.0.113.1/24 dev here0
ip link set here0 up
ip link set here1 up
ip route add 198.51.100.0/24 via 203.0.113.2
ip netns add mine
iptables -t nat -A POSTROUTING -s 203.0.113.0/24 -j MASQUERADE
iptables -P FORWARD DROP
nft add table inet mine
nft add chain inet mine in '{ type filter hook input priority 5; }'
sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.all.rp_filter=1
echo mine > /tmp/file
echo mine > /run/file
"""


def _here(*argv: str) -> subprocess.CompletedProcess[str]:
    """Runs ARGV on the very host and demands success."""
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=120)


def _output(run: Callable[..., Any], *argv: str) -> str:
    return str(run(*argv).stdout)


def _sysctls(text: str) -> dict[str, str]:
    """Key → value, without what moves by itself."""
    moving = re.compile("|".join(MOVING))
    pairs = (line.partition(" = ") for line in text.splitlines())
    return {key: value for key, _, value in pairs if not moving.fullmatch(key)}


def _rules(text: str) -> list[str]:
    """The lines of iptables-save, without comments (the time) and counters."""
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return [re.sub(r"\[\d+:\d+\]", "", line) for line in lines]


def _links(text: str) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in link.items() if not k.startswith("stats")} for link in json.loads(text)
    ]


def _state(run: Callable[..., Any], machine_files: Path | None) -> dict[str, Any]:
    """What a lab could change on a host.

    Args:
        run: Runs a command there.
        machine_files: Its file system, where its files belong to the test alone.
    """
    state: dict[str, Any] = {
        "links": _links(_output(run, "ip", "-j", "link")),
        "addresses": re.sub(r"_lft \d+sec", "", _output(run, "ip", "-4", "-o", "address")),
        "routes": json.loads(_output(run, "ip", "-j", "route", "show", "table", "all")),
        "rules": _output(run, "ip", "rule"),
        "namespaces": _output(run, "ip", "netns"),
        "iptables": _rules(_output(run, "iptables-save")),
        "nftables": _output(run, "nft", "-s", "list", "ruleset"),
        "qdiscs": _output(run, "tc", "qdisc"),
        "sysctls": _sysctls(_output(run, "sysctl", "-a", "--ignore")),
        "limits": {
            p: Path(f"/proc/sys/{p}").read_text() for p in ("kernel/pty/max", "fs/file-max")
        },
        "mounts": _output(run, "cat", "/proc/1/mountinfo"),
        "host name": _output(run, "hostname"),
    }
    if machine_files:
        folders = ("run", "tmp", "var/tmp", "var/log", "var/lib/frr", "etc/netns", "etc/frr")
        found = (path for f in folders for path in (machine_files / f).rglob("*"))
        files = (path for path in found if "journal" not in path.parts)  # a daemon of the host's
        state["files"] = {str(p): (p.lstat().st_mode, p.lstat().st_mtime_ns) for p in files}
    return state


def _same(now: dict[str, Any], before: dict[str, Any], when: str) -> None:
    for what, value in before.items():
        assert now[what] == value, f"{what} {when}"


@pytest.mark.parametrize("options", LABS, ids="".join)
def test_the_host_is_the_same(machine: Machine, options: tuple[str, ...]) -> None:
    machine.run("sh", "-c", HOST)
    before = _state(machine.run, machine.root)
    assert {link["ifname"] for link in before["links"]} == {"lo", "here0", "here1"}
    assert "table inet mine" in before["nftables"]
    assert len(before["sysctls"]) > 500
    machine.testbed("up", *options, "-f", "-", text=POD)
    _same(_state(machine.run, machine.root), before, "during")
    machine.testbed("down")
    _same(_state(machine.run, machine.root), before, "after")


def test_this_host_is_the_same(lab: Callable[..., Any]) -> None:
    """The same on the very host, but for its files, which others write too."""
    before = _state(_here, None)
    running = lab(topology="leafspine", cni="bgp", settings=["nodes=1"], manifests=[POD])
    _same(_state(_here, None), before, "during")
    running.end()
    _same(_state(_here, None), before, "after")


def test_a_pods_files_stay_in_the_lab(machine: Machine) -> None:
    machine.testbed("up", "-f", "-", text=POD)
    folders = ("/tmp", "/var/tmp", "/var/log", "/run")
    files = [f"{folder}/of-the-pod" for folder in folders]
    shown = machine.testbed("exec", "writer", "--", "cat", *files).stdout
    assert shown == "x\n" * len(folders)
    assert not [file for file in files if (machine.root / file.lstrip("/")).exists()]
    for file in ("/etc/of-the-pod", "/usr/of-the-pod", "/of-the-pod", "/mnt/of-the-pod"):
        done = machine.testbed("exec", "writer", "--", "touch", file, code=1)
        assert "Read-only file system" in done.stderr
    machine.testbed("exec", "writer", "--", "hostname", "other")
    assert machine.run("hostname").stdout == _here("hostname").stdout


def test_a_mount_in_an_overlaid_folder_is_seen_in_the_lab(machine: Machine) -> None:
    machine.run("mkdir", "-p", "/tmp/a b/c")
    machine.run("mount", "-t", "tmpfs", "tmpfs", "/tmp/a b/c")
    machine.run("sh", "-c", "echo hello > '/tmp/a b/c/f'")
    machine.testbed("up", "--set", "nodes=1")
    shown = machine.testbed("exec", "node/n1", "--", "cat", "/tmp/a b/c/f").stdout
    assert shown == "hello\n"
    machine.testbed("exec", "node/n1", "--", "touch", "/tmp/a b/c/g", code=1)  # it is the host's


def test_a_pod_sees_the_labs_processes_only(machine: Machine) -> None:
    machine.testbed("up", "-f", "-", text=POD)
    sleeper = machine.start("sleep", "98765")
    until(lambda: "98765" in machine.run("ps", "ax").stdout, "the host's process runs")
    shown = machine.testbed("exec", "writer", "--", "ps", "ax").stdout
    assert "98765" not in shown
    assert "sleep 1000" in shown
    assert (
        machine.testbed("exec", "writer", "--", "cat", "/proc/1/comm").stdout == "testbed:default\n"
    )
    sleeper.kill()


def _inside(machine: Machine, lab: str, *argv: str) -> str:
    return machine.testbed("--lab", lab, *argv).stdout


@contextmanager
def _pair(machine: Machine) -> Iterator[tuple[str, str]]:
    """Two equal labs with a server in each; both come up at the same time."""
    machine.write("pod.yaml", POD.replace("busybox", "agnhost"))
    commands = [machine.start(*TESTBED, "--lab", n, "up", "-f", "pod.yaml") for n in ("one", "two")]
    for command in commands:
        assert command.wait(60) == 0
    yield "one", "two"


def test_two_equal_labs_are_independent(machine: Machine) -> None:
    with _pair(machine) as (one, two):
        assert machine.labs() == [one, two]
        pods = [machine.json("--lab", lab, "get", "pods")["items"][0] for lab in (one, two)]
        assert pods[0]["status"]["podIP"] == pods[1]["status"]["podIP"]
        _inside(machine, one, "exec", "writer", "--", "sh", "-c", "echo one > /tmp/whose")
        machine.testbed("--lab", two, "exec", "writer", "--", "cat", "/tmp/whose", code=1)
        _inside(machine, one, "exec", "node/n1", "--", "ip", "link", "set", "n1-eth0", "down")
        ping = ("exec", "node/n2", "--", "ping", "-c1", "-W1", "192.168.0.11")
        machine.testbed("--lab", one, *ping, code=1)
        _inside(machine, two, *ping)
        _inside(machine, one, "delete", "pod", "writer")
        assert "writer" in _inside(machine, two, "get", "pods")
        _inside(machine, one, "down")
        assert machine.labs() == [two]
        _inside(machine, two, *ping)
        _inside(machine, two, "exec", "writer", "--", "ping", "-c1", "-W1", "192.168.0.200")


# Speaks to root's lab past the command's own check of whom it speaks to.
INTRUDER = """
import json, socket, struct, sys
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect("\\0testbed/0/default")
text = json.dumps({"verb": "objects", "kind": "pods"}).encode()
try:
    client.sendall(struct.pack("!I", len(text)) + text)
    answer = client.recv(100)
except ConnectionError:
    answer = b""
print(f"answer: {answer!r}")
"""


def test_another_user_has_no_access(machine: Machine) -> None:
    machine.testbed("up", "-f", "-", text=POD)
    before = machine.json("get", "pods")
    for argv in (("exec", "writer", "--", "true"), ("get", "pods"), ("delete", "pod", "writer")):
        done = machine.run(*READER, *TESTBED, *argv, code=4)
        assert done.stderr.startswith("testbed: no lab 'default' runs")
    assert machine.run(*READER, *TESTBED, "ls").stdout == "No lab runs.\n"
    machine.run(*READER, *TESTBED, "down", "--all")
    said = machine.run(*READER, sys.executable, "-c", INTRUDER).stdout
    assert said == "answer: b''\n"
    assert machine.json("get", "pods") == before
    for kind in ("net", "mnt", "pid"):
        pid = machine.json("ls")[0]["pid"]
        machine.run(*NOBODY, "readlink", f"/proc/{pid}/ns/{kind}", code=1)


def test_a_name_that_another_user_has_taken_is_not_trusted(machine: Machine) -> None:
    """Whoever binds root's name first gets no orders from root."""
    squat = (
        "import socket, time; s = socket.socket(socket.AF_UNIX); "
        "s.bind('\\0testbed/0/default'); s.listen(); print('bound', flush=True); time.sleep(99)"
    )
    squatter = machine.start(*READER, sys.executable, "-c", squat)
    assert squatter.stdout is not None
    assert squatter.stdout.readline() == "bound\n"
    for argv in (("get", "pods"), ("exec", "a", "--", "true")):
        done = machine.testbed(*argv, code=4)
        assert "belongs to another user" in done.stderr
    assert machine.labs() == []
    machine.testbed("down")
    assert squatter.poll() is None
    squatter.kill()
