"""The ledger: versions change exactly when objects do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testbed.lab.ledger import Change, Ledger

Json = dict[str, Any]
NOW = 1000


class Lab:
    """A lab that the test changes by hand: things, each made of a part, and others."""

    plurals = ("things", "others")

    def __init__(self) -> None:
        self.things: dict[tuple[str, str], tuple[str, int]] = {}
        self.others: list[Json] = []
        self.input = object()
        self.made: list[object] = []

    def set(self, name: str, value: int, uid: str = "u") -> None:
        """Makes or changes a thing."""
        self.things[("ns", name)] = (uid, value)
        self.input = object()

    def drop(self, name: str) -> None:
        del self.things[("ns", name)]
        self.input = object()

    def inputs(self, _: str) -> tuple[object, ...]:
        return (self.input,)

    def parts(self, plural: str) -> Mapping[tuple[str, str], object] | None:
        if plural == "others":
            return None
        return {key: (key[1], *part) for key, part in self.things.items()}

    def object(self, _: str, part: Any) -> Json:
        self.made.append(part)
        name, uid, value = part
        meta = {"name": name, "namespace": "ns", "uid": uid}
        return {
            "metadata": meta,
            "spec": value // 10,
        }  # a part may change where the object does not

    def objects(self, _: str) -> list[Json]:
        return [dict(item) for item in self.others]


def versions(ledger: Ledger, plural: str = "things") -> dict[str, int]:
    """Name → version."""
    found = ledger.current(plural)
    return {o["metadata"]["name"]: int(o["metadata"]["resourceVersion"]) for o in found}


def said(changes: list[Change]) -> list[tuple[str, str, int]]:
    """What changes say: ``set`` or ``gone``, name, version."""
    return [
        ("set", c[1]["metadata"]["name"], int(c[1]["metadata"]["resourceVersion"]))
        if len(c) == 2
        else ("gone", c[1][1], c[2])
        for c in changes
    ]


def make() -> tuple[Lab, Ledger]:
    lab = Lab()
    return lab, Ledger(lab, lambda: float(NOW))


def test_each_object_has_a_version_of_its_own() -> None:
    lab, ledger = make()
    lab.set("a", 1)
    lab.set("b", 2)
    assert versions(ledger) == {"a": NOW + 1, "b": NOW + 2}
    assert ledger.version == NOW + 2


def test_a_version_stays_until_the_object_changes() -> None:
    lab, ledger = make()
    lab.set("a", 1)
    lab.set("b", 2)
    before = ledger.current("things")
    assert ledger.current("things") == before
    lab.set("a", 5)  # another part, the same object
    assert ledger.current("things") == before
    lab.set("a", 10)
    assert versions(ledger) == {"a": NOW + 3, "b": NOW + 2}


def test_only_what_has_changed_is_made_anew() -> None:
    lab, ledger = make()
    for number in range(50):
        lab.set(f"t{number}", 1)
    ledger.current("things")
    lab.made.clear()
    ledger.current("things")
    assert lab.made == []
    lab.set("t7", 30)
    ledger.current("things")
    assert lab.made == [("t7", "u", 30)]


def test_who_follows_is_told_the_state_and_then_the_changes() -> None:
    lab, ledger = make()
    lab.set("a", 1)
    lab.set("b", 2)
    assert said(ledger.follow()) == [("set", "a", NOW + 1), ("set", "b", NOW + 2)]
    assert ledger.changes() == []
    lab.set("c", 3)
    lab.drop("a")
    assert said(ledger.changes()) == [("gone", "a", NOW + 3), ("set", "c", NOW + 4)]
    assert ledger.changes() == []


def test_what_somebody_else_has_seen_is_told_as_well() -> None:
    lab, ledger = make()
    ledger.follow()
    lab.set("a", 1)
    assert versions(ledger) == {"a": NOW + 1}
    lab.set("a", 20)
    assert versions(ledger) == {"a": NOW + 2}
    assert said(ledger.changes()) == [("set", "a", NOW + 1), ("set", "a", NOW + 2)]


def test_nothing_is_kept_for_nobody() -> None:
    lab, ledger = make()
    ledger.follow()
    ledger.unfollow()
    lab.set("a", 1)
    ledger.current("things")
    assert ledger.changes() == []
    assert said(ledger.follow()) == [("set", "a", NOW + 1)]


def test_another_object_under_the_same_name_is_another() -> None:
    lab, ledger = make()
    lab.set("a", 1, "first")
    ledger.follow()
    lab.set("a", 1, "second")
    assert said(ledger.changes()) == [("gone", "a", NOW + 2), ("set", "a", NOW + 3)]


def test_the_last_change_of_a_kind_has_a_version() -> None:
    lab, ledger = make()
    assert ledger.latest(["things"]) == {}
    lab.set("a", 1)
    lab.set("b", 2)
    assert ledger.latest(["things"]) == {"things": NOW + 2}
    assert ledger.latest(["things"]) == {"things": NOW + 2}
    lab.drop("a")
    assert ledger.latest(["things"]) == {"things": NOW + 3}


def test_a_state_that_would_pass_unseen_can_be_recorded() -> None:
    lab, ledger = make()
    lab.set("a", 1)
    ledger.follow()
    lab.set("a", 10)
    ledger.record("things")
    lab.drop("a")
    assert said(ledger.changes()) == [("set", "a", NOW + 2), ("gone", "a", NOW + 3)]


def test_objects_whose_parts_nobody_knows_are_compared_whole() -> None:
    lab, ledger = make()
    lab.others = [{"metadata": {"name": "x", "uid": "u"}, "spec": 1}]
    assert versions(ledger, "others") == {"x": NOW + 1}
    lab.set("a", 1)
    assert versions(ledger, "others") == {"x": NOW + 1}
    lab.others[0]["spec"] = 2
    lab.input = object()
    assert versions(ledger, "others") == {"x": NOW + 2}
    lab.others = []
    lab.input = object()
    assert versions(ledger, "others") == {}


def test_the_lab_keeps_its_order_and_its_objects() -> None:
    lab, ledger = make()
    for name in ("z", "a", "m"):
        lab.set(name, 1)
    assert list(versions(ledger)) == ["z", "a", "m"]
    lab.others = [{"metadata": {"name": "x", "uid": "u"}, "spec": 1}]
    ledger.current("others")
    assert "resourceVersion" not in lab.others[0]["metadata"]
