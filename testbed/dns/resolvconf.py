"""The ``/etc/resolv.conf`` of a pod, as the kubelet makes it.

Source: ``pkg/kubelet/network/dns/dns.go`` of Kubernetes (``GetPodDNS``); for the text, containerd
(``parseDNSOptions``). What exceeds a limit is left out silently, where the kubelet says so in an
event.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from testbed.objects.dnsconfig import (
    MAX_NAMESERVERS,
    MAX_SEARCH_CHARACTERS,
    MAX_SEARCHES,
    DnsConfig,
)

DEFAULT_OPTIONS = ("ndots:5",)
"""The options with a cluster's DNS."""

_LONGEST_DOMAIN = 253
_WORD = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """A resolver's configuration (resolv.conf(5)).

    Attributes:
        nameservers: Addresses.
        searches: Domains.
        options: ``name`` or ``name:value``.

    Raises:
        ValueError: One of them is not one word, and would be something else in the file.
    """

    nameservers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for word in (*self.nameservers, *self.searches, *self.options):
            if not _WORD.fullmatch(word):
                raise ValueError(f"{word!r} must not be in a resolv.conf")

    @property
    def text(self) -> str:
        """The file."""
        search = [f"search {' '.join(self.searches)}"] if self.searches else []
        servers = [f"nameserver {address}" for address in self.nameservers]
        options = [f"options {' '.join(self.options)}"] if self.options else []
        return "".join(f"{line}\n" for line in (*search, *servers, *options))


@dataclass(frozen=True, slots=True)
class Kubelet:
    """What a kubelet knows of DNS.

    Attributes:
        node: The node's own configuration.
        cluster_dns: The addresses of the cluster's DNS (``clusterDNS``); empty for none.
        cluster_domain: The cluster's domain (``clusterDomain``).
    """

    node: ResolvConf = ResolvConf()
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"


def of_pod(
    kubelet: Kubelet, namespace: str, policy: str, host_network: bool, config: DnsConfig
) -> ResolvConf:
    """The configuration of a pod.

    Args:
        kubelet: That of its node.
        namespace: Of the pod.
        policy: Its ``dnsPolicy``.
        host_network: Whether it is in the node's network.
        config: Its ``dnsConfig``.
    """
    base = _base(kubelet, namespace, policy, host_network)
    return ResolvConf(
        _once((*base.nameservers, *config.nameservers))[:MAX_NAMESERVERS],
        _fitting(_once((*base.searches, *config.searches))),
        _merged(base.options, config),
    )


def _base(kubelet: Kubelet, namespace: str, policy: str, host_network: bool) -> ResolvConf:
    """What the policy gives; without a cluster's DNS, ``ClusterFirst`` is ``Default``."""
    if policy == "None":
        return ResolvConf()
    from_node = policy == "Default" or (policy == "ClusterFirst" and host_network)
    if from_node or not kubelet.cluster_dns:
        return kubelet.node
    domain = kubelet.cluster_domain
    cluster = (f"{namespace}.svc.{domain}", f"svc.{domain}", domain)
    return ResolvConf(kubelet.cluster_dns, _once(cluster + kubelet.node.searches), DEFAULT_OPTIONS)


def _once(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def _fitting(searches: tuple[str, ...]) -> tuple[str, ...]:
    kept = [domain for domain in searches[:MAX_SEARCHES] if len(domain) <= _LONGEST_DOMAIN]
    while len(" ".join(kept)) > MAX_SEARCH_CHARACTERS:
        kept.pop()
    return tuple(kept)


def _merged(base: tuple[str, ...], config: DnsConfig) -> tuple[str, ...]:
    """All options, of which those of the pod count where both have one."""
    found = {name: value for name, _, value in (option.partition(":") for option in base)}
    found |= {name: value or "" for name, value in config.options}
    return tuple(f"{name}:{value}" if value else name for name, value in found.items())
