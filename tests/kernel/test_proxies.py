"""The proxies of a lab: they follow changes, tell what fails, and go on from what they had."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.cluster.discovery import Discovery, discover
from testbed.errors import LabError
from testbed.kernel.executor import Executor
from testbed.kernel.netns import NetNs
from testbed.lab.proxies import Proxies
from testbed.objects import from_manifest
from testbed.spec import Spec, apply, resolve

pytestmark = pytest.mark.kernel


def web(port: int) -> Any:
    spec = {"clusterIP": "10.96.7.7", "selector": {"app": "web"}, "ports": [{"port": port}]}
    found = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": spec}
    return from_manifest(found)


class World:
    """Two nodes' namespaces and a cluster without pods that can be changed."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.spec: Spec = resolve(proxy="iptables", chosen={"nodes": "2"})
        self.looked = threading.Semaphore(0)
        executor: Executor = kernel.executor
        for name in ("node/n1", "node/n2"):
            executor.namespaces[name] = executor.run(lambda name=name: NetNs.make(name))
        self.proxies = Proxies(self.spec.programs(), executor, self.discover)

    def discover(self) -> Discovery:
        self.looked.release()
        return discover(self.spec.cluster)

    def become(self, *objects: Any) -> None:
        self.spec = self.spec.with_cluster(apply(self.spec.cluster, objects))

    def rejected(self, node: str) -> list[str]:
        """The ports of 10.96.7.7 that a node rejects."""
        said = self.kernel.say(node, "iptables-save -t filter")
        lines = (line.split() for line in said.splitlines() if "10.96.7.7" in line)
        return [words[words.index("--dport") + 1] for words in lines if "REJECT" in words]


@pytest.fixture
def world(kernel: Any) -> Iterator[World]:
    return World(kernel)


def test_a_change_is_on_every_node_when_flush_returns(world: World) -> None:
    world.proxies.flush()
    assert world.rejected("node/n1") == []
    for port in (80, 81):
        world.become(web(port))
        world.proxies.flush()
        assert world.rejected("node/n1") == world.rejected("node/n2") == [str(port)]


def test_nothing_is_done_before_the_first_flush(world: World) -> None:
    world.proxies.wake()
    assert not world.looked.acquire(timeout=0.2)
    world.proxies.flush()
    world.looked.acquire()
    world.proxies.wake()
    assert world.looked.acquire(timeout=5)


def test_a_node_that_fails_catches_up(world: World) -> None:
    """Somebody has deleted a chain: only that node fails, and until it is there again."""
    world.proxies.flush()
    argument = "iptables -t filter"
    world.kernel.say("node/n1", f"{argument} -F FORWARD")
    world.kernel.say("node/n1", f"{argument} -F OUTPUT")
    world.kernel.say("node/n1", f"{argument} -X KUBE-SERVICES")
    world.become(web(80))
    with pytest.raises(LabError, match=r"node/n1: iptables-restore: "):
        world.proxies.flush()
    assert world.rejected("node/n2") == ["80"]
    world.kernel.say("node/n1", f"{argument} -N KUBE-SERVICES")
    world.proxies.flush()
    assert world.rejected("node/n1") == world.rejected("node/n2") == ["80"]
