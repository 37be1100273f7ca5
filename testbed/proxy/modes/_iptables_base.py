"""What kube-proxy's iptables mode has on a node whatever Services there are.

Source: ``pkg/proxy/iptables/proxier.go`` (``iptablesJumpChains``, ``iptablesKubeletJumpChains`` and
the constant rules of ``syncProxyRules``), Kubernetes 1.34.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from testbed.proxy import options
from testbed.proxy.contract import ProxyNode
from testbed.proxy.modes._iptables_names import (
    EXTERNAL_SERVICES,
    FIREWALL,
    FORWARD,
    MARK_MASQ,
    NODE_PORTS,
    POSTROUTING,
    PROXY_FIREWALL,
    SERVICES,
)

MARK = "0x00004000"
"""Of packets that are to be masqueraded (``--iptables-masquerade-bit=14``)."""

_LOOPBACK, _LOOPBACKS = "127.0.0.1", IPv4Network("127.0.0.0/8")
_NEW = "-m conntrack --ctstate NEW"
_FILTER_JUMPS = (
    ("INPUT", f'{_NEW} -m comment --comment "kubernetes externally-visible service portals"',
     EXTERNAL_SERVICES),
    ("FORWARD", f'{_NEW} -m comment --comment "kubernetes externally-visible service portals"',
     EXTERNAL_SERVICES),
    ("INPUT", '-m comment --comment "kubernetes health check service ports"', NODE_PORTS),
    ("FORWARD", f'{_NEW} -m comment --comment "kubernetes service portals"', SERVICES),
    ("OUTPUT", f'{_NEW} -m comment --comment "kubernetes service portals"', SERVICES),
    ("FORWARD", '-m comment --comment "kubernetes forwarding rules"', FORWARD),
    ("INPUT", f'{_NEW} -m comment --comment "kubernetes load balancer firewall"', PROXY_FIREWALL),
    ("OUTPUT", f'{_NEW} -m comment --comment "kubernetes load balancer firewall"', PROXY_FIREWALL),
    ("FORWARD", f'{_NEW} -m comment --comment "kubernetes load balancer firewall"',
     PROXY_FIREWALL),
    ("INPUT", "", FIREWALL),
    ("OUTPUT", "", FIREWALL),
)  # fmt: skip
_NAT_JUMPS = (
    ("OUTPUT", '-m comment --comment "kubernetes service portals"', SERVICES),
    ("PREROUTING", '-m comment --comment "kubernetes service portals"', SERVICES),
    ("POSTROUTING", '-m comment --comment "kubernetes postrouting rules"', POSTROUTING),
)
"""Chain, conditions and target of each jump, in the order of making: the last comes first."""


def localhost(node: ProxyNode) -> bool:
    """Whether node ports answer on 127.0.0.1, too."""
    covered = _everywhere(node) or any(
        one.network_address.is_loopback or _LOOPBACKS.network_address in one
        for one in options.ranges(node.settings)
    )
    return options.flag(node.settings, "localhost_nodeports") and covered


def _everywhere(node: ProxyNode) -> bool:
    """Whether all addresses of the node have node ports."""
    ranges = options.ranges(node.settings)
    return not ranges or any(one.prefixlen == 0 for one in ranges)


def _chains(*names: str) -> str:
    return "".join(f":{name} - [0:0]\n" for name in names)


def _jumps(jumps: tuple[tuple[str, str, str], ...]) -> str:
    lines = (" ".join(f"-I {chain} {match} -j {to}".split()) for chain, match, to in jumps)
    return "".join(f"{line}\n" for line in lines)


def filter_chains() -> str:
    """The chains of ``filter``."""
    return _chains(SERVICES, EXTERNAL_SERVICES, FORWARD, NODE_PORTS, PROXY_FIREWALL, FIREWALL)


def filter_lists() -> str:
    """Those that list ports of Services."""
    return _chains(SERVICES, EXTERNAL_SERVICES, NODE_PORTS, PROXY_FIREWALL)


def nat_lists() -> str:
    """The same of ``nat``."""
    return _chains(SERVICES, NODE_PORTS)


def filter_rules(node: ProxyNode) -> str:
    """The jumps and the constant rules of ``filter``."""
    firewall = (
        f'-A {FIREWALL} -m comment --comment "block incoming localnet connections" -d 127.0.0.0/8'
        " ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP\n"
    )
    return (
        f"{_jumps(_FILTER_JUMPS)}{firewall if localhost(node) else ''}"
        f"-A {FORWARD} -m conntrack --ctstate INVALID -j DROP\n"
        f'-A {FORWARD} -m comment --comment "kubernetes forwarding rules"'
        f" -m mark --mark {MARK}/{MARK} -j ACCEPT\n"
        f'-A {FORWARD} -m comment --comment "kubernetes forwarding conntrack rule"'
        " -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    )


def nat_chains() -> str:
    """The common chains of ``nat``."""
    return _chains(SERVICES, NODE_PORTS, POSTROUTING, MARK_MASQ)


def nat_rules() -> str:
    """The jumps and the constant rules of ``nat``, but for the last."""
    return (
        f"{_jumps(_NAT_JUMPS)}"
        f"-A {POSTROUTING} -m mark ! --mark {MARK}/{MARK} -j RETURN\n"
        f"-A {POSTROUTING} -j MARK --xor-mark {MARK}\n"
        f'-A {POSTROUTING} -m comment --comment "kubernetes service traffic requiring SNAT"'
        " -j MASQUERADE --random-fully\n"
        f"-A {MARK_MASQ} -j MARK --or-mark {MARK}\n"
    )


def last_rules(node: ProxyNode) -> str:
    """The end of ``KUBE-SERVICES``: what is for the node itself may be for a node port."""
    start = (
        f'-A {SERVICES} -m comment --comment "kubernetes service nodeports; NOTE: this must be the'
        ' last rule in this chain"'
    )
    ranges = options.ranges(node.settings)
    if _everywhere(node):
        loopback = "" if localhost(node) else " ! -d 127.0.0.0/8"
        return f"{start} -m addrtype --dst-type LOCAL{loopback} -j {NODE_PORTS}\n"
    known = (*node.addresses, *([_LOOPBACK] if localhost(node) else ()))
    own = options.within(known, ranges)
    return "".join(f"{start} -d {address} -j {NODE_PORTS}\n" for address in own)
