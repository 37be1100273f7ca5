"""Lists in parts, and what a watch tells."""

from __future__ import annotations

import pytest
from api_builders import asked, pod, store

from testbed.api import watching
from testbed.api.failures import Failure
from testbed.api.listing import Page, page
from testbed.api.query import Options
from testbed.api.store import Store

NAMES = ("a", "b", "c", "d", "e")


def get(made: Store, options: Options) -> Page:
    return page(made.collections["pods"], made.version, options)


def names(found: Page) -> list[str]:
    return [record.key[1] for record in found.records]


def test_a_whole_list() -> None:
    made = store(*NAMES)
    found = get(made, asked())
    assert names(found) == list(NAMES)
    assert found.metadata() == {"resourceVersion": "105"}


def test_a_list_in_parts_is_the_list() -> None:
    made = store(*NAMES)
    seen: list[str] = []
    token, left = "", []
    for _ in range(3):
        found = get(made, asked(limit="2", **({"continue": token} if token else {})))
        seen += names(found)
        token = found.token
        left.append(found.remaining)
    assert (seen, token, left) == (list(NAMES), "", [3, 1, None])


def test_a_list_in_parts_stays_what_it_was() -> None:
    made = store(*NAMES)
    first = get(made, asked(limit="2"))
    made.remove("pods", ("default", "d"), 110)
    made.put("pods", pod("cc", 111))
    made.put("pods", pod("e", 112, phase="Failed"))
    rest = get(made, asked(**{"continue": first.token}))
    assert names(rest) == ["c", "d", "e"]
    assert rest.version == first.version
    assert b"Failed" not in rest.records[-1].text
    assert names(get(made, asked())) == ["a", "b", "c", "cc", "e"]


def test_the_last_part_has_no_token_even_if_it_is_full() -> None:
    found = get(store(*NAMES), asked(limit="5"))
    assert (names(found), found.token) == (list(NAMES), "")


def test_parts_of_a_selection() -> None:
    made = store(*NAMES)
    made.put("pods", pod("bb", 110, labels={"app": "x"}))
    made.put("pods", pod("dd", 111, labels={"app": "x"}))
    found = get(made, asked(limit="1", labelSelector="app=x"))
    assert (names(found), found.remaining) == (["bb"], None)
    assert found.token
    again = get(made, asked(limit="1", labelSelector="app=x", **{"continue": found.token}))
    assert (names(again), again.token) == (["dd"], "")


def test_a_token_that_is_too_old_comes_with_one_that_is_not() -> None:
    made = store(*NAMES)
    token = get(made, asked(limit="2")).token
    made.put("pods", pod("cc", 111))
    made.begin(111)
    with pytest.raises(Failure) as failed:
        get(made, asked(**{"continue": token}))
    assert failed.value.code == 410
    other = failed.value.status()["metadata"]["continue"]
    assert names(get(made, asked(**{"continue": other}))) == ["c", "cc", "d", "e"]


def test_versions_of_a_list() -> None:
    made = store(*NAMES)
    made.remove("pods", ("default", "a"), 106)
    exact = {"resourceVersionMatch": "Exact"}
    assert names(get(made, asked(resourceVersion="105", **exact))) == list(NAMES)
    assert names(get(made, asked(resourceVersion="106", **exact))) == ["b", "c", "d", "e"]
    assert names(get(made, asked(resourceVersion="0"))) == ["b", "c", "d", "e"]
    with pytest.raises(Failure) as old:
        get(made, asked(resourceVersion="104", **exact))
    with pytest.raises(Failure) as new:
        get(made, asked(resourceVersion="107"))
    assert (old.value.code, new.value.code) == (410, 504)
    assert new.value.details is not None
    assert new.value.details["causes"][0]["reason"] == "ResourceVersionTooLarge"


def told(made: Store, options: Options, after: int) -> list[tuple[str, str]]:
    changes = made.collections["pods"].after(after)
    found = (watching.told(change, options.wanted) for change in changes)
    return [(kind, record.key[1]) for kind, record in filter(None, found)]


def test_what_begins_and_ceases_to_match_is_added_and_deleted() -> None:
    made = store()
    for version, phase in enumerate(["Pending", "Running", "Running", "Failed"], 101):
        made.put("pods", pod("a", version, phase=phase))
    made.remove("pods", ("default", "a"), 105)
    running = asked(watch="1", fieldSelector="status.phase=Running")
    assert told(made, running, 100) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    everything = [("ADDED", "a"), *[("MODIFIED", "a")] * 3, ("DELETED", "a")]
    assert told(made, asked(watch="1"), 100) == everything
    assert told(made, asked("/api/v1/namespaces/other/pods", watch="1"), 100) == []


@pytest.mark.parametrize(
    ("query", "version", "initial"),
    [
        ({}, 103, 3),  # get state and start at most recent
        ({"resourceVersion": "0"}, 103, 3),
        ({"resourceVersion": "103"}, 103, 0),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}, 103, 3),
        ({"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan",
          "resourceVersion": "102"}, 103, 3),
        ({"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan"}, 103, 0),
    ],
)  # fmt: skip
def test_where_a_watch_begins(query: dict[str, str], version: int, initial: int) -> None:
    made = store("a", "b", "c")
    begins, objects = watching.start(
        made.collections["pods"], made.version, asked(watch="1", **query)
    )
    assert (begins, [kind for kind, _ in objects]) == (version, ["ADDED"] * initial)


def test_a_watch_from_too_long_ago() -> None:
    made = store("a", "b", "c")
    with pytest.raises(Failure) as failed:
        watching.start(made.collections["pods"], 103, asked(watch="1", resourceVersion="7"))
    assert failed.value.message == "too old resource version: 7 (103)"


def test_a_bookmark_is_a_version_and_the_end_of_the_beginning() -> None:
    made = store("a")
    found = watching.bookmark(made.collections["pods"], 101, initial_end=True)
    assert found == {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {
            "resourceVersion": "101",
            "creationTimestamp": None,
            "annotations": {"k8s.io/initial-events-end": "true"},
        },
    }
