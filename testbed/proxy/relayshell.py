"""The sets of proxy mode userspace as the command that a person would type."""

from __future__ import annotations

from collections.abc import Iterator

from testbed.plan.shell import netns
from testbed.proxy.relay import NODE_PORTS, PORTALS, PORTS, SETS, Place, Relay


def render(name: str, step: Relay) -> Iterator[str]:
    """The sets of a full load. The relay is a part of a lab and no command.

    Args:
        name: The node's namespace.
        step: The step.
    """
    yield f"# a lab has its relay (testbed/relay) at {step.address}, ports {PORTS[0]} to {PORTS[1]}"
    lines = [f"create {one} {_KINDS[kind]}" for one, kind in SETS.items()]
    lines += [f"add {_entry(place)}" for place in step.places]
    yield "\n".join([f"ip netns exec {netns(name)} ipset restore <<'SETS'", *lines, "SETS"])


_KINDS = {"hash:ip,port": "hash:ip,port family inet", "bitmap:port": "bitmap:port range 0-65535"}


def _entry(place: Place) -> str:
    if place.address:
        return f"{PORTALS} {place.address},{place.protocol.lower()}:{place.port}"
    return f"{NODE_PORTS[place.protocol]} {place.port}"
