"""``ipvs``: kube-proxy's ipvs mode: the kernel's load balancer, a virtual server per address.

The way of a packet to an address of a Service::

    PREROUTING, OUTPUT: sets say whether it is to be masqueraded (mark 0x4000)
    routing:            the address is local: it is on the dummy device kube-ipvs0
    INPUT:              source ranges; nothing else of the node is reached by such an address
    IPVS:               the virtual server's scheduler chooses the endpoint, and translates
    POSTROUTING:        masqueraded if marked, or if an endpoint has reached itself (hairpin)

Addresses, ports and endpoints are in hash tables, so a connection takes as long with one Service as
with 10,000. The rules of iptables are the same whatever Services there are
(:mod:`testbed.proxy.modes._ipvs_rules`), with one exception: a load balancer's address whose source
ranges leave the node out has a rule for it in ``KUBE-IPVS-OUT-FILTER``.

Where kube-proxy's ipvs mode is not as its other ones, this is like it: a policy Local with no
endpoint on the node uses those of other nodes for external traffic; what cannot be served is
refused by IPVS, never dropped; node ports do not answer on 127.0.0.1. Affinity is per address.

Not as kube-proxy: node ports are on the node's addresses of the underlay, not on those of its
bridges and tunnels, too; a TCP connection's endpoint that has gone is looked at every 10 seconds,
not every minute (:mod:`testbed.kernel.ipvs`), and one that comes back meanwhile keeps its
connections.
``conn_reuse_mode`` stays as the kernel has it, as kube-proxy does from kernel 5.9 on.

Source: ``pkg/proxy/ipvs/proxier.go`` (``syncProxyRules``, ``syncEndpoint``), Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Mapping

from testbed.cluster.categorize import Categorized
from testbed.cluster.serviceview import ServicePortInfo, ServicePortName
from testbed.errors import InputError, Where
from testbed.plan.model import Sysctl
from testbed.proxy import options, timeouts
from testbed.proxy.contract import IptablesRestore, ProxyMode, ProxyNode, Step
from testbed.proxy.ipvs import Ipvs
from testbed.proxy.modes._ipvs_change import difference, filter_rules
from testbed.proxy.modes._ipvs_fragment import SCHEDULER, Fragment, Fragments, make
from testbed.proxy.modes._ipvs_rules import SETS, constant

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "sh", "dh", "sed", "nq")
_SYSCTLS = (
    Sysctl("net/ipv4/vs/conntrack", "1"),
    Sysctl("net/ipv4/vs/expire_nodest_conn", "1"),
    Sysctl("net/ipv4/vs/expire_quiescent_template", "1"),
    Sysctl("net/ipv4/ip_forward", "1"),
)


class IpvsMode(ProxyMode):
    """The contract's parts; see the module for what they mean together."""

    summary = "kube-proxy's ipvs mode: virtual servers of the kernel"
    needs: tuple[str, ...] = (
        *("iptables", "iptables-services", "conntrack"),
        *("ipvs", "ipset", "dummy"),
    )
    settings: Mapping[str, str] = {**options.COMMON, SCHEDULER: "rr"}

    def check(self, settings: Mapping[str, str]) -> None:
        """Refuses flags, ranges and schedulers that are none.

        Raises:
            InputError: There is such.
        """
        options.check(settings)
        if settings[SCHEDULER] not in SCHEDULERS:
            raise InputError(
                f"{settings[SCHEDULER]!r} is no scheduler",
                where=Where("--set", field=SCHEDULER),
                hint=f"One of {', '.join(SCHEDULERS)}.",
            )

    def service(
        self, node: ProxyNode, name: ServicePortName, info: ServicePortInfo, chosen: Categorized
    ) -> Fragment:
        """The port's virtual servers, and what goes with them."""
        return make(node, info, chosen)

    def full(self, node: ProxyNode, fragments: Fragments) -> tuple[Step, ...]:
        """Sets first, as rules name them; then the rules, and what carries traffic."""
        steps = (Ipvs(sets=SETS), *timeouts.CONNECTIONS, *_SYSCTLS, IptablesRestore(constant(node)))
        return (*steps, *filter_rules({}, fragments), difference(fragments, {}, fragments))

    def change(
        self, node: ProxyNode, fragments: Fragments, old: Fragments, new: Fragments
    ) -> tuple[Step, ...]:
        """What differs; what another port has as well stays."""
        return (*filter_rules(old, new), difference(fragments, old, new))


mode: ProxyMode = IpvsMode()
