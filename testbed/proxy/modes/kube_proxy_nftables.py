"""``kube-proxy-nftables``: the real kube-proxy in its nftables mode, what ``nftables`` is like."""

from __future__ import annotations

from testbed.proxy.contract import ProxyMode
from testbed.proxy.modes._kube_proxy import KubeProxyMode

mode: ProxyMode = KubeProxyMode("nftables", ("nft", "nftables", "conntrack"))
