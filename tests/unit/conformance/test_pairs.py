"""Who talks to whom, and in which wave."""

from __future__ import annotations

import pytest

from testbed.conformance.neighbours import waves
from testbed.conformance.pairs import choose, covering
from testbed.conformance.rounds import Round, Trial
from testbed.conformance.targets import Target


def _pods(count: int, nodes: int) -> list[Target]:
    return [
        Target(f"default/p{i}", f"n{i % nodes}", f"10.244.{i % nodes}.{i}", 3) for i in range(count)
    ]


def _nodes(count: int) -> list[Target]:
    return [Target(f"node/n{i}", f"n{i}", f"192.168.0.{i}", 3) for i in range(count)]


@pytest.mark.parametrize(("count", "nodes"), [(2, 1), (2, 2), (5, 2), (64, 3)])
def test_few_targets_all_talk_to_all_once(count: int, nodes: int) -> None:
    pods = _pods(count, nodes)
    pairs = choose(pods, pods, 64 * 63)
    assert pairs.total == len(pairs.chosen) == count * (count - 1)
    assert set(pairs.chosen) == {(a, b) for a in pods for b in pods if a != b}


@pytest.mark.parametrize(("count", "nodes", "most"), [(40, 4, 100), (100, 3, 400), (301, 7, 302)])
def test_a_sample_has_each_pod_both_ways_and_each_pair_of_nodes(
    count: int, nodes: int, most: int
) -> None:
    pods = _pods(count, nodes)
    pairs = choose(pods, pods, most)
    assert pairs.total == count * (count - 1)
    assert len(pairs.chosen) <= max(most, count + nodes**2)
    assert len(set(pairs.chosen)) == len(pairs.chosen)
    assert all(a != b for a, b in pairs.chosen)
    assert {a for a, _ in pairs.chosen} == {b for _, b in pairs.chosen} == set(pods)
    assert len({(a.node, b.node) for a, b in pairs.chosen}) == nodes**2
    assert choose(pods, pods, most) == pairs


@pytest.mark.parametrize("most", [12, 1000])
def test_nodes_talk_to_all_pods(most: int) -> None:
    nodes, pods = _nodes(3), _pods(10, 3)
    pairs = choose(nodes, pods, most)
    assert pairs.total == 30
    assert len(pairs.chosen) == min(30, max(most, len(set(pairs.chosen))))
    assert {pod for _, pod in pairs.chosen} == set(pods)
    assert len({(a.node, b.node) for a, b in pairs.chosen}) == 9


def test_few_pairs_cover_what_many_cover() -> None:
    pods = _pods(30, 3)
    every = [(a, b) for a in pods for b in pods if a.node != b.node]
    few = covering(every)
    assert len(few) <= 60 + 6
    assert {a for a, _ in few} == {b for _, b in few} == set(pods)
    assert len({(a.node, b.node) for a, b in few}) == 6


@pytest.mark.parametrize(("pods", "nodes"), [(20, 3), (64, 1), (200, 4)])
def test_waves_keep_all_trials_and_need_few_neighbours(pods: int, nodes: int) -> None:
    targets = _pods(pods, nodes)
    trials = [Trial(a, b, "") for a, b in choose(targets, targets, 4032).chosen]
    found = waves(trials)
    assert [trial for wave in found for trial in wave] == trials
    for wave in found:
        bridged = {
            frozenset((t.sender, t.receiver)) for t in wave if t.sender.node == t.receiver.node
        }
        routed = {
            e for t in wave if t.sender.node != t.receiver.node for e in (t.sender, t.receiver)
        }
        assert 2 * len(bridged) + 2 * len(routed) <= 400
    assert (len(found) == 1) == (pods == 20)


def test_a_message_is_found_in_what_quotes_it() -> None:
    a, b = _pods(2, 2)
    trials = [Trial(a, b, ""), Trial(b, a, "")]
    round_, other = Round(trials), Round(trials)
    message = round_.message(trials[1])
    assert round_.find(b"some headers" + message + b"padding") == (trials[1], 0)
    assert round_.find(message[:-1]) is None
    assert other.find(message) is None
