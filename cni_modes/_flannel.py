"""What Flannel's backends have in common: the pods' MTU and the masquerade and forward rules."""

from __future__ import annotations

from testbed.cluster.model import Cluster, Node
from testbed.plan.model import IptablesRules, NamespacePlan, Plan, Sysctl

_RULES = """\
*nat
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {node} -d {cluster} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {cluster} -d {node} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG ! -s {cluster} -d {node} -m comment --comment "flanneld masq" -j RETURN
-A FLANNEL-POSTRTG -s {cluster} ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE\
 --random-fully
-A FLANNEL-POSTRTG ! -s {cluster} -d {cluster} -m comment --comment "flanneld masq" -j MASQUERADE\
 --random-fully
COMMIT
*filter
:FLANNEL-FWD - [0:0]
-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD
-A FLANNEL-FWD -s {cluster} -m comment --comment "flanneld forward" -j ACCEPT
-A FLANNEL-FWD -d {cluster} -m comment --comment "flanneld forward" -j ACCEPT
COMMIT
"""


def mtu(cluster: Cluster, overhead: int) -> int:
    """The pods' MTU in bytes: the smallest of the nodes' interfaces less the encapsulation."""
    return min(node.mtu for node in cluster.nodes) - overhead


def rules(cluster: Cluster) -> Plan:
    """Flanneld's iptables rules and the bridge sysctl that kubeadm asks of each node.

    Source: flannel ``pkg/trafficmngr/iptables``.
    """
    return Plan({node.namespace: _node(cluster, node) for node in cluster.nodes})


def _node(cluster: Cluster, node: Node) -> NamespacePlan:
    text = _RULES.format(node=node.pod_cidr, cluster=cluster.options.pod_cidr)
    return NamespacePlan(
        sysctls=(Sysctl("net/bridge/bridge-nf-call-iptables", "1"),),
        rules=(IptablesRules("flannel", text),),
    )
