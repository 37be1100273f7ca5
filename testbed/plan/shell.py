"""A plan as the shell commands that a person would type, on bare namespaces.

``testbed plan -o shell`` prints this. The commands make the same network as a lab: the switches in
the namespace where they are typed, everything else in namespaces by ``ip netns``. They need root,
iproute2 and what the mode needs, and are best typed in a sandbox::

    unshare --net --mount --fork sh -c 'mount -t tmpfs tmpfs /run && sh -ex plan.sh'

Files of a host go to ``/etc/netns/HOST``, which ``ip netns exec`` shows it as its own ``/etc``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath
from typing import Any

from testbed.plan import model as m
from testbed.plan.impairment import Impairment
from testbed.topology.model import Topology

_STATE = "/run/testbed-plan"


def render(plan: m.Plan, topology: Topology) -> str:
    """The commands, with a comment before each part."""
    names = [name for name in plan.namespaces if name != m.FABRIC]
    lines = ["# Namespaces"]
    for name in names:
        lines += [f"ip netns add {netns(name)}", f"{_ip(name)} link set lo up"]
    lines += ["", "# The underlay: switches here, and a veth pair per link", *_fabric(topology)]
    for name, part in plan.namespaces.items():
        commands = list(_namespace(name, part))
        lines += ["", f"# {name}", *commands] if commands else []
    return "\n".join(lines) + "\n"


def netns(name: str) -> str:
    """The name that ``ip netns`` knows a namespace by: hosts plainly, pods as NAMESPACE.POD."""
    kind, _, rest = name.partition("/")
    return rest.replace("/", ".") if kind == "pod" else rest


def _ip(name: str, program: str = "ip") -> str:
    return program if name == m.FABRIC else f"{program} -n {netns(name)}"


def _fabric(topology: Topology) -> Iterator[str]:
    switches = {switch.name for switch in topology.switches}
    bridges = switches - {switch.name for switch in topology.openvswitches}
    for name in sorted(bridges):
        yield f"ip link add {name} type bridge"
        yield f"ip link set {name} up"
    for link in topology.links:
        ends = ((link.a, link.a_interface), (link.b, link.b_interface))
        (a, b) = (name if host in switches else f"{name} netns {host}" for host, name in ends)
        yield f"ip link add {a} type veth peer name {b}"
        for host, name in ends:
            where = "ip" if host in switches else f"ip -n {host}"
            master = f" master {host}" if host in bridges else ""
            yield f"{where} link set {name}{master} up"


def _namespace(name: str, part: m.NamespacePlan) -> Iterator[str]:
    writers: tuple[tuple[Iterable[Any], Callable[[str, Any], Iterator[str]]], ...] = (
        (part.ports, _port),  # first: a VXLAN device is clamped to the MTU of its parent
        (part.links, _link),
        (part.addresses, _address),
        (part.sysctls, _sysctl),
        (part.neighbours, _neighbour),
        (part.fdb, _fdb),
        (part.routes, _route),
        (part.routing_rules, _routing_rule),
        (part.impairments, _impairment),
        (part.rules, _rules),
        (part.files, _file),
        (part.daemons, _daemon),
    )
    for items, write in writers:
        for item in items:
            yield from write(name, item)


def _link(name: str, item: m.Link) -> Iterator[str]:
    ip = _ip(name)
    if isinstance(item, m.Bridge):
        yield f"{ip} link add {item.name} address {item.mac} mtu {item.mtu} type bridge"
    elif isinstance(item, m.Vxlan):
        learning = "learning" if item.learning else "nolearning"
        yield (
            f"{ip} link add {item.name} address {item.mac} mtu {item.mtu} type vxlan id {item.vni}"
            f" local {item.local} dev {item.parent} dstport {item.port} {learning}"
        )
    else:
        yield from _veth(ip, item)
    yield f"{ip} link set {item.name} up"


def _veth(ip: str, item: m.Veth) -> Iterator[str]:
    peer = netns(item.peer_namespace)
    mac = f" address {item.mac}" if item.mac else ""
    yield (
        f"{ip} link add {item.name}{mac} mtu {item.mtu} type veth peer name {item.peer}"
        f" address {item.peer_mac} mtu {item.mtu} netns {peer}"
    )
    yield f"ip -n {peer} link set {item.peer} up"
    if item.master:
        yield f"{ip} link set {item.name} master {item.master}"
    if item.hairpin:
        yield f"{ip.replace('ip', 'bridge', 1)} link set dev {item.name} hairpin on"


def _port(name: str, item: m.Port) -> Iterator[str]:
    mac = f" address {item.mac}" if item.mac else ""
    yield f"{_ip(name)} link set {item.device} mtu {item.mtu}{mac}"
    if item.software_checksums:
        yield f"{_exec(name)}ethtool -K {item.device} tx off"


def _address(name: str, item: m.Address) -> Iterator[str]:
    scope = "" if item.scope == "global" else f" scope {item.scope}"
    broadcast = "" if item.address.endswith(("/31", "/32")) else " broadcast +"
    yield f"{_ip(name)} address add {item.address}{broadcast} dev {item.device}{scope}"


def _sysctl(name: str, item: m.Sysctl) -> Iterator[str]:
    yield f"{_exec(name)}sysctl -qw {item.key}={shlex.quote(item.value)}"


def _neighbour(name: str, item: m.Neighbour) -> Iterator[str]:
    yield (
        f"{_ip(name)} neighbour replace {item.address} lladdr {item.mac} dev {item.device}"
        " nud permanent"
    )


def _fdb(name: str, item: m.Fdb) -> Iterator[str]:
    bridge = _ip(name, "bridge")
    yield f"{bridge} fdb append {item.mac} dev {item.device} dst {item.vtep} self permanent"


def _route(name: str, item: m.Route) -> Iterator[str]:
    words = [_ip(name), "route add"]
    words += [item.kind] * (item.kind != "unicast") + [item.destination]
    several = len(item.next_hops) > 1
    for hop in item.next_hops:
        words += ["nexthop"] * several
        words += [f"via {hop.via}"] * bool(hop.via) + [f"dev {hop.device}"] * bool(hop.device)
        words += ["onlink"] * hop.onlink
    words += [f"scope {item.scope}"] * (item.scope != "global")
    words += [f"src {item.source}"] * bool(item.source)
    words += [f"proto {item.protocol}"] * (item.protocol != 3)
    words += [f"table {item.table}"] * bool(item.table)
    words += [f"metric {item.metric}"] * bool(item.metric)
    yield " ".join(words)


def _routing_rule(name: str, item: m.RoutingRule) -> Iterator[str]:
    words = [_ip(name), f"rule add priority {item.priority}"]
    words += [f"from {item.source}"] * bool(item.source)
    words += [f"to {item.destination}"]
    words += [f"fwmark {item.mark:#x}/{item.mark:#x}"] * bool(item.mark)
    yield " ".join([*words, f"lookup {item.table or 'main'}"])


def _impairment(name: str, item: Impairment) -> Iterator[str]:
    for discipline in item.tc():
        yield f"{_ip(name, 'tc')} qdisc add dev {item.device} {discipline}"


def _exec(name: str) -> str:
    return "" if name == m.FABRIC else f"ip netns exec {netns(name)} "


def _rules(name: str, item: m.IptablesRules) -> Iterator[str]:
    yield f"{_exec(name)}iptables-restore --noflush <<'RULES'\n{item.text}RULES"


def _file(name: str, item: m.File) -> Iterator[str]:
    path = PurePosixPath(item.path)
    shared = name == m.FABRIC or not path.is_relative_to("/etc")  # `ip netns exec` swaps /etc only
    target = path if shared else f"/etc/netns/{netns(name)}" / path.relative_to("/etc")
    yield f"mkdir -p {target.parent}"
    yield f"cat > {target} <<'FILE'\n{item.content}FILE"


def _daemon(name: str, item: m.Daemon) -> Iterator[str]:
    if item.ready is None:
        yield f"{_exec(name)}{shlex.join(item.argv)} &"
        return
    own = folder = PurePosixPath(item.ready).parent
    if name == m.FABRIC:
        yield f"mkdir -p {folder}"
        if item.prepare:
            yield shlex.join(item.prepare)
        yield f"{shlex.join(item.argv)} &"
    else:
        folder = PurePosixPath(f"{_STATE}/{netns(name)}{own}")
        yield f"install -d -o frr -g frr {folder} {own}"
        inside = f"mount --bind {folder} {own} && exec {shlex.join(item.argv)}"
        yield f"{_exec(name)}sh -c {shlex.quote(inside)} &"
    yield f"until [ -e {folder}/{PurePosixPath(item.ready).name} ]; do sleep 0.05; done"
    if item.configure:
        yield f"{_exec(name)}{shlex.join(item.configure)}"
