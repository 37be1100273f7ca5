"""The kernel features that something here needs, or that shows what a machine is fit for.

One entry is all that there is to know of a feature. Adding one is adding its entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.doctor import trial
from testbed.doctor.trial import DEVICE, Trial
from testbed.kernel import syscalls


@dataclass(frozen=True, slots=True)
class KernelFeature:
    """A kernel feature.

    Attributes:
        option: The option that builds it in.
        purpose: What it is for.
        attempt: Tries it; an exception means that it is absent.
        module: The module that has it where it is not built in; empty for what is none.
        tool: The program that tries and uses it; empty for none.
        since: The first version of Linux that has it, if Debian 12's (6.1) has not.
    """

    option: str
    purpose: str
    attempt: Callable[[Trial], object]
    module: str = ""
    tool: str = ""
    since: str = ""


def _link(kind: str, **options: Any) -> Callable[[Trial], object]:
    return lambda kernel: kernel.link(kind, **options)


def _above(kind: str, **options: Any) -> Callable[[Trial], object]:
    return lambda kernel: kernel.link_above(kind, **options)


def _tc(option: str, purpose: str, module: str, *commands: str) -> KernelFeature:
    return KernelFeature(option, purpose, lambda kernel: kernel.tc(*commands), module, "tc")


def _qdisc(option: str, purpose: str, words: str) -> KernelFeature:
    module = f"sch_{words.partition(' ')[0]}"
    return _tc(option, purpose, module, f"qdisc replace dev {DEVICE} root {words}")


def _filter(option: str, purpose: str, module: str, words: str) -> KernelFeature:
    """A filter of what comes in."""
    return _tc(
        option,
        purpose,
        module,
        f"qdisc replace dev {DEVICE} ingress",
        f"filter add dev {DEVICE} parent ffff: protocol ip prio 1 {words}",
        f"filter del dev {DEVICE} parent ffff:",
    )


def _generic(family: str) -> Callable[[Trial], object]:
    return lambda kernel: kernel.generic(family)


def _alone(attempt: Callable[..., object], *arguments: Any) -> Callable[[Trial], object]:
    """An attempt that needs nothing of a :class:`Trial`."""
    return lambda _: attempt(*arguments)


_SERVICES = b"""*nat
:PROBE - [0:0]
-A PROBE -m addrtype --src-type LOCAL -j MARK --or-mark 0x4000
-A PROBE -m recent --name PROBE --rcheck --seconds 1 --reap -j RETURN
-A PROBE -p udp -m udp -m recent --name PROBE --set -j DNAT --to-destination 192.0.2.1:80
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
COMMIT
*filter
-A FORWARD -p tcp -j REJECT
COMMIT
"""
_IPTABLES = b"""*nat
:PROBE - [0:0]
-A PROBE -p tcp -m comment --comment probe -m statistic --mode random --probability 0.5 \
-j DNAT --to-destination 192.0.2.1:80
-A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
COMMIT
*filter
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
COMMIT
"""
_NFTABLES = """table ip probe {
 map m { type ipv4_addr . inet_service : verdict; }
 set s { type ipv4_addr; flags dynamic,timeout; timeout 1s; }
 chain a { fib saddr type local mark set 0x4000; update @s { ip saddr }
 }
 chain b { ip daddr 192.0.2.1 reject; }
 chain nat { type nat hook prerouting priority -100; ip daddr . tcp dport vmap @m
  numgen random mod 2 vmap { 0 : goto a, 1 : accept }
 }
 chain in { type filter hook input priority 0; ct state new jump b; }
 chain post { type nat hook postrouting priority 100; masquerade fully-random; }
}
"""
_NUMBERED = """table ip probe_numbered {
 map m { typeof ip daddr . tcp dport . numgen random mod 2 : ip daddr . tcp dport; }
 set f { type ipv4_addr . inet_service . ipv4_addr; flags interval; }
 chain nat { type nat hook prerouting priority -100
  dnat ip to ip daddr . tcp dport . numgen random mod 2 map @m
 }
}
"""
_FLOWTABLE = f"""table ip probe_flow {{
 flowtable f {{ hook ingress priority 0; devices = {{ {DEVICE} }}; }}
 chain forward {{ type filter hook forward priority 0; ip protocol tcp flow add @f; }}
}}
"""
_EGRESS = f"""table netdev probe_egress {{
 chain out {{ type filter hook egress device "{DEVICE}" priority 0; fwd to "lo"; }}
}}
"""
_ENDS = ("192.0.2.1", "192.0.2.2")
_CLONE_NEWUSER = 0x10000000
_F = KernelFeature

NAMESPACES: Mapping[str, KernelFeature] = {
    name: KernelFeature(option, purpose, _alone(trial.unshares, flag))
    for name, option, flag, purpose in (
        ("netns", "CONFIG_NET_NS", syscalls.CLONE_NEWNET, "nodes and pods"),
        ("mntns", "CONFIG_NAMESPACES", syscalls.CLONE_NEWNS, "files of a pod's own"),
        ("pidns", "CONFIG_PID_NS", syscalls.CLONE_NEWPID, "ending a lab with all that is in it"),
        ("utsns", "CONFIG_UTS_NS", syscalls.CLONE_NEWUTS, "host names of pods"),
        ("ipcns", "CONFIG_IPC_NS", syscalls.CLONE_NEWIPC, "the sandbox"),
        ("userns", "CONFIG_USER_NS", _CLONE_NEWUSER, "this list for users without root"),
    )
}
"""These are tried before any namespace is entered."""

KERNEL: Mapping[str, KernelFeature] = {
    **NAMESPACES,
    "veth": _F("CONFIG_VETH", "links between namespaces", lambda kernel: kernel.device, "veth"),
    "bridge": _F("CONFIG_BRIDGE", "switches; cni0", _link("bridge"), "bridge"),
    "br_netfilter": _F(
        "CONFIG_BRIDGE_NETFILTER",
        "iptables for traffic within a bridge",
        _alone(trial.write, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1"),
        "br_netfilter",
    ),
    "vxlan": _F(
        "CONFIG_VXLAN",
        "VXLAN overlays",
        _link("vxlan", vxlan_id=1, vxlan_port=8472, vxlan_learning=False),
        "vxlan",
    ),
    "geneve": _F(
        "CONFIG_GENEVE",
        "Geneve overlays",
        _link("geneve", geneve_id=1, geneve_remote=_ENDS[1]),
        "geneve",
    ),
    "gre": _F(
        "CONFIG_NET_IPGRE",
        "GRE tunnels",
        _link("gre", gre_local=_ENDS[0], gre_remote=_ENDS[1]),
        "ip_gre",
    ),
    "ipip": _F(
        "CONFIG_NET_IPIP",
        "IP-in-IP tunnels, as Calico's default",
        _link("ipip", ipip_local=_ENDS[0], ipip_remote=_ENDS[1]),
        "ipip",
    ),
    "wireguard": _F("CONFIG_WIREGUARD", "encrypted tunnels", _link("wireguard"), "wireguard"),
    "dummy": _F(
        "CONFIG_DUMMY",
        "kube-ipvs0, which holds the VIPs of kube-proxy's ipvs mode",
        _link("dummy"),
        "dummy",
    ),
    "ifb": _F("CONFIG_IFB", "shaping of what comes in", _link("ifb"), "ifb"),
    "tun": _F("CONFIG_TUN", "interfaces of programs", _alone(trial.tap), "tun"),
    "netkit": _F("CONFIG_NETKIT", "Cilium's links to pods", _link("netkit"), since="6.7"),
    "vlan": _F("CONFIG_VLAN_8021Q", "VLANs", _above("vlan", vlan_id=2), "8021q"),
    "macvlan": _F(
        "CONFIG_MACVLAN",
        "the macvlan CNI plugin",
        _above("macvlan", macvlan_mode="bridge"),
        "macvlan",
    ),
    "ipvlan": _F("CONFIG_IPVLAN", "the ipvlan CNI plugin", _above("ipvlan"), "ipvlan"),
    "vrf": _F(
        "CONFIG_NET_VRF", "routing tables of several tenants", _link("vrf", vrf_table=10), "vrf"
    ),
    "mpls": _F(
        "CONFIG_MPLS_ROUTING",
        "label switching",
        _alone(trial.write, "/proc/sys/net/mpls/platform_labels", "100"),
        "mpls_router",
    ),
    "tbf": _qdisc(
        "CONFIG_NET_SCH_TBF",
        "rates and queues of links",
        "tbf rate 100mbit burst 32768 limit 65536",
    ),
    "htb": _qdisc("CONFIG_NET_SCH_HTB", "rate limits with classes", "htb default 1"),
    "netem": _qdisc(
        "CONFIG_NET_SCH_NETEM",
        "delay, jitter, loss, reordering, duplication and corruption on links",
        "netem delay 1ms",
    ),
    "prio": _qdisc("CONFIG_NET_SCH_PRIO", "queues by priority", "prio"),
    "fq": _qdisc("CONFIG_NET_SCH_FQ", "pacing; Cilium's bandwidth manager", "fq"),
    "fq_codel": _qdisc("CONFIG_NET_SCH_FQ_CODEL", "short queues", "fq_codel"),
    "ingress": _tc(
        "CONFIG_NET_SCH_INGRESS",
        "filters of what comes in",
        "sch_ingress",
        f"qdisc replace dev {DEVICE} ingress",
    ),
    "u32": _filter("CONFIG_NET_CLS_U32", "filters by bits", "cls_u32", "u32 match u32 0 0"),
    "matchall": _filter(
        "CONFIG_NET_CLS_MATCHALL", "a filter of all", "cls_matchall", "matchall classid 1:1"
    ),
    "flower": _filter("CONFIG_NET_CLS_FLOWER", "filters by fields", "cls_flower", "flower"),
    "cls_bpf": _filter(
        "CONFIG_NET_CLS_BPF", "eBPF dataplanes", "cls_bpf", "bpf bytecode '1,6 0 0 4294967295,'"
    ),
    "mirred": _filter(
        "CONFIG_NET_ACT_MIRRED",
        "sending what comes in to another interface",
        "act_mirred",
        "u32 match u32 0 0 action mirred egress redirect dev probe1",
    ),
    "conntrack": _F(
        "CONFIG_NF_CONNTRACK and CONFIG_NF_CT_NETLINK",
        "NAT",
        Trial.conntrack,
        "nf_conntrack",
    ),
    "ipset": _F("CONFIG_IP_SET", "sets of addresses for iptables", Trial.ipset, "ip_set"),
    "ipvs": _F("CONFIG_IP_VS", "kube-proxy's ipvs mode", _generic("IPVS"), "ip_vs"),
    "openvswitch": _F(
        "CONFIG_OPENVSWITCH",
        "Open vSwitch's kernel datapath",
        _generic("ovs_datapath"),
        "openvswitch",
    ),
    "iptables": _F(
        "CONFIG_NF_TABLES and CONFIG_NFT_COMPAT",
        "masquerading; kube-proxy's rules",
        _alone(trial.feed, ["iptables-restore"], _IPTABLES),
        tool="iptables-restore",
    ),
    "iptables-services": _F(
        "CONFIG_NETFILTER_XT_MATCH_RECENT, _ADDRTYPE, _MARK and CONFIG_IP_NF_TARGET_REJECT",
        "kube-proxy's rules of iptables",
        _alone(trial.feed, ["iptables-restore"], _SERVICES),
        tool="iptables-restore",
    ),
    "nftables": _F(
        "CONFIG_NF_TABLES, CONFIG_NFT_NAT, _MASQ, _NUMGEN, _REJECT and CONFIG_NFT_FIB_IPV4",
        "rules of kube-proxy's nftables mode",
        lambda kernel: kernel.nft(_NFTABLES),
        tool="nft",
    ),
    "nft-numgen-keys": _F(
        "CONFIG_NFT_NUMGEN, and nft 1.0.6",
        "choosing an endpoint by a number in the key of a map",
        lambda kernel: kernel.nft(_NUMBERED),
        tool="nft",
    ),
    "flowtable": _F(
        "CONFIG_NFT_FLOW_OFFLOAD",
        "a short cut for established connections",
        lambda kernel: kernel.nft(_FLOWTABLE),
        "nft_flow_offload",
        tool="nft",
    ),
    "nft-egress": _F(
        "CONFIG_NETFILTER_EGRESS and CONFIG_NFT_FWD_NETDEV",
        "partitions of nodes",
        lambda kernel: kernel.nft(_EGRESS),
        "nft_fwd_netdev",
        tool="nft",
    ),
    "bpf": _F("CONFIG_BPF_SYSCALL", "eBPF dataplanes", _alone(trial.bpf)),
    "btf": _F(
        "CONFIG_DEBUG_INFO_BTF",
        "eBPF programs that fit any kernel",
        _alone(trial.read, "/sys/kernel/btf/vmlinux"),
    ),
    "kprobes": _F(
        "CONFIG_KPROBES",
        "tracing of the kernel",
        _alone(trial.read, "/sys/bus/event_source/devices/kprobe/type"),
    ),
    "af_xdp": _F("CONFIG_XDP_SOCKETS", "Open vSwitch's fast userspace ports", _alone(trial.af_xdp)),
    "cgroup2": _F("CONFIG_CGROUPS", "shares of CPU and memory", _alone(trial.mounts, "cgroup2")),
    "bbr": _F("CONFIG_TCP_CONG_BBR", "BBR, a congestion control", _alone(trial.bbr), "tcp_bbr"),
    "ktls": _F("CONFIG_TLS", "TLS in the kernel", Trial.ktls, "tls"),
    "sctp": _F("CONFIG_IP_SCTP", "SCTP services", _alone(trial.sctp), "sctp"),
}
"""Name → feature."""
