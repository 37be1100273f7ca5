r"""Paths and regular expressions that may stand in an Ingress.

A plain path is one of RFC 3986. An expression is of what ingress-nginx lets through
(``internal/ingress/annotations/parser/validators.go``), and of that what RE2, Python and PCRE all
read alike: no lookaround, no named groups, repeats up to 1,000. So an expression that passes here
is none that the proxy's own library refuses, which would take all other Ingresses with it.
"""

from __future__ import annotations

import re
import warnings
from urllib.parse import unquote_to_bytes

_PLAIN = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*")
_EXPRESSION = re.compile(r"/[A-Za-z0-9\-._~/:`^$\[\](){}*+?|&=\\]*")
_ESCAPE = re.compile(r"\\(.)")
_KNOWN_ESCAPES = set("dDwWsSbB")
_REPEAT = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_MOST_REPEATS = 1000
_MOST_CHARACTERS = 1024
_TARGET = re.compile(r"(?:[A-Za-z0-9\-._~/:]|\$[1-9])+")
_ROOT = re.compile(r"/[A-Za-z0-9\-._~/?=&%]*")


def plain(path: str) -> str | None:
    """Why a path is none that a request could have; None if it is one."""
    if len(path) > _MOST_CHARACTERS:
        return f"is longer than {_MOST_CHARACTERS} characters"
    if not _PLAIN.fullmatch(path):
        return "has characters that no path of a URL has (RFC 3986)"
    raw = unquote_to_bytes(path)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "has escapes that are no UTF-8"
    if "//" in text or not text.isprintable() or " " in text:
        return "has escaped spaces, slashes or control characters"
    return None


def expression(path: str) -> str | None:
    """Why a path cannot be taken as a regular expression; None if it can."""
    if len(path) > _MOST_CHARACTERS:
        return f"is longer than {_MOST_CHARACTERS} characters"
    if not _EXPRESSION.fullmatch(path):
        return "has characters that are not allowed in a regular expression here"
    if any(not _known(character) for character in _ESCAPE.findall(path)):
        return "has an escape other than \\d, \\w, \\s, \\b, their opposites and punctuation"
    if re.search(r"\(\?(?!:)", path) or re.search(r"\[[:.=]|\*\+|\+\+|\?\+|\}\+", path):
        return "has a construct that RE2 does not have, or a class of POSIX"
    return _repeats(path) or _compiles(path)


def _known(character: str) -> bool:
    return character in _KNOWN_ESCAPES or not character.isalnum()


def _repeats(path: str) -> str | None:
    """Why its ``{n,m}`` are too many, or none at all."""
    without = _ESCAPE.sub("", path)
    total = 1
    for low, high in _REPEAT.findall(without):
        total *= max(int(low[:6]), int(high[:6] or 0), 1)
    if total > _MOST_REPEATS:
        return f"repeats something more than {_MOST_REPEATS} times"
    left = _REPEAT.sub("", without)
    return "has a brace that is no repeat; escape it" if {"{", "}"} & set(left) else None


def _compiles(path: str) -> str | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(path)
    except (re.error, RecursionError, OverflowError, Warning) as error:
        return f"is no regular expression: {str(error)[:80]}"
    return None


def groups(path: str) -> int:
    """How many groups a good expression has."""
    return re.compile(path).groups


def target(value: str) -> bool:
    """Whether a value can be a rewrite's target: a path on the endpoint with ``$1`` … ``$9``."""
    good = len(value) <= _MOST_CHARACTERS and _TARGET.fullmatch(value) is not None
    return good and value[0] in "/$" and not value.startswith("//")


def root(value: str) -> bool:
    """Whether a value can be an ``app-root``: a path on this host, maybe with a query."""
    good = len(value) <= _MOST_CHARACTERS and _ROOT.fullmatch(value) is not None
    return good and not value.startswith("//")


def decoded(path: str) -> str:
    """A good plain path without its escapes, as nginx compares it."""
    return unquote_to_bytes(path).decode()
