"""The contract of a proxy mode, and the registry of all modes.

A mode is one module in ``testbed/proxy/modes/`` with an instance in the attribute ``mode``; it is
named like its file, with ``-`` for ``_``. A mode is pure: it turns ports of Services into text,
and :mod:`testbed.lab.proxies` loads the text in the nodes' namespaces.

A mode makes a *fragment* of each port of a Service, for each node: a frozen value with all that
the node needs for this port, of whatever type the mode likes, that compares equal if nothing is to
be done. What keeps them (:class:`testbed.proxy.program.NodeProgram`) calls ``service`` for those
ports only that have changed, compares the new fragment with the one before, and hands the ports
that differ to ``change``. So a mode holds no state, and its work is proportional to the change.

What every mode needs is not a mode's work: which endpoints a node uses
(:mod:`testbed.cluster.categorize`), and the forgetting of UDP connections to endpoints that are
gone (:mod:`testbed.proxy.conntrack`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.plan.model import NamespacePlan, Sysctl
from testbed.proxy.ipvs import Ipvs
from testbed.proxy.nft import Command, text
from testbed.proxy.relay import Relay
from testbed.registry import Registry


@dataclass(frozen=True, slots=True)
class IptablesRestore:
    """One transaction of iptables: the input of ``iptables-restore --noflush``.

    Attributes:
        text: Tables, each from ``*NAME`` to ``COMMIT``. A chain that is declared (``:NAME -
            [0:0]``) is made, or flushed if it exists; one that is not stays as it is.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Nft:
    """One transaction of nftables.

    Attributes:
        commands: Commands as data, or as nft(8) reads them.
    """

    commands: tuple[Command | str, ...]

    @property
    def text(self) -> str:
        """The transaction as the input of ``nft -f -``."""
        return text(self.commands)


@dataclass(frozen=True, slots=True)
class Forget:
    """UDP connections that the kernel is to forget (:mod:`testbed.proxy.conntrack`).

    A connection is meant if it was made to one of the addresses, or to the port number of one of
    the node ports, and its answers come from anywhere but the endpoints that are named for it.

    Attributes:
        addresses: ``(address, port)`` as the client sees it → the endpoints ``(address, port)``
            that may still answer.
        node_ports: The same for node ports, at whichever address.
    """

    addresses: Mapping[tuple[str, int], frozenset[tuple[str, int]]]
    node_ports: Mapping[int, frozenset[tuple[str, int]]]


Step = IptablesRestore | Nft | Ipvs | Relay | Sysctl | Forget
"""One thing to be done on a node; steps are done in their order, each of them whole or not at all.
A large load may be several steps."""


@dataclass(frozen=True, slots=True)
class ProxyNode:
    """A node as its proxy knows it.

    Attributes:
        name: Its name.
        addresses: Its addresses on the underlay, that of the node object first.
        zone: Its zone; empty for none.
        pod_cidr: The cluster's pod CIDR: what comes from there comes from a pod
            (``--cluster-cidr`` with ``--detect-local-mode=ClusterCIDR``).
        service_cidr: Where cluster IPs come from.
        settings: The mode's own settings, with values.
    """

    name: str
    addresses: tuple[str, ...]
    zone: str = ""
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    settings: Mapping[str, str] = field(default_factory=dict, hash=False)


class ProxyMode(Protocol):
    """How a node carries the traffic of Services."""

    summary: str
    """One line for people."""

    needs: tuple[str, ...]
    """Kernel features and programs, by their names in ``testbed doctor``."""

    settings: Mapping[str, str]
    """Its own ``--set`` keys with their defaults (common ones: :mod:`testbed.proxy.options`)."""

    primary_node_ports: bool = False
    """Whether node ports, also those of health checks, are at a node's first address only, unless
    ``nodeport_addresses`` says otherwise."""

    def check(self, settings: Mapping[str, str]) -> None:
        """Refuses values of settings that mean nothing.

        Raises:
            InputError: There is one.
        """

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> Any:
        """The fragment of a port on a node: frozen, comparable; cheap, 10,000 a second.

        Args:
            node: The node.
            name: The port's name.
            info: The port.
            chosen: Its endpoints as this node uses them.
        """

    def full(self, node: ProxyNode, fragments: Mapping[ServicePortName, Any]) -> tuple[Step, ...]:
        """Everything, from nothing: what is there whatever Services there are, and all ports.

        Loaded once, on a node that the mode has not programmed before.

        Args:
            node: The node.
            fragments: Of all ports.
        """

    def change(
        self,
        node: ProxyNode,
        fragments: Mapping[ServicePortName, Any],
        old: Mapping[ServicePortName, Any],
        new: Mapping[ServicePortName, Any],
    ) -> tuple[Step, ...]:
        """What makes a node that has the old fragments have the new ones.

        If a step fails, none of the change counts as done: the next one starts from the same old
        fragments again.

        Args:
            node: The node.
            fragments: Of all ports, as they are after the change; for modes that have to write
                lists anew. To look at each of them is not proportional to the change.
            old: Ports that differ, as they were; a port that is new is not in it.
            new: Ports that differ, as they shall be; a port that has gone is not in it.
        """


class NoRules:
    """What a mode inherits that loads nothing: it has no fragments and no steps."""

    primary_node_ports = False

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> None:
        """Nothing."""

    def full(self, node: ProxyNode, fragments: Mapping[ServicePortName, None]) -> tuple[Step, ...]:
        """Nothing."""
        return ()

    def change(
        self,
        node: ProxyNode,
        fragments: Mapping[ServicePortName, None],
        old: Mapping[ServicePortName, None],
        new: Mapping[ServicePortName, None],
    ) -> tuple[Step, ...]:
        """Nothing."""
        return ()


@runtime_checkable
class RunsProgram(Protocol):
    """What a mode has besides, if a program on the nodes does the work and not the lab.

    Such a mode is one of :class:`NoRules`, and forgets no connections itself.
    """

    component: str
    """The program, one of :mod:`testbed.go`."""

    def runs(self, node: ProxyNode) -> NamespacePlan:
        """The daemon and its files, on a node."""


modes: Registry[ProxyMode] = Registry("proxy mode", "testbed.proxy.modes", "mode")
