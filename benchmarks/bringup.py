"""How long does it take to bring up many pods, and to end them?

Three ways, one after the other and again (A B C A B C …), each in namespaces of its own::

    sudo .venv/bin/python benchmarks/bringup.py --pods 1000 --repeats 3

- ``testbed up`` and ``down``: the whole commands, with a Deployment of idle pods on 4 nodes;
- ``ip``: the commands of ``testbed plan -o shell`` for the same lab, in batches: namespaces and
  underlay by one ``ip -batch``, then one ``ip -n NODE -batch`` and one ``ip -n POD -batch`` each.
  What other programs do (sysctl, iptables, hairpin mode) is left out, to the tool's advantage;
- ``mn --topo single,200 --switch lxbr --controller none --test none``: Mininet's own network.

The last line shows what idle pods cost in processes: those of a lab with them, less those of a lab
without any.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from testbed.objects import parse
from testbed.plan import shell
from testbed.spec import resolve

TESTBED = [sys.executable, "-m", "testbed", "--lab", f"bringup-{os.getpid()}"]
NODES = 4
MININET_HOSTS = 200
MANIFEST = """\
apiVersion: apps/v1
kind: Deployment
metadata: {{name: idle}}
spec:
  replicas: {pods}
  selector: {{matchLabels: {{app: idle}}}}
  template:
    metadata: {{labels: {{app: idle}}}}
    spec: {{containers: [{{name: pause, image: pause}}]}}
"""
# Mininet raises limits of the whole machine; with /proc/sys read-only it does without.
SANDBOX = """\
mount -t tmpfs tmpfs /run && mkdir /run/netns
mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec "$@"
"""
UNSHARE = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]

Times = tuple[float, float]
"""Seconds to bring it up, and to take it down."""


def timed(argv: list[str], text: str = "") -> float:
    """Seconds that a command takes.

    Raises:
        CalledProcessError: It fails.
    """
    began = time.monotonic()
    subprocess.run(argv, input=text, text=True, check=True, stderr=subprocess.PIPE)
    return time.monotonic() - began


def testbed(pods: int) -> Times:
    """Time of ``testbed up`` and ``testbed down``."""
    settings = ["--set", f"nodes={NODES}", "--set", "externals=0"]
    up = timed([*TESTBED, "up", *settings, "-f", "-"], MANIFEST.format(pods=pods))
    return up, timed([*TESTBED, "down"])


def sandboxed(*argv: str) -> list[str]:
    """The command line in namespaces of its own."""
    return [*UNSHARE, "--mount-proc", "sh", "-ec", SANDBOX, "sh", *argv]


def ip(pods: int) -> Times:
    """Time of the ``ip`` tool, in a sandbox."""
    again = [sys.executable, __file__, "--inside", "--pods", str(pods)]
    done = subprocess.run(sandboxed(*again), capture_output=True, text=True, check=True)
    up, down = json.loads(done.stdout)
    return up, down


def batches(pods: int) -> dict[str, list[str]]:
    """Namespace → lines for ``ip -batch``, in the order of making; the empty name is outside."""
    chosen = {"nodes": str(NODES), "externals": "0"}
    spec = resolve("single", parse(MANIFEST.format(pods=pods), "idle.yaml"), "vxlan", chosen=chosen)
    found: dict[str, list[str]] = defaultdict(list)
    for line in shell.render(spec.plan, spec.topology).splitlines():
        inside = re.fullmatch(r"ip -n (\S+) (.*)", line)
        if inside:
            found[inside[1]].append(inside[2])
        elif line.startswith("ip ") and not line.startswith("ip netns exec"):
            found[""].append(line.removeprefix("ip "))
    nodes = [f"n{number}" for number in range(1, NODES + 1)]
    others = [name for name in found if name and name not in nodes]
    return {name: found[name] for name in ("", *nodes, *others)}


def inside(pods: int) -> Times:
    """The ``ip`` tool's work, timed, where its namespaces may be."""
    work = {name: "\n".join(lines) + "\n" for name, lines in batches(pods).items()}
    names = [line.split()[-1] for line in work[""].splitlines() if line.startswith("netns")]
    up = sum(
        timed(["ip", *(["-n", name] if name else []), "-batch", "-"], text)
        for name, text in work.items()
    )
    return up, timed(["ip", "-batch", "-"], "".join(f"netns delete {name}\n" for name in names))


def mininet(_: int) -> Times:
    """Time of ``mn`` until it begins to stop, and from then on."""
    argv = ["mn", "--topo", f"single,{MININET_HOSTS}", "--switch", "lxbr", "--controller", "none"]
    began = time.monotonic()
    stopping = 0.0
    with subprocess.Popen(
        sandboxed(*argv, "--test", "none"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("*** Stopping") and not stopping:
                stopping = time.monotonic()
    assert process.returncode == 0
    assert stopping
    return stopping - began, time.monotonic() - stopping


def processes(pods: int) -> int:
    """How many processes a lab with so many idle pods has."""
    testbed_up = [*TESTBED, "up", "--set", f"nodes={NODES}", "-f", "-"]
    timed(testbed_up, MANIFEST.format(pods=pods))
    try:
        labs = json.loads(subprocess.check_output([*TESTBED, "ls", "-o", "json"]))
        (lab,) = (lab for lab in labs if lab["name"] == TESTBED[-1])
        ours = Path(f"/proc/{lab['pid']}/ns/pid_for_children").readlink()
        return sum(_in(process, ours) for process in Path("/proc").glob("[0-9]*"))
    finally:
        timed([*TESTBED, "down"])


def _in(process: Path, namespace: Path) -> bool:
    try:
        return (process / "ns/pid").readlink() == namespace
    except OSError:  # it has ended
        return False


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(inside(options.pods)))
        return
    ways: dict[str, tuple[Callable[[int], Times], int]] = {
        "testbed up": (testbed, options.pods),
        "ip -batch": (ip, options.pods),
        f"mn single,{MININET_HOSTS}": (mininet, MININET_HOSTS),
    }
    found: dict[str, list[Times]] = {name: [] for name in ways}
    for number in range(options.repeats):
        for name, (measure, _) in ways.items():
            found[name].append(measure(options.pods))
            up, down = found[name][-1]
            print(f"{number + 1}: {name}: {up:.2f} s, {down:.2f} s", file=sys.stderr)
    show(found, {name: units for name, (_, units) in ways.items()})
    idle = processes(options.pods) - processes(0)
    print(f"\nProcesses of {options.pods} idle pods: {idle}")


def show(found: dict[str, list[Times]], units: dict[str, int]) -> None:
    """Prints medians (and ranges), and our part of the others' time for each unit."""
    print(f"{'':16}{'units':>6}{'up [s]':>18}{'a unit [ms]':>12}{'ours':>6}", end="")
    print(f"{'down [s]':>10}{'both, a unit [ms]':>19}{'ours':>6}")
    first: tuple[float, float] | None = None
    for name, times in found.items():
        ups, downs = zip(*times, strict=True)
        up, down = statistics.median(ups), statistics.median(downs)
        both = statistics.median(map(sum, times))
        each = up / units[name] * 1e3, both / units[name] * 1e3
        first = first or each
        parts = [f"{ours / theirs:.2f}" for ours, theirs in zip(first, each, strict=True)]
        spread = f"{up:.2f} ({min(ups):.2f}-{max(ups):.2f})"
        print(f"{name:16}{units[name]:6}{spread:>18}{each[0]:12.2f}{parts[0]:>6}", end="")
        print(f"{down:10.2f}{each[1]:19.2f}{parts[1]:>6}")


if __name__ == "__main__":
    main()
