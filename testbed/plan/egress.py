"""What leaves the cluster: destinations to which packets go with the pods' own addresses.

The CNI modes masquerade what pods send out of the cluster, each as its original does. Before their
rules come those of ``--set egress_exempt``: packets of pods to these networks keep their source,
as ``nonMasqueradeCIDRs`` of Kubernetes' ip-masq-agent has it. What a proxy has marked for
masquerading is masqueraded all the same.

Source: ip-masq-agent ``cmd/ip-masq-agent/ip-masq-agent.go`` (chain ``IP-MASQ-AGENT``). It returns
where this accepts, because it masquerades by itself and there is no CNI's rule after it.
"""

from __future__ import annotations

from testbed.cluster.model import Cluster
from testbed.plan.model import IptablesRules, NamespacePlan, Plan

_EXEMPT = """\
*nat
:IP-MASQ-AGENT - [0:0]
-A POSTROUTING -m addrtype ! --dst-type LOCAL -j IP-MASQ-AGENT
-A IP-MASQ-AGENT -m mark --mark 0x4000/0x4000 -j RETURN
{rules}COMMIT
"""
_RULE = "-A IP-MASQ-AGENT -s {pods} -d {network} -j ACCEPT\n"


def plan(cluster: Cluster) -> Plan:
    """The rules of exempt networks, on each node; they must come before the CNI mode's."""
    options = cluster.options
    if not options.egress_exempt:
        return Plan()
    networks = options.egress_exempt.split(",")
    rules = "".join(_RULE.format(pods=options.pod_cidr, network=one) for one in networks)
    part = NamespacePlan(rules=(IptablesRules("ip-masq-agent", _EXEMPT.format(rules=rules)),))
    return Plan({node.namespace: part for node in cluster.nodes})
