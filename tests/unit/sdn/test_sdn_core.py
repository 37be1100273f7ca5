"""The controller's decisions, carried out by modelled switches message by message."""

from __future__ import annotations

import itertools
from random import Random

import pytest
from sdnmodel import Model, fabric_of, leafspine, mac

from testbed.sdn.core import Core
from testbed.sdn.graph import Fabric, Port

RING = fabric_of(
    [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")], [(f"h{i}", s) for i, s in enumerate("abcd")]
)
MESH = fabric_of(
    [*itertools.combinations("abcde", 2), ("a", "b")],  # a and b have two links
    [(f"h{i}", s) for i, s in enumerate("abcde")],
)
FABRICS = {"leafspine": leafspine(), "wide": leafspine(3, 4), "ring": RING, "mesh": MESH}


def chance(seed: int) -> Random:
    """Random numbers that are the same each time."""
    return Random(seed)  # noqa: S311 - orders of events, no secret


def hosts_of(fabric: Fabric) -> list[str]:
    return [peer for peer in fabric.peers.values() if isinstance(peer, str)]


def inner(fabric: Fabric) -> list[Port]:
    """One end of each link between switches."""
    return [p for p, peer in fabric.peers.items() if isinstance(peer, Port) and p < peer]


def started(fabric: Fabric, learn: bool = True) -> tuple[Core, Model]:
    """A fabric whose controller has programmed it, and knows its hosts."""
    core, model = Core(fabric), Model(fabric)
    model.connect(core)
    model.settle(core)
    if learn:
        for host in hosts_of(fabric):
            core.learn(model.home(host), mac(host))
        model.settle(core)
    return core, model


@pytest.fixture(params=FABRICS.values(), ids=FABRICS.keys())
def fabric(request: pytest.FixtureRequest) -> Fabric:
    made: Fabric = request.param
    return made


def everyone_is_reached(model: Model) -> None:
    hosts = hosts_of(model.fabric)
    for host in hosts:
        others = sorted(set(hosts) - {host})
        assert model.broadcast(host) == others
        for other in others:
            assert all(reached == [other] for reached in model.unicast(host, other))


def test_nothing_is_sent_before_all_switches_are_there(fabric: Fabric) -> None:
    core, model = Core(fabric), Model(fabric)
    *first, last = fabric.dpids
    for switch in first:
        core.connect(switch, fabric.ports[switch], {})
        assert core.step() == {}
    core.connect(last, fabric.ports[last], {})
    assert core.step() != {}
    assert not core.settled
    assert model.broadcast(hosts_of(fabric)[0]) == []


def test_unknown_hosts_are_flooded_to_and_known_ones_are_not(fabric: Fabric) -> None:
    _, model = started(fabric, learn=False)
    one, other, *rest = hosts_of(fabric)
    assert model.unicast(one, other) == [sorted([other, *rest])]
    _, model = started(fabric)
    everyone_is_reached(model)


def test_every_shortest_path_is_used() -> None:
    _, model = started(leafspine(3, 2))
    assert len(model.unicast("h1", "h2")) == 3


def test_parallel_links_are_all_used() -> None:
    _, model = started(fabric_of([("a", "b"), ("a", "b")], [("h0", "a"), ("h1", "b")]))
    assert model.unicast("h0", "h1") == [["h1"], ["h1"]]
    assert model.broadcast("h0") == ["h1"]


@pytest.mark.parametrize("seed", range(6))
def test_frames_never_circle_nor_are_lost_while_links_come_back(fabric: Fabric, seed: int) -> None:
    random = chance(seed)
    core, model = started(fabric)
    links = random.sample(inner(fabric), 2)
    for port in links:
        model.set_link(core, port, up=False)
    model.settle(core)
    hosts = hosts_of(fabric)
    pairs = list(itertools.permutations(hosts, 2))
    ways = {pair: model.unicast(*pair) for pair in pairs}
    reached = [pair for pair in pairs if ways[pair][0]]
    for port in links:
        model.set_link(core, port, up=True)
        for _ in model.carry_out(core, random):
            one, other = random.choice(pairs)
            frames = model.unicast(one, other)  # raises if one circles
            assert (one, other) not in reached or all(f == [other] for f in frames)
            copies = model.broadcast(one)
            assert len(copies) == len(set(copies))
    everyone_is_reached(model)


@pytest.mark.parametrize("seed", range(6))
def test_frames_never_circle_while_links_fail(fabric: Fabric, seed: int) -> None:
    random = chance(seed)
    core, model = started(fabric)
    pairs = list(itertools.permutations(hosts_of(fabric), 2))
    for port in random.sample(inner(fabric), 3):
        model.set_link(core, port, up=False)
        for _ in model.carry_out(core, random):
            one, other = random.choice(pairs)
            assert all(frame in ([], [other]) for frame in model.unicast(one, other))
            copies = model.broadcast(one)
            assert len(copies) == len(set(copies))
        for one, other in pairs:  # in parts or not
            assert len({tuple(frame) for frame in model.unicast(one, other)}) == 1
            assert (other in model.broadcast(one)) is (model.unicast(one, other)[0] == [other])


@pytest.mark.parametrize("seed", range(4))
def test_events_in_the_middle_of_a_change(fabric: Fabric, seed: int) -> None:
    random = chance(seed)
    core, model = started(fabric)
    hosts, links = hosts_of(fabric), inner(fabric)
    for _ in range(20):
        port = random.choice(links)
        model.set_link(core, port, up=port not in model.up)
        stop = random.randrange(8)
        for done, _ in enumerate(model.carry_out(core, random)):
            copies = model.broadcast(random.choice(hosts))
            assert len(copies) == len(set(copies))
            model.unicast(*random.sample(hosts, 2))
            if done == stop:
                port = random.choice(links)
                model.set_link(core, port, up=port not in model.up)
    for port in links:
        model.set_link(core, port, up=True)
    model.settle(core)
    everyone_is_reached(model)


@pytest.mark.parametrize("seed", range(4))
def test_a_host_is_reached_while_it_is_learned(fabric: Fabric, seed: int) -> None:
    core, model = started(fabric, learn=False)
    random = chance(seed)
    hosts = hosts_of(fabric)
    for host in hosts:
        core.learn(model.home(host), mac(host))
        for _ in model.carry_out(core, random):
            for other in set(hosts) - {host}:
                assert all(host in reached for reached in model.unicast(other, host))


@pytest.mark.parametrize("seed", range(4))
def test_no_copies_on_leaves_and_spines_while_a_host_is_learned(seed: int) -> None:
    core, model = started(leafspine(), learn=False)
    for host, *others in (("h1", "h2", "h3"), ("h2", "h1", "h3"), ("h3", "h1", "h2")):
        core.learn(model.home(host), mac(host))
        for _ in model.carry_out(core, chance(seed)):
            for other in others:
                assert all(reached.count(host) == 1 for reached in model.unicast(other, host))


def test_a_repair_brings_back_the_old_rules(fabric: Fabric) -> None:
    core, model = started(fabric)
    before = {switch: dict(table) for switch, table in model.tables.items()}
    for port in inner(fabric):
        for up in (False, True):
            model.set_link(core, port, up)
            model.settle(core)
        assert model.tables == before


def test_a_failure_changes_groups_and_no_flow_of_a_host() -> None:
    core, model = started(leafspine())
    model.set_link(core, Port("s1", "s1-eth2"), up=False)
    changed = [key for changes in core.step().values() for key, _ in changes]
    assert changed
    assert not [key for key in changed if getattr(key, "destination", None)]


def test_what_a_far_failure_breaks_is_mended_first() -> None:
    core, model = started(leafspine())
    model.set_link(core, Port("l2", "l2-eth1"), up=False)  # to s1, as l1's first link is
    step = core.step()
    for switch, changes in step.items():
        for change in changes:
            model.set(switch, *change)
    assert model.unicast("h1", "h2") == [["h2"]]


def test_a_host_that_moved_is_found_again(fabric: Fabric) -> None:
    core, model = started(fabric)
    mover, away, *rest = hosts_of(fabric)
    core.learn(model.home(away), mac(mover))
    model.settle(core)
    for host in rest:
        assert all(reached == [away] for reached in model.unicast(host, mover))
    core.learn(model.home(mover), mac(mover))
    model.settle(core)
    everyone_is_reached(model)


def test_the_loss_of_an_edge_ports_carrier_forgets_who_is_there(fabric: Fabric) -> None:
    core, model = started(fabric)
    lost, one, *rest = hosts_of(fabric)
    model.set_link(core, model.home(lost), up=False)
    model.settle(core)
    assert mac(lost) not in core.hosts
    assert model.unicast(one, lost) == [sorted(rest)]


def test_a_new_controller_has_nothing_to_change(fabric: Fabric) -> None:
    old, model = started(fabric)
    new = Core(fabric)
    before = {switch: dict(table) for switch, table in model.tables.items()}
    model.connect(new)
    flows = [k for changes in new.step().values() for k, _ in changes if len(k) > 1]
    assert flows == []
    for switch in fabric.dpids:
        new.confirm(switch)
    model.settle(new)
    assert model.tables == before
    assert new.hosts == old.hosts


@pytest.mark.parametrize("seed", range(4))
def test_a_new_controller_finds_what_happened_meanwhile(fabric: Fabric, seed: int) -> None:
    random = chance(seed)
    old, model = started(fabric)
    for port in random.sample(inner(fabric), 2):  # it does not hear of these
        model.set_link(old, port, up=False)
    new = Core(fabric)
    model.connect(new)
    hosts = hosts_of(fabric)
    for _ in model.carry_out(new, random):
        copies = model.broadcast(random.choice(hosts))
        assert len(copies) == len(set(copies))
        model.unicast(*random.sample(hosts, 2))
    assert new.settled
    for port in inner(fabric):
        model.set_link(new, port, up=True)
    model.settle(new)
    everyone_is_reached(model)


def test_a_switch_that_lost_everything_gets_everything(fabric: Fabric) -> None:
    core, model = started(fabric)
    before = {switch: dict(table) for switch, table in model.tables.items()}
    switch = next(iter(fabric.dpids))
    core.disconnect(switch)
    assert not core.settled
    model.tables[switch].clear()
    core.connect(switch, fabric.ports[switch], {})
    model.settle(core)
    assert model.tables == before


def test_a_switch_that_comes_back_does_not_bring_back_an_old_place() -> None:
    core, model = started(leafspine())
    core.disconnect("l1")
    holds = model.holds("l1")
    core.learn(model.home("h2"), mac("h1"))  # it moved meanwhile
    core.connect("l1", model.fabric.ports["l1"], holds)
    model.settle(core)
    assert core.hosts[mac("h1")] == model.home("h2")
    assert model.unicast("h3", "h1") == [["h2"], ["h2"]]


def test_a_switch_that_never_connects_is_done_without() -> None:
    fabric = leafspine()
    core, model = Core(fabric), Model(fabric)
    model.up -= set(fabric.ports["s1"])  # nobody hears of it
    for switch in set(fabric.dpids) - {"s1"}:
        core.connect(switch, fabric.ports[switch], {})
    assert core.step() == {}
    core.wait_no_longer()
    for _ in model.carry_out(core):
        pass
    assert not core.settled
    assert model.broadcast("h1") == ["h2", "h3"]


def test_what_is_not_at_an_edge_port_is_not_learned() -> None:
    core, _ = started(leafspine(), learn=False)
    core.learn(Port("l1", "l1-eth1"), mac("h1"))  # to a spine
    core.learn(Port("l1", "no-such-port"), mac("h1"))
    assert core.hosts == {}
    assert core.settled
