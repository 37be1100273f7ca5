"""Cluster DNS: CoreDNS as an add-on of a lab, and the ``/etc/resolv.conf`` of its pods. Pure.

What a query meets on its way, with a proxy mode::

    pod ── its resolv.conf (resolvconf) ─▶ 10.96.0.10, Service kube-dns (addon)
         ─▶ a CoreDNS pod: its Corefile (corefile)
             ├─ names of the cluster: what the lab's API says
             └─ others ─▶ the resolver in the node's resolv.conf: the lab's internet (internet)
"""
