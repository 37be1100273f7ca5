"""What the parts of this project need of the machine, as they declare it themselves.

A part is named as people name it: ``CNI mode vxlan``, ``scenario pod-latency``, ``link delay``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testbed.registry import Registry

_NAMESPACES = ("netns", "mntns", "pidns", "utsns", "ipcns")
_MININET = ("mnexec", "ip", "ifconfig", "brctl", "sysctl")
EVERY_LAB = (*_NAMESPACES, "veth", "bridge", *_MININET, "nsenter", "setpriv")
"""What a lab needs whatever runs in it; it belongs to no part."""

EVERY = "every lab"
"""The part that all the others need."""


def parts() -> dict[str, tuple[str, ...]]:
    """Part → the features that it needs."""
    return dict(_declared())


def needed_by() -> dict[str, tuple[str, ...]]:
    """Feature → the parts that need it."""
    users: dict[str, list[str]] = {}
    for part, needs in _declared():
        for name in needs:
            users.setdefault(name, []).append(part)
    return {name: tuple(parts) for name, parts in users.items()}


def _declared() -> Iterator[tuple[str, tuple[str, ...]]]:
    from testbed.images.catalogue import IMAGES

    yield EVERY, EVERY_LAB
    yield from _links()
    yield from _topologies()
    yield from _failures()
    for kind, package, attribute in (
        ("CNI mode", "cni_modes", "mode"),
        ("proxy mode", "testbed.proxy.modes", "mode"),
        ("ingress controller", "testbed.ingress.controllers", "controller"),
        ("scenario", "scenarios", "scenario"),
    ):
        registry: Registry[object] = Registry(kind, package, attribute)
        for name in registry.names():
            yield f"{kind} {name}", tuple(getattr(registry.get(name), "needs", ()))
    yield "cluster DNS", ("coredns",)
    for name, image in IMAGES.items():
        yield f"image {name}", image.needs


def _links() -> Iterator[tuple[str, tuple[str, ...]]]:
    from testbed.plan.impairment import Impairment
    from testbed.topology.limits import KEYS, Limits

    for key in KEYS:
        one: dict[str, Any] = {key: 1}
        yield f"link {key}", (*Impairment("", 1500, Limits(**one)).needs, "tc")


def _failures() -> Iterator[tuple[str, tuple[str, ...]]]:
    from testbed.plan.targets import NEEDS

    for kind, needs in NEEDS.items():
        yield f"failure of a {kind}", needs


def _topologies() -> Iterator[tuple[str, tuple[str, ...]]]:
    from testbed.plan import sdn, underlay
    from testbed.spec import needs
    from testbed.topology import load

    for name in load.names():
        topology = load.load(name, {})
        yield f"topology {name}", needs(underlay.plan(topology), topology, sdn.AUTO)
    yield "datapath kernel", (sdn.KERNEL_DATAPATH,)
