"""The configuration of the real kube-proxy for a node: what it is told, and no more.

Three things differ from what a cluster's installer would write, because nodes are network
namespaces of one machine:

``conntrack.maxPerCore``, ``min``
    0: the size of the connection table is the machine's, and no namespace but its own may set it.
    The timeouts are each namespace's own, so they have kube-proxy's defaults.
``oomScoreAdj``
    0: whom the kernel ends first when memory is short is no matter of the emulated node.
``configSyncPeriod``
    A year: caches do not hand out again what they have, so that what kube-proxy counts as changes
    are changes (:mod:`testbed.lab.kubeproxy`).

The log is JSON and says when each sync has ended, for the same module. ``minSyncPeriod`` and
``syncPeriod`` are left to kube-proxy: 1 s (``ipvs``: 0) after the end of a sync, and 30 s. Health
is asked for at all of the node's addresses, port 10256, and metrics at its ``127.0.0.1:10249``;
both are in the node's network namespace. A port that is taken ends it (``bindAddressHardFail``).

Source: ``k8s.io/kube-proxy/config/v1alpha1`` and ``pkg/proxy/apis/config/v1alpha1/defaults.go``,
Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import yaml

from testbed.proxy import options
from testbed.proxy.contract import ProxyNode

BackEnd = Literal["iptables", "nftables", "ipvs"]
"""kube-proxy's own name of a mode."""

PROGRAM = "kube-proxy"
"""The program's name, and that of its daemon in a plan."""

METRICS = 10249
"""The port of the metrics, at 127.0.0.1."""

HEALTHZ = 10256
"""The port of ``/healthz``, at all addresses."""

SCHEDULER = "ipvs_scheduler"
"""The setting of ``ipvs`` with the kernel's scheduler."""

LOCALHOST = "localhost_nodeports"
"""The setting of ``iptables`` that says whether node ports answer at 127.0.0.1."""

_ANY = "0.0.0.0"  # noqa: S104 - of the node's own namespace; so it is IPv4's first
_VERBOSITY: Mapping[BackEnd, int] = {"iptables": 2, "nftables": 2, "ipvs": 4}  # of ends of syncs


def configuration(
    node: ProxyNode, back_end: BackEnd, kubeconfig: str, min_sync: str | None = None
) -> str:
    """The KubeProxyConfiguration of a node, as YAML for ``--config``.

    Args:
        node: The node, with settings as :mod:`testbed.proxy.options` has them, and the back end's.
        back_end: What is to be programmed.
        kubeconfig: Path of the file that :func:`testbed.kubeconfig.text` made.
        min_sync: How long to wait after a sync before the next one, such as ``10ms``; None for
            kube-proxy's default. Not below ``1ns``: 0 means the default.
    """
    found = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": kubeconfig},
        "hostnameOverride": node.name,
        "bindAddress": _ANY,
        "bindAddressHardFail": True,
        "healthzBindAddress": f"{_ANY}:{HEALTHZ}",
        "metricsBindAddress": f"127.0.0.1:{METRICS}",
        "mode": back_end,
        "detectLocalMode": "ClusterCIDR",
        "clusterCIDR": node.pod_cidr if options.flag(node.settings, "detect_local") else "",
        "nodePortAddresses": [str(one) for one in options.ranges(node.settings)],
        "configSyncPeriod": "8760h",
        "conntrack": {"maxPerCore": 0, "min": 0},
        "oomScoreAdj": 0,
        "logging": {"format": "json", "verbosity": _VERBOSITY[back_end]},
        **_sections(node.settings, back_end, min_sync),
    }
    return yaml.safe_dump(found, sort_keys=False)


def _sections(
    settings: Mapping[str, str], back_end: BackEnd, min_sync: str | None
) -> dict[str, dict[str, Any]]:
    """What is said of one back end; ``masqueradeAll`` of ipvs is that of iptables."""
    sections: dict[str, dict[str, Any]] = {back_end: {}}
    if min_sync is not None:
        sections[back_end]["minSyncPeriod"] = min_sync
    if back_end == "ipvs":
        sections["ipvs"]["scheduler"] = settings[SCHEDULER]
    if back_end == "iptables":
        sections["iptables"]["localhostNodePorts"] = options.flag(settings, LOCALHOST)
    masquerades = sections.setdefault("nftables" if back_end == "nftables" else "iptables", {})
    masquerades["masqueradeAll"] = options.flag(settings, "masquerade_all")
    return sections
