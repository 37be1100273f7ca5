"""Whether pairs of targets reach each other: groups of trials, all run in one round."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from testbed.conformance import datagrams, neighbours, tcp
from testbed.conformance.contract import Check
from testbed.conformance.datagrams import Icmp, Udp
from testbed.conformance.pairs import Pairs
from testbed.conformance.rounds import Round, Trial
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target
from testbed.conformance.tcp import Tcp

Protocol = Literal["tcp", "udp", "icmp"]

_WAITING = {"tcp": tcp.NO_ANSWER, "udp": datagrams.NO_DATAGRAM, "icmp": datagrams.NO_ECHO}


class Group:
    """The trials of one check.

    Args:
        name: The check's.
        protocol: How its pairs talk.
        pairs: Its pairs.

    Attributes:
        trials: One for each pair.
        round: The round in which they ran.
    """

    round: Round

    def __init__(self, name: str, protocol: Protocol, pairs: Pairs) -> None:
        self.name, self.protocol, self._total = name, protocol, pairs.total
        self.trials = [Trial(a, b, _WAITING[protocol]) for a, b in pairs.chosen]

    def check(self) -> Check:
        """Whether all pairs reached each other."""
        failures = self.round.failures(self.trials)
        ends = (t.ended for t in self.trials if t.ended is not None)
        seconds = self.round.seconds if failures else max(ends, default=0.0)
        return Check(self.name, len(self.trials), self._total, failures, seconds)


def run(groups: Sequence[Group], sockets: Sockets, nodes: Sequence[Target]) -> None:
    """Runs all trials of all groups in one round.

    Args:
        groups: The groups.
        sockets: Makes the sockets.
        nodes: All nodes.
    """
    round_ = Round([trial for group in groups for trial in group.trials])
    by: dict[Protocol, list[Trial]] = {"tcp": [], "udp": [], "icmp": []}
    for group in groups:
        by[group.protocol] += group.trials
    streams = Tcp(round_, by["tcp"], sockets)
    answered, echoed = Udp(round_, by["udp"], sockets), Icmp(round_, by["icmp"], sockets)
    repeat = dict.fromkeys(by["udp"], answered.send) | dict.fromkeys(by["icmp"], echoed.send)
    start = dict.fromkeys(by["tcp"], streams.start) | repeat
    neighbours.run(
        round_,
        sockets,
        nodes,
        (streams, answered, echoed),
        lambda trial: start[trial](trial),
        lambda trial: repeat[trial](trial) if trial in repeat else None,
    )
    for group in groups:
        group.round = round_
