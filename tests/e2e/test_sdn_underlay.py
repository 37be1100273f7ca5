"""Labs on the SDN underlay: Open vSwitches, their controller, and what users see of them."""

from __future__ import annotations

import re

import pytest
from labs import RunningLab, StartLab
from machine import Machine

from testbed.lab.client import Lab

pytestmark = pytest.mark.e2e

HOSTS = ("02:00:c0:a8:01:0b", "02:00:c0:a8:01:0c", "02:00:c0:a8:02:0b", "02:00:c0:a8:02:0c")
CLIENT = "02:00:c0:a8:64:c8"


def flows(lab: RunningLab, switch: str) -> str:
    return lab.exec(f"switch/{switch}", "ovs-ofctl", "-O", "OpenFlow15", "dump-flows", switch)


def test_every_switch_knows_every_host_when_the_lab_is_up(shared_lab: StartLab) -> None:
    running = shared_lab(topology="sdn")
    for switch in ("l1", "l2", "b1", "sp1", "sp2"):
        known = set(re.findall(r"dl_dst=(02:00:[0-9a-f:]+)", flows(running, switch)))
        assert known == {*HOSTS, CLIENT}, switch


def test_an_unknown_switch_is_refused(shared_lab: StartLab) -> None:
    running = shared_lab(topology="sdn")
    refused = running.run("exec", "switch/l9", "--", "true", code=2)
    assert "no switch 'l9'" in refused.stderr


def test_bridges_are_reached_by_the_same_name(shared_lab: StartLab) -> None:
    assert "s1-eth1" in shared_lab().exec("switch/s1", "ip", "-br", "link", "show", "master", "s1")


def test_traffic_goes_on_whichever_links_fail_and_every_failure_is_healed(lab: StartLab) -> None:
    running = lab(topology="sdn")
    for link in ("l1-sp1", "sp2-l2"):  # no way is left without both spines and both leaves
        running.run("fail", "link", link)
        if link == "l1-sp1":
            running.exec("node/n1", "ping", "-c", "3", "-i", "0.1", "-W", "1", "192.168.2.11")
    running.run("heal")
    handle = Lab(running.name)
    assert handle.settle(90) == []
    handle.close()
    running.exec("node/n1", "ping", "-c", "3", "-i", "0.1", "-W", "1", "192.168.2.11")


def test_a_controller_that_dies_and_comes_back_interrupts_nothing(lab: StartLab) -> None:
    running = lab(topology="sdn")
    ping = ("ping", "-q", "-c", "5", "-i", "0.1", "-W", "1", "192.168.2.12")
    running.run("fail", "daemon", "fabric/controller")
    assert " 0% packet loss" in running.exec("node/n1", *ping)
    running.run("heal", "daemon", "fabric/controller")
    handle = Lab(running.name)
    assert handle.settle(90) == []
    handle.close()
    assert " 0% packet loss" in running.exec("node/n1", *ping)


def test_ports_count_what_was_sent(lab: StartLab) -> None:
    running = lab(topology="sdn")
    handle = Lab(running.name)

    def sent() -> int:
        return sum(p["tx_packets"] for p in handle.ports() if (p["a"], p["peer"]) == ("l2", "n3"))

    before = sent()
    running.exec("node/n1", "ping", "-q", "-c", "20", "-i", "0.01", "192.168.2.11")
    assert 20 <= sent() - before < 40
    handle.close()


def test_one_switch_may_be_an_open_vswitch_too(lab: StartLab) -> None:
    running = lab(settings=["switches=openvswitch"])
    assert "s1" in running.exec("switch/s1", "ovs-vsctl", "list-br")
    running.exec("node/n1", "ping", "-c", "1", "-W", "2", "192.168.0.12")


def test_a_kernel_datapath_that_is_not_there_is_refused(machine: Machine) -> None:
    asked = machine.testbed("up", "-t", "sdn", "--set", "datapath=kernel", code=None)
    assert asked.returncode in (0, 3)
    if asked.returncode == 3:
        assert "openvswitch" in asked.stderr
