"""``none``: no Services; their addresses lead nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from testbed.proxy.contract import NoRules, ProxyMode


class NoneMode(NoRules):
    """Programs nothing."""

    summary = "no Services"
    needs: tuple[str, ...] = ()
    settings: Mapping[str, str] = {}

    def check(self, settings: Mapping[str, str]) -> None:
        """There are none."""


mode: ProxyMode = NoneMode()
