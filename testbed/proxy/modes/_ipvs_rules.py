"""What kube-proxy's ipvs mode has of sets and iptables whatever Services there are.

All rules are there from the beginning: kube-proxy leaves out those whose set is empty, which match
nothing, and so writes rules when Services change; here only sets change.

Source: ``pkg/proxy/ipvs/proxier.go`` (``ipsetInfo``, ``iptablesJumpChain``,
``ipsetWithIptablesChain``, ``writeIptablesRules``) and ``ipset.go``, Kubernetes 1.34.
"""

from __future__ import annotations

from collections.abc import Iterator

from testbed.proxy import options
from testbed.proxy.contract import ProxyNode

MARK = "0x00004000"
"""Of packets that are to be masqueraded (``--iptables-masquerade-bit=14``)."""

_ADDRESS, _PAIR, _WITH_SOURCE, _PORT = "hash:ip", "hash:ip,port", "hash:ip,port,ip", "bitmap:port"

_SETS = {
    "KUBE-LOOP-BACK": (
        _WITH_SOURCE,
        "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose",
    ),
    "KUBE-CLUSTER-IP": (_PAIR, "Kubernetes service cluster ip + port for masquerade purpose"),
    "KUBE-EXTERNAL-IP": (
        _PAIR,
        "Kubernetes service external ip + port for masquerade and filter purpose",
    ),
    "KUBE-EXTERNAL-IP-LOCAL": (
        _PAIR,
        "Kubernetes service external ip + port with externalTrafficPolicy=local",
    ),
    "KUBE-LOAD-BALANCER": (_PAIR, "Kubernetes service lb portal"),
    "KUBE-LOAD-BALANCER-FW": (
        _PAIR,
        "Kubernetes service load balancer ip + port for load balancer with sourceRange",
    ),
    "KUBE-LOAD-BALANCER-LOCAL": (
        _PAIR,
        "Kubernetes service load balancer ip + port with externalTrafficPolicy=local",
    ),
    "KUBE-LOAD-BALANCER-SOURCE-IP": (
        _WITH_SOURCE,
        "Kubernetes service load balancer ip + port + source IP for packet filter purpose",
    ),
    "KUBE-LOAD-BALANCER-SOURCE-CIDR": (
        "hash:ip,port,net",
        "Kubernetes service load balancer ip + port + source cidr for packet filter purpose",
    ),
    "KUBE-NODE-PORT-TCP": (_PORT, "Kubernetes nodeport TCP port for masquerade purpose"),
    "KUBE-NODE-PORT-LOCAL-TCP": (
        _PORT,
        "Kubernetes nodeport TCP port with externalTrafficPolicy=local",
    ),
    "KUBE-NODE-PORT-UDP": (_PORT, "Kubernetes nodeport UDP port for masquerade purpose"),
    "KUBE-NODE-PORT-LOCAL-UDP": (
        _PORT,
        "Kubernetes nodeport UDP port with externalTrafficPolicy=local",
    ),
    "KUBE-NODE-PORT-SCTP-HASH": (
        _PAIR,
        "Kubernetes nodeport SCTP port for masquerade purpose with type 'hash ip:port'",
    ),
    "KUBE-NODE-PORT-LOCAL-SCTP-HASH": (
        _PAIR,
        "Kubernetes nodeport SCTP port with externalTrafficPolicy=local with type 'hash ip:port'",
    ),
    "KUBE-HEALTH-CHECK-NODE-PORT": (_PORT, "Kubernetes health check node port"),
    "KUBE-IPVS-IPS": (_ADDRESS, "Addresses on the ipvs interface"),
}

SETS = {name: kind for name, (kind, _) in _SETS.items()}
"""Name of each set → its type."""

_FILTER = """\
*filter
:KUBE-FORWARD - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-PROXY-FIREWALL - [0:0]
:KUBE-SOURCE-RANGES-FIREWALL - [0:0]
:KUBE-IPVS-FILTER - [0:0]
:KUBE-IPVS-OUT-FILTER - [0:0]
-I FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD
-I INPUT -m comment --comment "kubernetes health check rules" -j KUBE-NODE-PORT
-I INPUT -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
-I FORWARD -m comment --comment "kube-proxy firewall rules" -j KUBE-PROXY-FIREWALL
-I INPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-FILTER
-I OUTPUT -m comment --comment "kubernetes ipvs access filter" -j KUBE-IPVS-OUT-FILTER
-A KUBE-PROXY-FIREWALL {FW} dst,dst -j KUBE-SOURCE-RANGES-FIREWALL
-A KUBE-SOURCE-RANGES-FIREWALL {CIDR} dst,dst,src -j RETURN
-A KUBE-SOURCE-RANGES-FIREWALL {SOURCE} dst,dst,src -j RETURN
-A KUBE-SOURCE-RANGES-FIREWALL -j DROP
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark {MARK} -j ACCEPT
-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" \
-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A KUBE-NODE-PORT {HEALTH} dst -j ACCEPT
-A KUBE-IPVS-FILTER -m set --match-set KUBE-LOAD-BALANCER dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-CLUSTER-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-EXTERNAL-IP-LOCAL dst,dst -j RETURN
-A KUBE-IPVS-FILTER -m set --match-set KUBE-HEALTH-CHECK-NODE-PORT dst -j RETURN
-A KUBE-IPVS-FILTER -m conntrack --ctstate NEW -m set --match-set KUBE-IPVS-IPS dst -j REJECT
COMMIT
"""

_NAT = """\
*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-MASQ - [0:0]
-I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-I POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING {LOOP} dst,dst,src -j MASQUERADE
-A KUBE-POSTROUTING -m mark ! --mark {MARK} -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x00004000
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" \
-j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000
-A KUBE-LOAD-BALANCER {BALANCER_LOCAL} dst,dst -j RETURN
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-SERVICES -s 127.0.0.0/8 -j RETURN
-A KUBE-SERVICES {BALANCER} dst,dst -j KUBE-LOAD-BALANCER
"""

_WORDS = {
    "LOOP": "KUBE-LOOP-BACK",
    "BALANCER": "KUBE-LOAD-BALANCER",
    "BALANCER_LOCAL": "KUBE-LOAD-BALANCER-LOCAL",
    "FW": "KUBE-LOAD-BALANCER-FW",
    "CIDR": "KUBE-LOAD-BALANCER-SOURCE-CIDR",
    "SOURCE": "KUBE-LOAD-BALANCER-SOURCE-IP",
    "HEALTH": "KUBE-HEALTH-CHECK-NODE-PORT",
}


def _match(name: str) -> str:
    return f'-m comment --comment "{_SETS[name][1]}" -m set --match-set {name}'


def constant(node: ProxyNode) -> str:
    """Both tables, whole."""
    words = {word: _match(name) for word, name in _WORDS.items()} | {"MARK": f"{MARK}/{MARK}"}
    rest = "".join(f"-A {rule}\n" for rule in _rest(node))
    return f"{_FILTER.format(**words)}{_NAT.format(**words)}{rest}COMMIT\n"


def _rest(node: ProxyNode) -> Iterator[str]:
    """The other rules of ``nat``: node ports; who is masqueraded; what is done with here."""
    for protocol, name, direction in (
        ("tcp", "TCP", "dst"),
        ("udp", "UDP", "dst"),
        ("sctp", "SCTP-HASH", "dst,dst"),
    ):
        for local, target in (("LOCAL-", "RETURN"), ("", "KUBE-MARK-MASQ")):
            match = _match(f"KUBE-NODE-PORT-{local}{name}")
            yield f"KUBE-NODE-PORT -p {protocol} {match} {direction} -j {target}"
    yield f"KUBE-SERVICES {_match('KUBE-CLUSTER-IP')} {_masqueraded(node)} -j KUBE-MARK-MASQ"
    for name in ("KUBE-EXTERNAL-IP", "KUBE-EXTERNAL-IP-LOCAL"):
        start = f"KUBE-SERVICES {_match(name)} dst,dst"
        if name == "KUBE-EXTERNAL-IP":
            yield f"{start} -j KUBE-MARK-MASQ"
        yield f"{start} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT"
        yield f"{start} -m addrtype --dst-type LOCAL -j ACCEPT"
    yield "KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT"
    for name in ("KUBE-CLUSTER-IP", "KUBE-LOAD-BALANCER"):
        yield f"KUBE-SERVICES -m set --match-set {name} dst,dst -j ACCEPT"


def _masqueraded(node: ProxyNode) -> str:
    """Of what is sent to cluster IPs: the match that says what comes from the node from now on."""
    if options.flag(node.settings, "masquerade_all"):
        return "dst,dst"
    if options.flag(node.settings, "detect_local"):
        return f"dst,dst ! -s {node.pod_cidr}"
    return "src,dst"
