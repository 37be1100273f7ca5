"""The work of one node's proxy without the node: from views to steps. Pure.

A :class:`NodeProgram` is kube-proxy's state (what it has programmed) as a value: each change of
the view gives the steps to be done and the program that is there once they are. If they cannot be
done, the old program is still the right one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.cluster.categorize import categorize
from testbed.cluster.history import derive
from testbed.cluster.model import Cluster, Node
from testbed.cluster.serviceview import ProxyView, ServicePortName
from testbed.proxy import conntrack
from testbed.proxy.contract import ProxyMode, ProxyNode, Step

_ZONE = "topology.kubernetes.io/zone"


def proxy_node(cluster: Cluster, node: Node, settings: Mapping[str, str]) -> ProxyNode:
    """A node of a cluster as its proxy knows it."""
    options, host = cluster.options, cluster.topology.host(node.name)
    others = (str(i.address).partition("/")[0] for i in host.interfaces if i.address)
    return ProxyNode(
        node.name,
        tuple(dict.fromkeys((node.address, *others))),
        node.labels.get(_ZONE, ""),
        options.pod_cidr,
        options.service_cidr,
        settings,
    )


@dataclass(frozen=True)
class NodeProgram:
    """What is programmed on a node.

    Attributes:
        mode: The proxy mode.
        node: The node.
        fragments: The fragment of each port of a Service; None before the first load.
        view: What they were made from.
    """

    mode: ProxyMode
    node: ProxyNode
    fragments: Mapping[ServicePortName, Any] | None = None
    view: ProxyView = field(default_factory=ProxyView)

    def update(
        self, view: ProxyView, changed: Iterable[ServicePortName] | None = None
    ) -> tuple[tuple[Step, ...], NodeProgram]:
        """What is to be done for a new view, and the program after it.

        Args:
            view: The new view.
            changed: The ports that differ from this program's view; found if it is not said.
        """
        if self.fragments is None:
            made = derive({}, {name: self._fragment(view, name) for name in view.services})
            return self.mode.full(self.node, made), self._after(view, made)
        names = view.changed(self.view) if changed is None else set(changed)
        old, new = self._difference(view, names)
        stale = conntrack.stale(self.view, view, names)
        if not (old or new):
            return stale, self._after(view, self.fragments)
        fragments = derive(self.fragments, new, old.keys() - new.keys())
        steps = self.mode.change(self.node, fragments, old, new)
        return (*steps, *stale), self._after(view, fragments)

    def prepare(self) -> None:
        """Has the mode make what it finds changes by; the first change need not wait for it."""
        if self.fragments is not None:
            self.mode.change(self.node, self.fragments, {}, {})

    def _difference(
        self, view: ProxyView, names: Iterable[ServicePortName]
    ) -> tuple[dict[ServicePortName, Any], dict[ServicePortName, Any]]:
        """The fragments of those ports that differ: as they were, and as they shall be."""
        old: dict[ServicePortName, Any] = {}
        new: dict[ServicePortName, Any] = {}
        fragments = self.fragments or {}
        for name in names:
            known, wanted = name in fragments, name in view.services
            fragment = self._fragment(view, name) if wanted else None
            if known and wanted and fragments[name] == fragment:
                continue
            old |= {name: fragments[name]} if known else {}
            new |= {name: fragment} if wanted else {}
        return old, new

    def _fragment(self, view: ProxyView, name: ServicePortName) -> Any:
        info, node = view.services[name], self.node
        chosen = categorize(info, view.endpoints.get(name, ()), node.name, node.zone)
        return self.mode.service(node, name, info, chosen)

    def _after(self, view: ProxyView, fragments: Mapping[ServicePortName, Any]) -> NodeProgram:
        return NodeProgram(self.mode, self.node, fragments, view)
