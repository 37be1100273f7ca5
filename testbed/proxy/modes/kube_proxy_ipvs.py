"""``kube-proxy-ipvs``: the real kube-proxy in its ipvs mode, what ``ipvs`` is like.

The schedulers are those that it knows (``pkg/proxy/ipvs/util/ipvs.go``, Kubernetes 1.34).
"""

from __future__ import annotations

from testbed.proxy.contract import ProxyMode
from testbed.proxy.kubeproxy import SCHEDULER
from testbed.proxy.modes._kube_proxy import KubeProxyMode

mode: ProxyMode = KubeProxyMode(
    "ipvs",
    ("iptables", "iptables-services", "conntrack", "ipvs", "ipset", "dummy"),
    {SCHEDULER: "rr"},
    choices={SCHEDULER: ("rr", "wrr", "lc", "wlc", "sh", "dh", "sed", "nq")},
)
