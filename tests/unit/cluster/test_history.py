"""Dicts with a history: what has changed is what looking at everything finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import pytest

from testbed.cluster import history
from testbed.cluster.history import derive, differing, index


class Thing:
    """Compared by identity, and by nothing else."""

    def __init__(self, tags: tuple[str, ...] = ()) -> None:
        self.tags = tags


def tags(thing: Thing) -> Iterator[str]:
    yield from thing.tags


def looked_up(old: Mapping[int, Thing], new: Mapping[int, Thing]) -> set[int]:
    return {key for key in old.keys() | new.keys() if old.get(key) is not new.get(key)}


def changes(seed: int, steps: int) -> list[Mapping[int, Thing]]:
    """A mapping and what becomes of it; some steps come from an older one, as after a failure."""
    random = Random(seed)  # noqa: S311 - no secret
    found: list[Mapping[int, Thing]] = [derive({}, {})]
    for _ in range(steps):
        old = found[-1] if random.random() < 0.8 else random.choice(found)
        keys = random.sample(range(20), random.randrange(4))
        made = {key: Thing(tuple(random.choices("abcde", k=random.randrange(4)))) for key in keys}
        found.append(derive(old, made, random.sample(range(20), random.randrange(3))))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_what_differs_is_found(seed: int) -> None:
    random, found = Random(seed), changes(seed, 200)  # noqa: S311 - no secret
    for _ in range(500):
        old, new = random.choice(found), random.choice(found)
        assert differing(old, new) == looked_up(old, new)


@pytest.mark.parametrize("seed", range(5))
def test_an_index_is_right_wherever_it_is_asked_from(seed: int) -> None:
    random, found = Random(seed), changes(seed, 100)  # noqa: S311 - no secret
    for _ in range(200):
        mapping = random.choice(found)
        wanted: dict[str, set[int]] = {}
        for key, thing in mapping.items():
            for tag in thing.tags:
                wanted.setdefault(tag, set()).add(key)
        assert index(mapping, tags) == wanted


def test_a_change_of_few_looks_at_few() -> None:
    """Of 10,000 values, only those are asked for what they have that are new."""
    asked = []

    def counted(thing: Thing) -> Iterator[str]:
        asked.append(thing)
        yield from thing.tags

    old = derive({}, {i: Thing(("a",)) for i in range(10_000)})
    index(old, counted)
    asked.clear()
    new = derive(old, {7: Thing(("b",))}, [8])
    assert index(new, counted)["b"] == {7}
    assert len(asked) == 1
    assert differing(old, new) == {7, 8}


def test_nothing_changed_is_the_same_object() -> None:
    thing = Thing()
    old = derive({}, {1: thing})
    assert derive(old, {1: thing}, [2]) is old


def test_the_old_one_stays_as_it_is() -> None:
    one, other = Thing(), Thing()
    old = derive({}, {1: one})
    new = derive(old, {1: other, 2: one}, ())
    assert (dict(old), dict(new)) == ({1: one}, {1: other, 2: one})
    assert dict(derive(new, {}, [1])) == {2: one}


def test_a_history_is_no_longer_than_it_may_be() -> None:
    first = latest = derive({}, {0: Thing()})
    for i in range(2 * history.LENGTH):
        latest = derive(latest, {i: Thing()})
    assert differing(first, latest) == looked_up(first, latest)
