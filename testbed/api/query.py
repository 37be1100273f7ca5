"""The query parameters of lists and watches (``ListOptions``), read and checked.

Rules and words are those of apimachinery ``pkg/apis/meta/internalversion/validation`` and of
``k8s.io/apiserver/pkg/storage/continue.go``.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from testbed.api import fields
from testbed.api.failures import bad_request, invalid_options
from testbed.api.kinds import Served
from testbed.api.paths import Target
from testbed.api.store import Key, Record

EXACT, NOT_OLDER = "Exact", "NotOlderThan"
_TRUE, _FALSE = {"1", "t", "T", "true", "TRUE", "True"}, {"0", "f", "F", "false", "FALSE", "False"}
_LARGEST = 2**63 - 1
_TOKEN = "meta.k8s.io/v1"  # noqa: S105 - the version of a continue token

Wanted = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class Token:
    """Where a list goes on.

    Attributes:
        version: The version that the list began with; -1 for whatever there is now.
        after: The last key that was told.
    """

    version: int
    after: Key

    def __str__(self) -> str:
        value = {"v": _TOKEN, "rv": self.version, "start": "/".join(self.after)}
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@dataclass(frozen=True, slots=True)
class Options:
    """What a client asks of a list or a watch.

    Attributes:
        wanted: Whether an object is meant.
        selects: Whether a selector was given.
        version: ``resourceVersion``; None if it was not given.
        match: ``resourceVersionMatch``.
        watch: Whether changes are wanted.
        bookmarks: Whether the version may be told without a change.
        initial: ``sendInitialEvents``; None if it was not given.
        seconds: How long a watch may last; None or 0 if the client does not mind.
        limit: Of a list, how many objects at once; 0 for all.
        token: Where a list goes on.
    """

    wanted: Wanted
    selects: bool = False
    version: int | None = None
    match: str = ""
    watch: bool = False
    bookmarks: bool = False
    initial: bool | None = None
    seconds: int | None = None
    limit: int = 0
    token: Token | None = None


def options(query: Mapping[str, str], target: Target) -> Options:
    """Reads the parameters of a request.

    Raises:
        Failure: One cannot be read (400), or they do not go together (422).
    """
    initial = query.get("sendInitialEvents", "")
    token = query.get("continue", "")
    found = Options(
        wanted=_wanted(query, target),
        selects=bool(query.get("labelSelector") or query.get("fieldSelector")),
        version=_version(query.get("resourceVersion", "")),
        match=query.get("resourceVersionMatch", ""),
        watch=_flag(query, "watch"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
        initial=_flag(query, "sendInitialEvents") if initial else None,
        seconds=_number(query, "timeoutSeconds"),
        limit=_number(query, "limit") or 0,
        token=_token(token) if token else None,
    )
    _check(found)
    return found


def _wanted(query: Mapping[str, str], target: Target) -> Wanted:
    """The path's namespace and name, and both selectors, as one test."""
    from testbed.errors import InputError
    from testbed.objects import parse_selector

    kind: Served = target.kind
    text = query.get("fieldSelector", "")
    by_field = fields.parse(text, kind.fields, kind.has_own_fields)
    try:
        by_label = parse_selector(query.get("labelSelector", ""))
    except InputError as error:
        raise bad_request(f"unable to parse requirement: {error.message}") from None
    namespace, name = target.namespace, target.name

    def wanted(record: Record) -> bool:
        return (
            (namespace is None or record.key[0] == namespace)
            and (name is None or record.key[1] == name)
            and by_field.matches(record.fields)
            and by_label.matches(record.labels)
        )

    return wanted


def _flag(query: Mapping[str, str], name: str) -> bool:
    """A truth value as Go's ``strconv.ParseBool`` reads it, but that an empty one is true."""
    text = query.get(name)
    if text is None or text in _FALSE:
        return False
    if text == "" or text in _TRUE:
        return True
    raise bad_request(f'strconv.ParseBool: parsing "{text}": invalid syntax')


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name, "")
    if not text:
        return None
    if not (text.lstrip("-").isascii() and text.removeprefix("-").isdigit()) or len(text) > 19:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return max(0, int(text))


def _version(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 19 or int(text) > _LARGEST:
        message = f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing "{text}"'
        raise bad_request(f"{message}: invalid syntax")
    return int(text)


def _token(text: str) -> Token:
    invalid = bad_request("continue key is not valid")
    try:
        value: Any = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        version, start = value["rv"], value["start"]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        raise invalid from None
    if value.get("v") != _TOKEN or type(version) is not int or not isinstance(start, str):
        raise invalid
    namespace, slash, name = start.partition("/")
    if not slash or not name or version == 0 or not -1 <= version <= _LARGEST:
        raise invalid
    return Token(version, (namespace, name))


def _check(asked: Options) -> None:
    """Raises what is wrong with parameters that do not go together."""
    found = (_watch_problems if asked.watch else _list_problems)(asked)
    problems = {field: what for field, what, holds in found if holds}
    if problems:
        raise invalid_options(problems)
    if asked.token is not None and asked.version:
        raise bad_request("specifying resource version is not allowed when using continue")


_MATCH = "resourceVersionMatch"
Problem = tuple[str, str, bool]


def _watch_problems(asked: Options) -> Iterator[Problem]:
    match, initial = asked.match, asked.initial is not None
    needed = f"sendInitialEvents requires setting {_MATCH} to {NOT_OLDER}"
    yield _MATCH, needed, initial and match != NOT_OLDER
    alone = f"{_MATCH} is forbidden for watch unless sendInitialEvents is provided"
    yield _MATCH, alone, bool(match) and not initial
    more = f"{_MATCH} is forbidden when continue is provided"
    yield _MATCH, more, bool(match) and asked.token is not None


def _list_problems(asked: Options) -> Iterator[Problem]:
    match = asked.match
    lonely = f"{_MATCH} is forbidden unless resourceVersion is provided"
    yield _MATCH, lonely, bool(match) and asked.version is None
    more = f"{_MATCH} is forbidden when continue is provided"
    yield _MATCH, more, bool(match) and asked.token is not None
    unknown = f'supported values: "{EXACT}", "{NOT_OLDER}", ""'
    yield _MATCH, unknown, match not in {"", EXACT, NOT_OLDER}
    any_version = f'{_MATCH} "exact" is forbidden for resourceVersion "0"'
    yield _MATCH, any_version, match == EXACT and asked.version == 0
    initial = "sendInitialEvents is forbidden for list"
    yield "sendInitialEvents", initial, asked.initial is not None
