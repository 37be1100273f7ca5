"""Which links of a topology are ways that traffic is spread over.

A host or switch of the fabric is as high as its shortest way down to a node or external host. Its
*uplinks* go to what is higher. One that has several is where equal-cost ways part (a leaf below its
spines), so how evenly it uses them is worth a look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.analysis.links import HOSTS


def uplinks(topology: Mapping[str, Any]) -> dict[str, set[str]]:
    """Each device with several uplinks → who is at their other ends; parallel links count.

    Args:
        topology: As in ``environment.json``: ``nodes`` (name, role) and ``links`` (a, b).
    """
    height = _heights(topology)
    above: dict[str, list[str]] = {}
    for link in topology.get("links", []):
        low, high = sorted((link["a"], link["b"]), key=lambda name: height.get(name, 0))
        if 0 < height.get(low, 0) < height.get(high, 0):
            above.setdefault(low, []).append(high)
    return {low: set(high) for low, high in above.items() if len(high) > 1}


def _heights(topology: Mapping[str, Any]) -> dict[str, int]:
    """How many links each host or switch is from the nearest node or external host."""
    around: dict[str, set[str]] = {}
    for link in topology.get("links", []):
        around.setdefault(link["a"], set()).add(link["b"])
        around.setdefault(link["b"], set()).add(link["a"])
    found = {str(node["name"]): 0 for node in topology.get("nodes", []) if node["role"] in HOSTS}
    edge = list(found)
    while edge:
        reached = {peer for name in edge for peer in around.get(name, ()) if peer not in found}
        found |= dict.fromkeys(reached, found[edge[0]] + 1)
        edge = list(reached)
    return found
