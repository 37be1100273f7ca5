"""``kube-proxy-iptables``: the real kube-proxy in its iptables mode, what ``iptables`` is like."""

from __future__ import annotations

from testbed.proxy.contract import ProxyMode
from testbed.proxy.kubeproxy import LOCALHOST
from testbed.proxy.modes._kube_proxy import KubeProxyMode

mode: ProxyMode = KubeProxyMode(
    "iptables", ("iptables", "iptables-services", "conntrack"), {LOCALHOST: "true"}, (LOCALHOST,)
)
