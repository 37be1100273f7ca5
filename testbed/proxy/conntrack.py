"""Which UDP connections must be forgotten after a change.

UDP has no end of a connection: as long as a client sends, the kernel sends its datagrams to the
endpoint that the first one went to, even if it is gone. So kube-proxy deletes the entries of such
connections from the table of connections. Existing connections to endpoints that still serve are
left alone, whatever policy or hint has changed; and so are those of a Service that has no endpoint
at all any more.

Source: ``pkg/proxy/conntrack/cleanup.go`` (``CleanStaleEntries``), Kubernetes 1.34. kube-proxy
looks at all UDP Services whenever an endpoint of one has changed; this looks at those that have
changed, and only if an endpoint does not serve any more, or there was none before: nothing else
makes an entry stale.
"""

from __future__ import annotations

from collections.abc import Iterable

from testbed.cluster.serviceview import ProxyView, ServicePortInfo, ServicePortName
from testbed.proxy.contract import Forget

Pairs = frozenset[tuple[str, int]]


def stale(
    before: ProxyView, after: ProxyView, names: Iterable[ServicePortName]
) -> tuple[Forget, ...]:
    """What is to be forgotten: one step, or none.

    Args:
        before: The view before.
        after: The view now.
        names: The ports that have changed.
    """
    addresses: dict[tuple[str, int], Pairs] = {}
    node_ports: dict[int, Pairs] = {}
    for name in names:
        info = after.services.get(name)
        if name.protocol != "UDP" or info is None:
            continue
        was, now = _serving(before, name), _serving(after, name)
        if now and (was - now or not was):
            addresses |= dict.fromkeys(_addresses(info), now)
            node_ports |= {info.node_port: now} if info.node_port else {}
    return (Forget(addresses, node_ports),) if addresses else ()


def _serving(view: ProxyView, name: ServicePortName) -> Pairs:
    ends = view.endpoints.get(name, ())
    return frozenset((one.ip, one.port) for one in ends if one.serving)


def _addresses(info: ServicePortInfo) -> list[tuple[str, int]]:
    """Under which addresses a client may know the port."""
    all_of_them = (info.cluster_ip, *info.external_ips, *info.load_balancer_vips)
    return [(address, info.port) for address in all_of_them]
