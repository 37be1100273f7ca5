"""How long does it take to program Services, until a connection gets through?

Three ways of the same Services in one run, each in a namespace of its own: our modes; the bare tool
with the same rules (``iptables-restore``; ``nft -f`` in transactions of several sizes, the best of
which counts; for one Service more in nftables, the kernel alone with the transaction); and the real
kube-proxy of the same back end, which an API tells the same objects::

    sudo .venv/bin/python benchmarks/services.py --services 10000

For each: from nothing until a connection to the last Service gets through (of kube-proxy: from its
start), and one Service more until a connection to it does (of kube-proxy: from when the API is
told). Then the median of new connections' time, with these Services and with a hundredth of them.
What is printed are medians, how many times as long as ours the others take, and the targets.

kube-proxy has its default settings: it waits a second after each sync before the next one begins.
Without it (``python -m testbed.go.build kube-proxy``), or with ``--no-real``, its column is empty.
``nftables-flat`` is beside kube-proxy's nftables mode.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from servicenode import NEW, NEW_IP, Ours, Real, last, made, tool, view, with_new

from testbed.cluster.serviceview import ProxyView
from testbed.go import build
from testbed.proxy.contract import ProxyNode, Step
from testbed.proxy.modes import _flatbase, _nftbase, _nftload

ROUNDS = 5  # changes of each kind in a repeat
REAL_ROUNDS = 3
CONNECTIONS = 500
CHUNKS = (250, 1000, 2500)  # ports of a transaction of the bare tool
SMALL = 100  # how many times less Services for the other latency

Found = dict[str, list[float]]


class Target(NamedTuple):
    """What must hold.

    Attributes:
        bare: Ours takes at most so many times as long as the bare tool.
        seconds: Ours takes at most so long.
        real: kube-proxy takes at least so many times as long as ours.
    """

    bare: float | None = None
    seconds: float | None = None
    real: float | None = None


TARGETS = {
    ("iptables", "full"): Target(1.3, None, 15),
    ("iptables", "+1 Service"): Target(1.3, None, 20),
    ("nftables", "full"): Target(1.2, None, 3),
    ("nftables", "+1 Service"): Target(1.5, None, 50),
    ("nftables-flat", "full"): Target(None, 1.0, 30),
    ("nftables-flat", "+1 Service"): Target(None, 0.010, 300),
}


def ours(mode: str, wanted: ProxyView) -> Iterator[tuple[str, float]]:
    """What is measured, and seconds, of one of our modes."""
    many, more = len(wanted.services), with_new(wanted, 2)
    with made(Ours(mode)) as node:
        work, full = node.become(wanted, None)
        yield from (("full", full + node.connect(last(many))), ("full, our part", work))
        for i in range(ROUNDS + 1):  # the first makes an index, and warms up
            work, took = node.become(more, {NEW})
            took += node.connect(NEW_IP)
            if i:
                yield from (("+1 Service", took), ("+1 Service, our part", work))
            gone = node.become(wanted, {NEW})[1]
            if i:
                yield from (("-1 Service", gone), ("bare +1 Service", node.bare(more, {NEW})))
                node.become(wanted, {NEW})
        yield from (("latency", one) for one in node.latencies(last(many), CONNECTIONS))
    small = view(max(1, many // SMALL), 2)
    with made(Ours(mode)) as node:
        node.become(small, None)
        address = last(len(small.services))
        yield from (("latency, few", one) for one in node.latencies(address, CONNECTIONS))


def bare(mode: str, wanted: ProxyView, chunk: int) -> float:
    """The seconds that the bare tool takes for all rules."""
    with made(Ours(mode)) as node:
        steps, node.program = node.program.update(wanted)
        if chunk:
            steps = _chunked(mode, node, chunk)
        return float(node.load(steps, tool))


def _chunked(mode: str, node: Ours, chunk: int) -> tuple[Step, ...]:
    base = _flatbase if mode == "nftables-flat" else _nftbase
    known: ProxyNode = node.program.node
    fragments = node.program.fragments or {}
    return _nftload.full(base.table(known), fragments, chunk, _nftbase.hooks())


def real(back_end: str, wanted: ProxyView, program: Path) -> Iterator[tuple[str, float]]:
    """The same of kube-proxy."""
    many, more = len(wanted.services), with_new(wanted, 2)
    with made(Real(back_end, program)) as node:  # type: ignore[arg-type]
        node.serve(wanted)
        yield "full", _timed(lambda: (node.start(), node.until(last(many))))
        for _ in range(REAL_ROUNDS):
            yield "+1 Service", _timed(lambda: (node.add(more), node.until(NEW_IP)))
            node.remove()
            node.until(NEW_IP, there=False)
        yield from (("latency", one) for one in node.latencies(last(many), CONNECTIONS))


def _timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _collected(results: Found, measured: Callable[[], Iterator[tuple[str, float]]]) -> None:
    """Measures in a thread of its own, which ends with the namespaces that it is in."""
    with ThreadPoolExecutor(1) as pool:
        for row, seconds in pool.submit(lambda: list(measured())).result():
            results[row].append(seconds)


def _measure(
    modes: list[str], wanted: ProxyView, repeats: int, program: Path | None
) -> dict[str, Found]:
    """Column (mode, or ``real`` and back end) → row → seconds."""
    found: dict[str, Found] = defaultdict(lambda: defaultdict(list))
    best: dict[str, int] = {}
    for repeat in range(repeats):
        for mode in modes:
            _say(f"{mode}, {repeat + 1} of {repeats}")
            _collected(found[mode], partial(ours, mode, wanted))
            tried = [best[mode]] if mode in best else [0] if mode == "iptables" else CHUNKS
            took = {
                c: _bare(mode, wanted, c) for c in tried if c <= len(wanted.services) or c == 250
            }
            best[mode] = min(took, key=lambda c: took[c])
            found[mode]["bare full"].append(took[best[mode]])
    for back_end in dict.fromkeys(map(_back_end, modes)):
        if program is not None:
            _say(f"kube-proxy, {back_end}")
            _collected(found[f"real {back_end}"], partial(real, back_end, wanted, program))
    return found


def _bare(mode: str, wanted: ProxyView, chunk: int) -> float:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(bare, mode, wanted, chunk).result()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _back_end(mode: str) -> str:
    return mode.removesuffix("-flat")


def _print(mode: str, mine: Found, theirs: Mapping[str, list[float]]) -> bool:
    """The table of a mode; whether all targets are met, as far as there is something beside it."""
    print(f"\n{mode:24}{'ours':>12}{'bare tool':>24}{'kube-proxy':>26}")
    met = True
    for row in ("full", "full, our part", "+1 Service", "+1 Service, our part", "-1 Service"):
        own, target = median(mine[row]), TARGETS.get((mode, row), Target())
        cells, good = [_seconds(own)], [target.seconds is None or own <= target.seconds]
        for other, wanted, above in (
            (mine.get(f"bare {row}"), target.bare, True),
            (theirs.get(row), target.real, False),
        ):
            text = ""
            if other:
                ratio = own / median(other) if above else median(other) / own
                text = (
                    f"{_seconds(median(other))} x{ratio:.2f}"
                    if above
                    else f"{_seconds(median(other))} x{ratio:.0f}"
                )
                if wanted is not None:
                    text += f" ({'≤' if above else '≥'} {wanted:g})"
                    good.append(ratio <= wanted if above else ratio >= wanted)
            cells.append(text)
        if target.seconds is not None:
            cells[0] += f" (≤ {_seconds(target.seconds)})"
        met = met and all(good)
        print(
            f"{row:24}{cells[0]:>12}{cells[1]:>24}{cells[2]:>26}{'' if all(good) else '   missed'}"
        )
    for row in ("latency", "latency, few"):
        real_one = f"{median(theirs[row]) * 1e6:.0f} µs" if theirs.get(row) else ""
        own_one = f"{median(mine[row]) * 1e6:9.0f} µs"
        print(f"{'connection, p50' + row[7:]:24}{own_one}{'':24}{real_one:>26}")
    return met


def _seconds(value: float) -> str:
    return f"{value * 1e3:.1f} ms" if value < 1 else f"{value:.2f} s"


def main() -> None:
    """Reads the command line, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    every = ["iptables", "nftables", "nftables-flat"]
    parser.add_argument("modes", nargs="*", default=every)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--endpoints", type=int, default=2, help="of each Service")
    parser.add_argument("--repeats", type=int, default=3, help="of ours and the bare tools")
    parser.add_argument("--no-real", action="store_true", help="without kube-proxy")
    given = parser.parse_args()
    wanted = view(given.services, given.endpoints)
    program = None if given.no_real else build.find("kube-proxy")
    found = _measure(given.modes, wanted, given.repeats, program)
    few = max(1, given.services // SMALL)
    print(f"{given.services} Services of {given.endpoints} endpoints; few: {few}")
    met = [_print(m, found[m], found.get(f"real {_back_end(m)}", {})) for m in given.modes]
    print("\nEvery target is met." if all(met) else "\nA target is missed.")


if __name__ == "__main__":
    main()
