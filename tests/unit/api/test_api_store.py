"""The store: versions, history, and going back in it."""

from __future__ import annotations

import json
import random

import pytest
from api_builders import pod, pods, store

from testbed.api.failures import Failure
from testbed.api.store import Record


def names(records: list[Record]) -> list[str]:
    return [record.key[1] for record in records]


def test_objects_are_listed_in_the_order_of_their_keys() -> None:
    held = pods()
    for version, (namespace, name) in enumerate([("b", "x"), ("a", "y"), ("a", "b"), ("c", "a")]):
        held.put(pod(name, version, namespace), version)
    assert [r.key for r in held.sorted()] == [("a", "b"), ("a", "y"), ("b", "x"), ("c", "a")]
    held.remove(("a", "y"), 9)
    assert [r.key for r in held.sorted()] == [("a", "b"), ("b", "x"), ("c", "a")]


def test_changes_after_a_version() -> None:
    held = pods()
    held.put(pod("a", 1), 1)
    held.put(pod("a", 2), 2)
    held.remove(("default", "a"), 3)
    found = held.after(0)
    assert [(c.version, bool(c.old), bool(c.new)) for c in found] == [
        (1, False, True),
        (2, True, True),
        (3, True, False),
    ]
    assert [c.version for c in held.after(2)] == [3]
    assert held.after(3) == []


def test_the_end_of_an_object_is_told_with_the_version_of_its_end() -> None:
    held = pods()
    held.put(pod("a", 1), 1)
    held.remove(("default", "a"), 7)
    end = held.after(1)[0].end
    assert end is not None
    assert json.loads(end.text) == pod("a", 7)


def test_removing_what_is_not_there_is_no_change() -> None:
    held = pods()
    held.remove(("default", "a"), 7)
    assert held.after(0) == []


@pytest.mark.parametrize("limits", [{"most_changes": 3}, {"most_bytes": 1500}])
def test_history_is_bounded_and_says_so(limits: dict[str, int]) -> None:
    held = pods(**limits)
    for version in range(1, 50):
        held.put(pod("a", version), version)
    known = held.after(held.oldest)
    assert 0 < len(known) <= 3
    assert [c.version for c in known] == list(range(held.oldest + 1, 50))
    with pytest.raises(Failure, match="too old resource version") as failed:
        held.after(held.oldest - 1)
    assert (failed.value.code, failed.value.reason) == (410, "Expired")


def test_a_state_of_the_past_is_what_it_was() -> None:
    rng, held, seen = random.Random(7), pods(), {}  # noqa: S311
    for version in range(1, 300):
        name = f"p{rng.randrange(12)}"
        if rng.random() < 0.4:
            held.remove(("default", name), version)
        else:
            held.put(pod(name, version), version)
        seen[version] = [record.text for record in held.sorted()]
    assert len({len(texts) for texts in seen.values()}) > 3
    for version, texts in seen.items():
        assert [record.text for record in held.at(version)] == texts


def test_nothing_is_known_of_before_the_beginning() -> None:
    made = store("a", "b")
    assert made.version == 102
    assert names(made.collections["pods"].sorted()) == ["a", "b"]
    with pytest.raises(Failure):
        made.collections["pods"].after(101)
    assert made.collections["pods"].after(102) == []
