"""``userspace``: kube-proxy's first mode, which it had until 1.25: a process relays all bytes.

For comparison: what the others have the kernel do, and what that is worth. On each node there is
one relay (:mod:`testbed.relay`). The way of a connection to an address of a Service::

    PREROUTING, OUTPUT: the address and port are in a set: to the node's address, a relay's port
    relay:              asks the kernel where the client wanted to go, chooses an endpoint in turn,
                        connects to it, and copies what either side sends
    endpoint:           sees the node, not the client

The rules of iptables are the same whatever Services there are; only sets and what the relay knows
change. As in kube-proxy: endpoints in turn (round robin), affinity by the client's address, four
attempts to connect (250 ms, 500 ms, 1 s, 2 s), sessions of UDP that end after 250 ms without a
datagram (``--udp-timeout``); a Service without endpoints takes TCP connections and closes them, and
swallows datagrams. ``externalTrafficPolicy``, source ranges and SCTP mean nothing to it.

Not as kube-proxy: it had a rule and a listening port for each port of a Service, this has sets and
a few ports. It took the ready endpoints; this takes those that all modes here do, also by hints,
and for ``internalTrafficPolicy: Local`` the node's own where no other traffic is allowed. Pods
reach external addresses as everybody does. One direction of a TCP connection may end before the
other one, where kube-proxy ended both.

Source: ``pkg/proxy/userspace`` (``proxier.go``, ``proxysocket.go``, ``roundrobin.go``), Kubernetes
1.25.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.proxy.contract import IptablesRestore, ProxyMode, ProxyNode, Step
from testbed.proxy.modes._claims import owned
from testbed.proxy.relay import NODE_PORTS, PORTALS, PORTS, Backend, Place, Relay


@dataclass(frozen=True, slots=True)
class Fragment:
    """A port of a Service on a node.

    Attributes:
        places: Where it is, its cluster IP first.
        backend: Where its traffic goes.
    """

    places: tuple[Place, ...]
    backend: Backend


Fragments = Mapping[ServicePortName, Fragment]


class UserspaceMode(ProxyMode):
    """The contract's parts; see the module for what they mean together."""

    summary = "kube-proxy's first mode: a process on each node relays all bytes"
    needs: tuple[str, ...] = ("iptables", "iptables-services", "conntrack", "ipset")
    settings: Mapping[str, str] = {}

    def check(self, settings: Mapping[str, str]) -> None:
        """There are none."""

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> Fragment:
        """Its places and endpoints."""
        endpoints = tuple((one.ip, one.port) for one in chosen.cluster or chosen.local)
        return Fragment(tuple(_places(info)), Backend(endpoints, info.affinity_seconds))

    def full(self, node: ProxyNode, fragments: Fragments) -> tuple[Step, ...]:
        """The relay and its sets, then the rules that name them."""
        return (_difference(node, fragments, {}, fragments), IptablesRestore(_rules(node)))

    def change(
        self, node: ProxyNode, fragments: Fragments, old: Fragments, new: Fragments
    ) -> tuple[Step, ...]:
        """What differs."""
        return (_difference(node, fragments, old, new),)


def _places(info: ServicePortInfo) -> Iterator[Place]:
    if info.protocol in NODE_PORTS:
        for ip in (info.cluster_ip, *info.external_ips, *info.load_balancer_vips):
            yield Place(info.protocol, ip, info.port)
        if info.node_port:
            yield Place(info.protocol, "", info.node_port)


def _name(name: ServicePortName) -> str:
    return f"{name}/{name.protocol}"


def _difference(node: ProxyNode, fragments: Fragments, old: Fragments, new: Fragments) -> Relay:
    rest = [pair for pair in fragments.items() if pair[0] not in new]
    keys = {place for part in (old, new) for one in part.values() for place in one.places}
    was, now = (
        owned(((name, ((place, _name(name)) for place in one.places)) for name, one in ports), keys)
        for ports in ([*rest, *old.items()], [*rest, *new.items()])
    )
    return Relay(
        node.addresses[0],
        {_name(name): one.backend for name, one in new.items()},
        tuple(_name(name) for name in old if name not in new),
        {place: name for place, name in now.items() if was.get(place) != name},
        tuple(sorted(was.keys() - now.keys())),
    )


def _rules(node: ProxyNode) -> str:
    """Both tables; chains, jumps and comments are kube-proxy's."""
    relay = f"-j DNAT --to-destination {node.addresses[0]}:{PORTS[0]}-{PORTS[1]}"
    lines = []
    for where in ("CONTAINER", "HOST"):
        for protocol, ports in NODE_PORTS.items():
            only = f"-p {protocol.lower()} -m set --match-set"
            lines += [
                f"-A KUBE-PORTALS-{where} {only} {PORTALS} dst,dst {relay}",
                f"-A KUBE-NODEPORT-{where} {only} {ports} dst {relay}",
            ]
    return _FRAME.format(first=PORTS[0], last=PORTS[1], rules="\n".join(lines))


_FRAME = """\
*filter
:KUBE-NODEPORT-NON-LOCAL - [0:0]
-I INPUT -m comment --comment "Ensure that non-local NodePort traffic can flow" \
-j KUBE-NODEPORT-NON-LOCAL
-A KUBE-NODEPORT-NON-LOCAL -p tcp --dport {first}:{last} -m conntrack --ctstate NEW -j ACCEPT
-A KUBE-NODEPORT-NON-LOCAL -p udp --dport {first}:{last} -m conntrack --ctstate NEW -j ACCEPT
COMMIT
*nat
:KUBE-PORTALS-CONTAINER - [0:0]
:KUBE-PORTALS-HOST - [0:0]
:KUBE-NODEPORT-CONTAINER - [0:0]
:KUBE-NODEPORT-HOST - [0:0]
-I PREROUTING -m comment --comment \
"handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-CONTAINER
-I OUTPUT -m comment --comment \
"handle ClusterIPs; NOTE: this must be before the NodePort rules" -j KUBE-PORTALS-HOST
-A PREROUTING -m addrtype --dst-type LOCAL -m comment --comment \
"handle service NodePorts; NOTE: this must be the last rule in the chain" -j KUBE-NODEPORT-CONTAINER
-A OUTPUT -m addrtype --dst-type LOCAL -m comment --comment \
"handle service NodePorts; NOTE: this must be the last rule in the chain" -j KUBE-NODEPORT-HOST
{rules}
COMMIT
"""


mode: ProxyMode = UserspaceMode()
