"""``none``: no Services; their addresses lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.proxy.contract import ProxyMode, ProxyNode, Step


class NoneMode:
    """Programs nothing."""

    summary = "no Services"
    needs: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}

    def check(self, settings: Mapping[str, str]) -> None:
        """There are none."""

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> None:
        """Nothing is needed."""

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


mode: ProxyMode = NoneMode()
