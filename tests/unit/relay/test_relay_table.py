"""What a relay knows: whose turn it is, who stays where, what is at an address."""

from __future__ import annotations

from typing import Any

from testbed.relay.table import Backend, Table

A, B, C = ("10.244.1.2", 80), ("10.244.2.2", 80), ("10.244.3.2", 80)


def backend(*endpoints: tuple[str, int], affinity: int = 0) -> Backend:
    made = Backend()
    made.become([*endpoints], affinity)
    return made


def turns(one: Backend, count: int, client: str = "10.0.0.1") -> list[tuple[str, int] | None]:
    return [one.next(client, 0.0) for _ in range(count)]


def test_endpoints_in_turn() -> None:
    assert turns(backend(A, B, C), 5) == [A, B, C, A, B]
    assert turns(backend(), 1) == [None]


def test_the_same_endpoints_again_do_not_begin_anew() -> None:
    one = backend(A, B)
    turns(one, 1)
    one.become([A, B], 0)
    assert turns(one, 1) == [B]
    one.become([A, B, C], 0)
    assert turns(one, 1) == [A]


def test_a_client_stays_until_it_was_away_too_long() -> None:
    one = backend(A, B, affinity=10)
    assert [one.next("x", now) for now in (0, 9, 18)] == [A, A, A]
    assert one.next("y", 18) == B
    assert one.next("x", 28) == A  # gone since 28: it is the first one's turn
    assert one.next("y", 27.9) == B


def test_a_client_leaves_an_endpoint_that_does_not_answer_or_has_gone() -> None:
    one = backend(A, B, affinity=10)
    assert [one.next("x", 0), one.next("x", 0, again=True), one.next("x", 1)] == [A, B, B]
    one.become([A, C], 10)
    assert one.next("x", 1) == A
    one.become([A, C], 0)
    assert {one.next("x", 1), one.next("x", 1)} == {A, C}


def change(**parts: Any) -> dict[str, Any]:
    return {"backends": {}, "places": [], "gone": [], "gone_places": [], **parts}


def test_a_place_before_a_port_of_the_node() -> None:
    table = Table()
    table.update(
        change(
            backends={"web": ([A], 0), "node": ([B], 0)},
            places=[("TCP", "10.96.0.7", 80, "web"), ("TCP", "", 80, "node")],
        )
    )
    there = [table.find("TCP", address, 80) for address in ("10.96.0.7", "192.168.0.11")]
    assert [one and one.next("x", 0) for one in there] == [A, B]
    assert table.find("UDP", "10.96.0.7", 80) is None
    table.update(change(gone=["web"], gone_places=[("TCP", "10.96.0.7", 80)]))
    found = table.find("TCP", "10.96.0.7", 80)
    assert found is not None and found.next("x", 0) == B
