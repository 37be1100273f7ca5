"""A step of IPVS as the commands that a person would type: ``ipset``, ``ip``, ``ipvsadm``."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.plan.shell import netns
from testbed.proxy.ipvs import Ipvs, SetEntry, VirtualServer


def render(name: str, step: Ipvs) -> Iterator[str]:
    """The commands of a step that only adds, as a full load does.

    Args:
        name: The node's namespace.
        step: The step.
    """
    inside, own = f"ip netns exec {netns(name)}", f"ip -n {netns(name)}"
    sets = [_create(name, kind) for name, kind in step.sets.items()]
    if step.sets:
        yield f"{own} link add kube-ipvs0 type dummy"
    servers = [line for one in step.new for line in _server(one)]
    if servers:
        yield f"{inside} ipvsadm --restore <<'SERVERS'\n{_lines(servers)}SERVERS"
    if sets or step.entries:
        entries = [*sets, *(_entry(one) for one in step.entries)]
        yield f"{inside} ipset restore <<'SETS'\n{_lines(entries)}SETS"
    for address in step.addresses:
        yield f"{own} address add {address}/32 dev kube-ipvs0"


def _lines(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _create(name: str, kind: str) -> str:
    return f"create {name} {kind} " + ("range 0-65535" if kind == "bitmap:port" else "family inet")


def _entry(one: SetEntry) -> str:
    port = f"{one.protocol.lower()}:{one.port}" if one.protocol else str(one.port or "")
    return f"add {one.name} {','.join(part for part in (one.address, port, one.source) if part)}"


_OPTIONS = {"TCP": "-t", "UDP": "-u", "SCTP": "--sctp-service"}


def _server(one: VirtualServer) -> Iterator[str]:
    at = f"{_OPTIONS[one.protocol]} {one.address}:{one.port}"
    sticky = f" -p {one.persistence}" if one.persistence else ""
    yield f"-A {at} -s {one.scheduler}{sticky}"
    for address, port in one.real:
        yield f"-a {at} -r {address}:{port} -m -w 1"
