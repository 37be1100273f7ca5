"""What a name costs: lookups per second, and how long one takes, by cluster DNS.

**What it is.** A pod on the first node asks CoreDNS for addresses (A): at the cluster IP that is in
its ``resolv.conf`` (``cluster-ip``), and as the baseline, in which no proxy mode takes part, at the
CoreDNS pods' own addresses, one after the other (``direct``). Half of the time it asks as fast as
there are answers (``lookups``), the other half at a steady pace of a few hundred questions per
second (``lookup``: what one takes, in percentiles). A lookup is

============  =====================================================================================
``cluster``   a Service's full name: one question, answered from CoreDNS's memory
``external``  ``www.example.com.`` with a final dot: one question, from the cache in CoreDNS
``searched``  the same without it, by the search path of the pod: because of ``ndots:5`` each domain
              of the cluster is tried first, and does not have it; the questions' times are added
============  =====================================================================================

**What it is not.** A C library's lookup: glibc asks for A and AAAA at once, so it costs twice as
many questions. The external name is in CoreDNS's cache from its second question on (30 s); what is
behind that is the lab's own resolver, one hop away, and no internet. ``direct`` asks one CoreDNS at
a time, ``cluster-ip`` all of them, so where there are cores to spare the rate of the latter may be
higher.

It needs a lab with cluster DNS: ``--dns coredns``.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from scenarios import _pods
from testbed.errors import LabError
from testbed.measure import cpu, dnsperf
from testbed.measure.contract import (
    Cell,
    LabHandle,
    Metric,
    Parameter,
    Reading,
    Scenario,
    one_of,
)
from testbed.measure.process import Flow

EXTERNAL = "www.example.com"
SERVICE = "kubernetes.default.svc"

RATE = Metric("lookups", "1/s", "higher", headline={})
PERCENTILES = {
    50.0: Metric("lookup-p50", "s", "lower", headline={}),
    99.0: Metric("lookup-p99", "s", "lower"),
}
LOST = Metric("lost", "1", "lower")

_NAMES = ("cluster", "external", "searched")
_PATHS = ("direct", "cluster-ip")


class DnsLookups(Scenario):
    """See the module's text."""

    summary = "names by cluster DNS: rate and latency of cluster, external and searched names"
    parameters: Mapping[str, Parameter] = {
        "name": Parameter(_NAMES, one_of(*_NAMES)),
        "path": Parameter(_PATHS, one_of(*_PATHS)),
    }
    metrics: tuple[Metric, ...] = (RATE, *PERCENTILES.values(), LOST, *cpu.METRICS)
    needs: tuple[str, ...] = ("dnsperf",)
    proxied = True
    addons: Mapping[str, str] = {"dns": "coredns"}

    def manifest(self, nodes: Sequence[str]) -> str:
        """The common pods; cluster DNS is the lab's."""
        return _pods.manifest(nodes)

    def run(self, lab: LabHandle, cell: Cell, raw: Path, seconds: int) -> Iterator[Reading]:
        """Asks as fast as it goes for half of ``seconds``, then at a steady pace."""
        server, search = _resolv_conf(lab)
        names = _names(cell["name"], search)
        servers = [server] if cell["path"] == "cluster-ip" else _pod_addresses(lab)
        with cpu.Window() as used:
            fast = _ask(lab, servers, names, _folder(raw, "rate"), seconds / 2)
            slow = _ask(lab, servers, names, _folder(raw, "latency"), seconds / 2, paced=True)
        try:
            found = dnsperf.lookups([answer for one in slow for answer in one.answers], names)
            times = {percentile: _percentile(found, percentile) for percentile in PERCENTILES}
        except ValueError as error:
            raise LabError(f"dnsperf: {error}", hint=f"Its output is in {raw}.") from error
        yield Reading(RATE, fmean(one.rate for one in fast) / len(names))
        yield from (Reading(metric, times[p]) for p, metric in PERCENTILES.items())
        yield Reading(LOST, max(one.lost for one in (*fast, *slow)))
        yield from used.readings()


scenario: Scenario = DnsLookups()


def _folder(raw: Path, name: str) -> Path:
    folder = raw / name
    folder.mkdir(exist_ok=True)
    return folder


def _resolv_conf(lab: LabHandle) -> tuple[str, list[str]]:
    """The client's nameserver, and the domains that it searches."""
    argv = ["cat", "/etc/resolv.conf"]
    with lab.popen(_pods.pod(_pods.CLIENT), argv, stdout=subprocess.PIPE) as process:
        text = process.communicate()[0].decode()
    lines = {words[0]: words[1:] for words in map(str.split, text.splitlines()) if words}
    if not {"nameserver", "search"} <= lines.keys():
        raise LabError("the lab has no cluster DNS", hint="Say --dns coredns.")
    return lines["nameserver"][0], lines["search"]


def _names(kind: str, search: list[str]) -> list[str]:
    """The questions of one lookup, in their order."""
    if kind == "cluster":
        return [f"{SERVICE}.{search[-1]}"]
    tried = [f"{EXTERNAL}.{domain}" for domain in search] if kind == "searched" else []
    return [*tried, EXTERNAL]


def _ask(
    lab: LabHandle,
    servers: list[str],
    names: list[str],
    raw: Path,
    seconds: float,
    *,
    paced: bool = False,
) -> list[dnsperf.Result]:
    """The client asks servers one after the other, each for its share of the time."""
    source, found = _pods.pod(_pods.CLIENT), []
    for number, server in enumerate(servers):
        flow, folder = Flow(lab, source, source, server), _folder(raw, str(number))
        share = seconds / len(servers)
        found.append(dnsperf.run(flow, names, folder, share, paced=paced))
    return found


def _pod_addresses(lab: LabHandle) -> list[str]:
    """The addresses of the CoreDNS pods."""
    pods = lab.objects("pods", "kube-system")
    own = [item for item in pods if item["metadata"].get("labels", {}).get("k8s-app") == "kube-dns"]
    return [str(item["status"]["podIP"]) for item in own]


def _percentile(values: list[float], percentile: float) -> float:
    """The nearest rank.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no lookup was answered whole")
    return sorted(values)[min(len(values) - 1, int(len(values) * percentile / 100))]
