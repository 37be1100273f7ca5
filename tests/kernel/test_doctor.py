"""``testbed doctor`` on this machine: it tries, it is quick, and it leaves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from testbed.cli.doctor import command
from testbed.doctor import features
from testbed.errors import MissingError

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="needs root")]

TC_ADD = ["tc", "qdisc", "add", "dev", "lo", "root"]


def _host() -> str:
    """Links, namespaces, routes, rules and mounts of this machine; modules may be loaded anew."""
    argvs = (
        ["ip", "-d", "-br", "link"],
        ["ip", "netns"],
        ["ip", "route", "show", "table", "all"],
        ["nft", "list", "ruleset"],
    )
    said = [subprocess.run(a, capture_output=True, text=True, check=False).stdout for a in argvs]
    return "\n".join([*said, Path("/proc/self/mountinfo").read_text()])


def test_the_report_is_complete_and_leaves_nothing() -> None:
    before = _host()
    done = CliRunner().invoke(command, ["-o", "json"])
    assert done.exit_code == 0
    found = json.loads(done.output)["features"]
    assert list(found) == features.names()
    assert {frozenset(feature) for feature in found.values()} == {
        frozenset({"present", "needed_by", "remedy", "purpose", "detail"})
    }
    assert all(feature["remedy"] for feature in found.values())
    parts = json.loads(done.output)["parts"]
    for part, said in parts.items():
        lacks = [n for n, f in found.items() if part in f["needed_by"] and not f["present"]]
        assert sorted(said["absent"]) == lacks, part
        assert said["runs"] == (not lacks), part
    assert _host() == before


def test_what_every_lab_needs_is_found_here() -> None:
    found = features.probe(["netns", "mntns", "pidns", "veth", "bridge"])
    assert [feature.name for feature in found.values() if not feature.present] == []


@pytest.mark.parametrize(
    ("name", "argv"),
    [
        ("dummy", ["ip", "link", "add", "x", "type", "dummy"]),
        ("wireguard", ["ip", "link", "add", "x", "type", "wireguard"]),
        ("vxlan", ["ip", "link", "add", "x", "type", "vxlan", "id", "1", "dstport", "8472"]),
        ("ipip", ["ip", "link", "add", "x", "type", "ipip", "remote", "192.0.2.1"]),
        ("vrf", ["ip", "link", "add", "x", "type", "vrf", "table", "10"]),
        ("netem", [*TC_ADD, "netem", "delay", "1ms"]),
        ("tbf", [*TC_ADD, "tbf", "rate", "1mbit", "burst", "9kb", "latency", "1ms"]),
        ("htb", [*TC_ADD, "htb"]),
    ],
)
def test_a_probe_agrees_with_the_tool(name: str, argv: list[str]) -> None:
    if Path("/proc/modules").exists():
        pytest.skip("the tool would have the kernel load a module")
    tool = subprocess.run(["unshare", "--net", *argv], capture_output=True, check=False)
    assert features.probe([name])[name].present == (tool.returncode == 0)


def test_the_table_marks_absence_by_a_word() -> None:
    found = features.probe()
    said = CliRunner().invoke(command, []).output
    for name, feature in found.items():
        word = "yes" if feature.present else "NO"
        assert any(line.split()[:2] == [name, word] for line in said.splitlines()), name
        assert feature.present or f"{name}: " in said


def test_without_root_the_probes_run_in_a_user_namespace() -> None:
    argv = [sys.executable, "-m", "testbed.doctor.probe", "veth", "bridge", "vxlan"]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, user=65534, group=65534
        )
    except PermissionError:
        pytest.skip("another user may not run this interpreter")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).keys() == {"veth", "bridge", "vxlan"}


def test_what_is_absent_is_refused_with_its_remedy() -> None:
    absent = [name for name, feature in features.probe().items() if not feature.present]
    if not absent:
        pytest.skip("this machine has everything")
    with pytest.raises(MissingError, match=absent[0]):
        features.require(absent)
