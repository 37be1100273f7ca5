"""The suite ``network-model``: what Kubernetes promises of every cluster network, by real traffic.

Source: kubernetes.io, "Services, Load Balancing, and Networking", The Kubernetes network model:
each pod has an address of its own, all pods can talk to all pods without NAT, whatever node they
are on, the agents of a node can talk to the pods on it, and the containers of a pod share the
pod's network and so talk over localhost.

=======================  ==========================================================================
``pod-addresses``        no two pods have the same address, and each has its own in its namespace
``pod-to-pod-tcp``       handshake and echo from pods to pods, on one node and on different ones
``pod-to-pod-udp``       the same with a datagram
``pod-to-pod-icmp``      the same with ICMP echo
``node-to-pod-tcp``      from nodes to pods on all nodes
``node-to-pod-icmp``     the same with ICMP echo
``pod-to-own-node-tcp``  from each pod to its node
``pod-to-own-node-icmp`` the same with ICMP echo
``no-nat``               in all of these the receiver saw the sender's own address
``unassigned-address``   an address that no pod has gives no answer, and no packet goes round
``path-mtu``             between nodes a packet of the underlay's MTU less the mode's overhead
                         passes with DF, one byte more does not, and TCP offers the MSS for it
``localhost``            containers of one pod that run processes reach each other at 127.0.0.1
=======================  ==========================================================================

Up to 64 pods every pod talks to every pod; with more, a sample (see :mod:`..pairs`), and the output
says of how many pairs.

The suite needs two pods on each node: same node and other node then come up in both directions.
Where a node has fewer, idle pods are added in a namespace ``conformance-…`` and deleted at the end,
so that it runs on an empty lab too. A check to which the lab gives no occasion (``path-mtu`` with
one node, ``localhost`` without a pod of two processes) is skipped with the reason, not passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Network

from testbed.conformance import mtu, reachability, temporary
from testbed.conformance.contract import Check
from testbed.conformance.pairs import Pairs, choose, covering
from testbed.conformance.reachability import Group
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import NOBODY, Target, Targets, opened
from testbed.lab.client import Lab

PODS_PER_NODE = 2
"""How many pods each node must have; what is missing is added for the time of the suite."""

_MOST_PAIRS = 64 * 63
_MOST_NODE_PAIRS = 2048
_MOST_NOBODIES = 256
_TCP_IP_HEADERS = 40


class NetworkModel:
    """The contract's parts; see the module for the checks."""

    summary = "Kubernetes' network model: pods and nodes reach each other, unchanged and full size"

    def run(self, lab: Lab) -> Iterator[Check]:
        """Checks a lab; see the contract."""
        with (
            temporary.filled(lab, PODS_PER_NODE) as own,
            opened(lab, lambda labels: labels.get(temporary.LABEL, own) == own) as targets,
            Sockets() as sockets,
        ):
            yield _addresses(targets, sockets)
            groups, strays = _groups(targets), _strays(targets)
            reachability.run([*groups, strays], sockets, targets.nodes)
            yield from (group.check() for group in groups)
            yield _no_nat(groups)
            yield _unassigned(strays)
            mtus = lab.info["mtus"]
            promised = mtus["underlay"] - mtus["overhead"]
            yield _path_mtu(groups, promised, sockets, targets.nodes)
            yield _localhost(targets, sockets)


suite = NetworkModel()


def _addresses(targets: Targets, sockets: Sockets) -> Check:
    held = Counter(pod.address for pod in targets.pods)
    failures = [
        f"{pod}: its namespace has no such address"
        for pod in targets.pods
        if not sockets.has_address(pod)
    ]
    for address in (address for address, count in held.items() if count > 1):
        owners = ", ".join(pod.name for pod in targets.pods if pod.address == address)
        failures.append(f"{address} is the address of {owners}")
    count = len(targets.pods)
    return Check("pod-addresses", count, count, tuple(failures))


def _groups(targets: Targets) -> list[Group]:
    pods = choose(targets.pods, targets.pods, _MOST_PAIRS)
    nodes = choose(targets.nodes, targets.pods, _MOST_NODE_PAIRS)
    node_of = {node.node: node for node in targets.nodes}
    own = [(pod, node_of[pod.node]) for pod in targets.pods]
    return [
        Group("pod-to-pod-tcp", "tcp", pods),
        Group("pod-to-pod-udp", "udp", pods),
        Group("pod-to-pod-icmp", "icmp", pods),
        Group("node-to-pod-tcp", "tcp", nodes),
        Group("node-to-pod-icmp", "icmp", nodes),
        Group("pod-to-own-node-tcp", "tcp", Pairs(own, len(own))),
        Group("pod-to-own-node-icmp", "icmp", Pairs(own, len(own))),
    ]


def _strays(targets: Targets) -> Group:
    """Packets from a pod of each node to an address of each node's share that no pod has."""
    used = {pod.address for pod in targets.pods}
    nobodies = []
    for node, share in targets.pod_cidrs.items():
        free = (str(address) for address in reversed(list(IPv4Network(share).hosts())[1:]))
        address = next((address for address in free if address not in used), None)
        nobodies += [Target("nobody", node, address, NOBODY)] if address else []
    senders = list({pod.node: pod for pod in targets.pods}.values())
    return Group("unassigned-address", "icmp", choose(senders, nobodies, _MOST_NOBODIES))


def _no_nat(groups: list[Group]) -> Check:
    seen = [
        (group, trial) for group in groups for trial in group.trials if trial.seen and trial.own
    ]
    failures = tuple(
        f"{trial.sender} → {trial.receiver} by {group.protocol.upper()}: "
        f"the receiver sees {trial.seen} instead of {trial.own}"
        for group, trial in seen
        if trial.seen != trial.own
    )
    total = sum(bool(trial.own) for group in groups for trial in group.trials)
    return Check("no-nat", len(seen), total, failures, skipped="" if seen else "nothing arrived")


def _unassigned(group: Group) -> Check:
    failures = tuple(
        trial.failure(group.round.seconds)
        if trial.loops
        else f"{trial.sender} → {trial.receiver}: an echo request was answered"
        for trial in group.trials
        if trial.answered or trial.loops
    )
    count = len(group.trials)
    skipped = "" if count else "every address is in use"
    return Check(group.name, count, count, failures, group.round.seconds, skipped)


def _path_mtu(groups: list[Group], promised: int, sockets: Sockets, nodes: list[Target]) -> Check:
    """Only over paths that small packets pass: the others have failed already."""
    tcp, udp = groups[0], groups[1]
    paths = [trial for trial in udp.trials if trial.sender.node != trial.receiver.node]
    usable = [(trial.sender, trial.receiver) for trial in paths if trial.answered]
    if not usable:
        reason = "no UDP passes between nodes" if paths else "all pods are on one node"
        return Check("path-mtu", 0, len(paths), skipped=reason)
    found = mtu.run(covering(usable), promised, sockets, nodes)
    wanted = promised - _TCP_IP_HEADERS
    offered = {trial.sender: trial.mss for trial in tcp.trials if trial.mss}
    segments = [
        f"{sender}: TCP offers an MSS of {mss} bytes instead of {wanted}"
        for sender, mss in offered.items()
        if mss != wanted
    ]
    failures = (*found.failures, *segments)
    return Check("path-mtu", found.count, len(paths), failures, found.seconds)


def _localhost(targets: Targets, sockets: Sockets) -> Check:
    pairs = [
        (sender, receiver)
        for containers in targets.containers.values()
        for sender in containers
        for receiver in containers
        if sender is not receiver
    ]
    if not pairs:
        reason = "no pod has two containers that run a process"
        return Check("localhost", 0, 0, skipped=reason)
    group = Group("localhost", "tcp", Pairs(pairs, len(pairs)))
    reachability.run([group], sockets, targets.nodes)
    return group.check()
