"""How long does it take to program Services, until a connection gets through?

Each repeat does the same with every proxy mode, one after the other, in a namespace of its own: all
Services at once; then one Service more, an endpoint of it more, and that Service less, several
times. The Service that comes has its endpoints in the namespace itself, so that a connection to its
cluster IP tells that it is there. What is printed are medians::

    sudo .venv/bin/python benchmarks/services.py --services 10000 --repeats 3 nftables nftables-flat

``work`` is what the mode itself takes (Python), the rest is the tools' and the kernel's.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.lab.netns import NetNs
from testbed.lab.proxies import carry_out
from testbed.proxy.contract import ProxyNode, modes
from testbed.proxy.program import NodeProgram

ADDRESS, PORT = "192.0.2.11", 8080
NEW = ServicePortName("default", "new", "", "TCP")
ROUNDS = 5  # changes of each kind in a repeat
PATIENCE = 5.0  # seconds


class Node:
    """A namespace with one proxy.

    Args:
        mode: Name of the proxy mode.
    """

    def __init__(self, mode: str) -> None:
        found = modes.get(mode)
        self._netns = NetNs.make("node/n1")
        with self._netns.entered():
            for words in (
                ("address", "add", f"{ADDRESS}/32", "dev", "lo"),
                ("link", "set", "lo", "up"),
                ("route", "add", "default", "dev", "lo", "src", ADDRESS),
            ):
                subprocess.run(["ip", *words], check=True)
            self._server = socket.create_server((ADDRESS, PORT))
        self._program = NodeProgram(found, ProxyNode("n1", (ADDRESS,), settings=found.settings))

    def become(self, view: ProxyView, names: set[ServicePortName] | None) -> tuple[float, float]:
        """Programs a view; the seconds of the mode's work, and of all."""
        with self._netns.entered():
            start = time.perf_counter()
            steps, after = self._program.update(view, names)
            worked = time.perf_counter()
            for step in steps:
                carry_out(self._netns, step)
            done = time.perf_counter()
        self._program = after
        return worked - start, done - start

    def connect(self, address: str) -> float:
        """The seconds until a connection gets through."""
        with self._netns.entered():
            start = time.perf_counter()
            with socket.create_connection((address, 80), timeout=PATIENCE):
                found = time.perf_counter() - start
            self._server.accept()[0].close()
        return found

    def close(self) -> None:
        """Ends the server and the namespace."""
        self._server.close()
        self._netns.close()


def _view(services: int, endpoints: int) -> ProxyView:
    infos, ends = {}, {}
    for i in range(services):
        name = ServicePortName("default", f"svc-{i}", "", "TCP")
        infos[name] = ServicePortInfo(f"10.{100 + (i >> 16)}.{i >> 8 & 255}.{i & 255}", 80, "TCP")
        first = i * endpoints
        ends[name] = tuple(
            Endpoint(f"10.244.{n // 250 % 250}.{n % 250 + 1}", 8080 + n // 62500, "n1")
            for n in range(first, first + endpoints)
        )
    return ProxyView(infos, ends)


def _with(view: ProxyView, endpoints: int) -> ProxyView:
    """And one Service more, with endpoints of which the first answers if it is the only one."""
    info = ServicePortInfo("10.96.0.1", 80, "TCP")
    ends = tuple(Endpoint(ADDRESS, PORT + i, "n1") for i in range(endpoints))
    services = {**view.services, NEW: info}
    return ProxyView(services, {**view.endpoints, NEW: ends})


def measure(mode: str, view: ProxyView) -> Iterator[tuple[str, float]]:
    """What is measured, and seconds, of one mode."""
    node = Node(mode)
    with closing(node):
        work, everything = node.become(view, None)
        yield from (("full", everything), ("full, work", work))
        for _ in range(ROUNDS):
            work, took = node.become(_with(view, 1), {NEW})
            yield from (("+1 Service", took), ("+1 Service, work", work))
            yield "+1 Service, connected", took + node.connect("10.96.0.1")
            yield "+1 endpoint", node.become(_with(view, 2), {NEW})[1]
            yield "-1 endpoint", node.become(_with(view, 1), {NEW})[1]
            yield "-1 Service", node.become(view, {NEW})[1]


def _measured(mode: str, view: ProxyView) -> list[tuple[str, float]]:
    return list(measure(mode, view))


def _print(found: Mapping[str, Mapping[str, list[float]]]) -> None:
    rows = list(next(iter(found.values())))
    print(f"{'[ms]':24}" + "".join(f"{mode:>16}" for mode in found))
    for row in rows:
        medians = (statistics.median(found[mode][row]) * 1e3 for mode in found)
        print(f"{row:24}" + "".join(f"{median:16.1f}" for median in medians))


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("modes", nargs="*", default=["nftables", "nftables-flat"])
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--endpoints", type=int, default=2, help="of each Service")
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    view = _view(given.services, given.endpoints)
    found: dict[str, dict[str, list[float]]] = {mode: defaultdict(list) for mode in given.modes}
    for _ in range(given.repeats):
        for mode, results in found.items():
            with ThreadPoolExecutor(1) as pool:  # the thread that enters the namespace ends with it
                for row, seconds in pool.submit(_measured, mode, view).result():
                    results[row].append(seconds)
    _print(found)


if __name__ == "__main__":
    main()
