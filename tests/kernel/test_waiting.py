"""Waiting for routes and for files: told by the kernel, up to a deadline."""

from __future__ import annotations

import contextlib
import os
import resource
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.kernel import inotify
from testbed.kernel.convergence import RouteWatch
from testbed.plan.model import Address, ExpectedRoute, NamespacePlan, NextHop, Route, Veth

pytestmark = pytest.mark.kernel

SOON = 0.05  # seconds until what is waited for happens
PATIENCE = 5.0  # seconds that are never used up


@pytest.fixture
def node(kernel: Any) -> Any:
    """``node/n1`` with two interfaces, and their peers."""
    veths = tuple(
        Veth(f"eth{i}", "eth0", f"node/n{i + 2}", f"0a:58:00:00:00:0{i}", 1500) for i in (0, 1)
    )
    addresses = (Address("eth0", "192.168.0.1/24"), Address("eth1", "192.168.1.1/24"))
    kernel.become(
        node_n1=NamespacePlan(links=veths, addresses=addresses),
        node_n2=NamespacePlan(),
        node_n3=NamespacePlan(),
    )
    return kernel


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """More open files than select(2) can name: a lab of a thousand pods has as many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # as the lab's process does
    with contextlib.ExitStack() as held:
        for _ in range(1100):
            held.callback(os.close, os.open(os.devnull, os.O_RDONLY))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def wait(node: Any, seconds: float, *expected: ExpectedRoute) -> dict[str, list[str]]:
    return node.executor.wait_for_routes({"node/n1": expected}, seconds)


def later(node: Any, *lines: str) -> None:
    def run() -> None:
        for line in lines:
            time.sleep(SOON)
            node.say("node/n1", line)

    threading.Thread(target=run).start()


def test_what_is_there_is_not_waited_for(node: Any) -> None:
    began = time.monotonic()
    assert wait(node, PATIENCE, ExpectedRoute("192.168.0.0/24")) == {}
    assert time.monotonic() - began < 1


def test_nothing_expected(node: Any) -> None:
    assert node.executor.wait_for_routes({}, PATIENCE) == {}
    assert wait(node, PATIENCE) == {}


def test_a_route_that_comes_later(node: Any) -> None:
    later(node, "ip route add 10.0.0.0/16 via 192.168.0.2")
    began = time.monotonic()
    assert wait(node, PATIENCE, ExpectedRoute("10.0.0.0/16")) == {}
    assert SOON / 2 < time.monotonic() - began < PATIENCE / 2


def test_the_default_route(node: Any) -> None:
    later(node, "ip route add default via 192.168.0.2")
    assert wait(node, PATIENCE, ExpectedRoute("0.0.0.0/0")) == {}


def test_a_route_gets_its_other_way_later(node: Any) -> None:
    later(
        node,
        "ip route add 10.0.0.0/16 via 192.168.0.2",
        "ip route replace 10.0.0.0/16 nexthop via 192.168.0.2 nexthop via 192.168.1.2",
    )
    began = time.monotonic()
    assert wait(node, PATIENCE, ExpectedRoute("10.0.0.0/16", 2)) == {}
    assert time.monotonic() - began > SOON


def test_a_route_that_goes_again_is_missing(node: Any) -> None:
    way = "10.0.0.0/16 via 192.168.0.2"
    lines = (f"ip route del {way}", "ip route add 10.1.0.0/16 via 192.168.0.2")
    node.say("node/n1", f"ip route add {way}")
    later(node, *lines)
    expected = (ExpectedRoute("10.0.0.0/16"), ExpectedRoute("10.1.0.0/16"))
    assert wait(node, SOON * 8, *expected) == {"node/n1": ["10.0.0.0/16"]}


def test_silence_is_waited_for(node: Any) -> None:
    """What is there at first may go and come again while daemons act on a failure."""
    way = "10.0.0.0/16 nexthop via 192.168.0.2 nexthop via 192.168.1.2"
    node.say("node/n1", f"ip route add {way}")
    later(node, "ip route replace 10.0.0.0/16 via 192.168.0.2", f"ip route replace {way}")
    expected, began = {"node/n1": (ExpectedRoute("10.0.0.0/16", 2),)}, time.monotonic()
    assert node.executor.wait_for_routes(expected, PATIENCE, silence=4 * SOON) == {}
    assert 5 * SOON < time.monotonic() - began < PATIENCE / 2


def test_missing_ones_are_named_at_the_deadline(node: Any) -> None:
    node.say("node/n1", "ip route add 10.0.0.0/16 via 192.168.0.2")
    node.say("node/n1", "ip route add 10.4.0.0/16 via 192.168.0.2 table 7")
    expected = [ExpectedRoute(f"10.{i}.0.0/16") for i in (4, 2, 0)]
    began = time.monotonic()
    missing = wait(node, 0.2, *expected, ExpectedRoute("10.0.0.0/17"))
    assert missing == {"node/n1": ["10.0.0.0/17", "10.2.0.0/16", "10.4.0.0/16"]}
    assert 0.15 < time.monotonic() - began < 2


def test_too_few_ways_are_missing(node: Any) -> None:
    node.say("node/n1", "ip route add 10.0.0.0/16 via 192.168.0.2")
    assert wait(node, 0.1, ExpectedRoute("10.0.0.0/16", 2)) == {"node/n1": ["10.0.0.0/16"]}


def test_other_namespaces_routes_do_not_count(node: Any) -> None:
    missing = node.executor.wait_for_routes({"node/n2": (ExpectedRoute("192.168.0.0/24"),)}, 0.1)
    assert missing == {"node/n2": ["192.168.0.0/24"]}


def test_a_long_table(kernel: Any) -> None:
    way = (NextHop(device="lo"),)
    routes = tuple(Route(f"10.{i // 256}.{i % 256}.0/24", way, scope="link") for i in range(3000))
    peer = Veth("eth0", "eth0", "node/n1", "0a:58:00:00:00:01", 1500)
    kernel.become(node_n1=NamespacePlan(routes=routes), node_n2=NamespacePlan(links=(peer,)))
    expected = tuple(ExpectedRoute(route.destination) for route in routes)
    assert wait(kernel, PATIENCE, *expected) == {}


def test_more_news_than_the_socket_holds(node: Any) -> None:
    """The kernel says ENOBUFS then, and what was lost is asked for again."""
    namespace = node.executor.namespaces["node/n1"]

    def watch() -> RouteWatch:
        with namespace.entered():
            return RouteWatch(namespace, (ExpectedRoute("10.0.0.0/16"),))

    watched = node.executor.run(watch)
    while select.select([watched], [], [], SOON)[0]:
        watched.read()
    with socket.socket(fileno=os.dup(watched.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    node.say("node/n1", "ip route add 10.9.0.0/16 via 192.168.0.2")
    lines = "".join(f"route replace 10.9.0.0/16 via 192.168.{i % 2}.2\n" for i in range(500))
    number = namespace.descriptor
    enter = ["nsenter", f"--net=/proc/self/fd/{number}", "ip", "-batch", "-"]
    subprocess.run(enter, input=lines, pass_fds=[number], text=True, check=True)
    node.say("node/n1", "ip route add 10.0.0.0/16 via 192.168.0.2")
    while watched.missing and select.select([watched], [], [], PATIENCE)[0]:
        watched.read()
    watched.close()
    assert not watched.missing


@pytest.mark.usefixtures("many_descriptors")
def test_routes_in_a_large_lab(node: Any) -> None:
    later(node, "ip route add 10.0.0.0/16 via 192.168.0.2")
    assert wait(node, PATIENCE, ExpectedRoute("10.0.0.0/16")) == {}


def test_a_file_that_comes_later(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    files[0].touch()
    threading.Timer(SOON, files[1].touch).start()
    began = time.monotonic()
    assert inotify.wait_for(files, PATIENCE) == []
    assert SOON / 2 < time.monotonic() - began < PATIENCE / 2


def test_a_file_that_is_moved_there(tmp_path: Path) -> None:
    (tmp_path / "part").touch()
    threading.Timer(SOON, lambda: (tmp_path / "part").rename(tmp_path / "whole")).start()
    assert inotify.wait_for([tmp_path / "whole"], PATIENCE) == []


def test_a_socket(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        threading.Timer(SOON, lambda: server.bind(str(tmp_path / "s"))).start()
        assert inotify.wait_for([tmp_path / "s"], PATIENCE) == []


def test_files_in_several_folders_that_do_not_come(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    files = [tmp_path / "x" / "late", tmp_path / "never", tmp_path / "there"]
    files[2].touch()
    threading.Timer(SOON, (tmp_path / "another").touch).start()
    began = time.monotonic()
    assert inotify.wait_for(files, 0.2) == [tmp_path / "never", tmp_path / "x" / "late"]
    assert 0.15 < time.monotonic() - began < 2


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="inotify"):
        inotify.wait_for([tmp_path / "no" / "file"], 0.1)


@pytest.mark.usefixtures("many_descriptors")
def test_files_in_a_large_lab(tmp_path: Path) -> None:
    threading.Timer(SOON, (tmp_path / "a").touch).start()
    assert inotify.wait_for([tmp_path / "a"], PATIENCE) == []
