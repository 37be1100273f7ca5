"""The real kube-proxy as a proxy mode: a daemon on each node, fed by the lab's API.

What a node gets is kube-proxy's work, so a port of a Service has no fragment here and nothing is
loaded by the lab; it runs the program with a configuration (:mod:`testbed.proxy.kubeproxy`) and
waits for it (:mod:`testbed.lab.kubeproxy`).
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed import kubeconfig
from testbed.errors import unknown
from testbed.plan.model import Daemon, File, NamespacePlan
from testbed.proxy import options
from testbed.proxy.contract import NoRules, ProxyNode
from testbed.proxy.kubeproxy import PROGRAM, BackEnd, configuration


class KubeProxyMode(NoRules):
    """The contract's parts, for one back end.

    Attributes:
        component: The program.

    Args:
        back_end: What kube-proxy calls the mode.
        needs: What the back end needs of the machine, besides kube-proxy.
        settings: Settings of this back end alone, with defaults.
        flags: Those that are ``true`` or ``false``.
        choices: Settings that are one of several words, with the words.
    """

    component = PROGRAM

    def __init__(
        self,
        back_end: BackEnd,
        needs: tuple[str, ...],
        settings: Mapping[str, str] | None = None,
        flags: tuple[str, ...] = (),
        choices: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        self._back_end: BackEnd = back_end
        self._flags, self._choices = (*options.FLAGS, *flags), choices or {}
        self.summary = f"the real kube-proxy, {back_end} mode"
        self.needs = (PROGRAM, *needs)
        self.settings: Mapping[str, str] = {**options.COMMON, **(settings or {})}

    def check(self, settings: Mapping[str, str]) -> None:
        """Refuses values that mean nothing.

        Raises:
            InputError: There is one.
        """
        options.check(settings, self._flags)
        for key, words in self._choices.items():
            if settings[key] not in words:
                raise unknown(key, settings[key], words)

    def runs(self, node: ProxyNode) -> NamespacePlan:
        """kube-proxy and its files; it asks the API on the node itself."""
        folder, server = f"/run/{PROGRAM}/{node.name}", f"http://127.0.0.1:{kubeconfig.PORT}"
        config, client = f"{folder}/config.yaml", f"{folder}/kubeconfig.yaml"
        files = (
            File(config, configuration(node, self._back_end, client)),
            File(client, kubeconfig.text("lab", server)),
        )
        daemon = Daemon(PROGRAM, (PROGRAM, f"--config={config}"))
        return NamespacePlan(files=files, daemons=(daemon,))
