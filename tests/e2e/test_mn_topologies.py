"""The topologies under plain ``mn``, Debian's and the virtual environment's.

Each run is in namespaces of its own, with the sysctls outside ``net`` read-only: Mininet raises
limits of the whole machine when it may.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEBIAN = "/usr/bin/mn"
OWN = str(Path(sys.executable).with_name("mn"))

SANDBOX = """
set -e
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys
for folder in fs kernel vm; do
    mount --bind /proc/sys/$folder /proc/sys/$folder
    mount -o remount,ro,bind /proc/sys/$folder
done
ip link set lo up
exec "$@"
"""

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("brctl"), reason="needs Debian's bridge-utils"),
]


def _mn(program: str, topology: str, *options: str) -> str:
    name = topology.partition(",")[0]
    argv = ["unshare", "--net", "--mount", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
    argv += ["--mount-proc", "sh", "-c", SANDBOX, "sandbox", program]
    argv += ["--custom", f"{ROOT}/topologies/{name}.py", "--topo", topology]
    argv += ["--switch", "lxbr", "--controller", "none", *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize("program", [DEBIAN, OWN], ids=["debian", "venv"])
@pytest.mark.parametrize(
    ("topology", "pings"),
    [
        ("single,nodes=3", 12),
        ("twozone,nodes=3,externals=2", 30),
        ("leafspine,nodes=1,spines=2,leaves=2", 56),
        ("leafspine,nodes=1,spines=1,leaves=1,externals=0", 12),
    ],
)
def test_everybody_reaches_everybody(program: str, topology: str, pings: int) -> None:
    if not Path(program).exists():
        pytest.skip(f"{program} is not installed")
    said = _mn(program, topology, "--test", "pingall")
    assert f"0% dropped ({pings}/{pings} received)" in said, said


def test_routers_use_every_spine(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("l1 ip route show 192.168.2.0/24\n")
    said = _mn(OWN, "leafspine,nodes=1,spines=3", "--post", str(script), "--test", "none")
    assert [said.count(f"nexthop via 10.0.{spine}.0 ") for spine in (1, 2, 3)] == [1, 1, 1], said
