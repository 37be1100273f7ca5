"""The annotations of ingress-nginx that are understood: text to :class:`~.model.Options`.

Each value becomes a value of a type; no text of the user gets any further unless a function of
:mod:`testbed.ingress.paths` or a pattern here has said what it can be. A wrong value makes the
whole Ingress refused, as in ingress-nginx since 1.9
(``internal/ingress/annotations/annotations.go``). Snippets, and what ingress-nginx has that is not
here, are told and have no effect.

Names and meaning: ingress-nginx ``docs/user-guide/nginx-configuration/annotations.md``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from testbed.ingress import paths
from testbed.ingress.model import Affinity, Canary, Options

PREFIX = "nginx.ingress.kubernetes.io/"
_COOKIE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_VALUE = re.compile(r"[A-Za-z0-9 _.,:/=+-]{1,256}")
_PATH = re.compile(r"/[A-Za-z0-9\-._~/]{0,255}")
_SIZE = re.compile(r"([0-9]{1,15})([bkmg]?)", re.IGNORECASE)
_FACTOR = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TRUE, _FALSE = {"1", "t", "T", "true", "TRUE", "True"}, {"0", "f", "F", "false", "FALSE", "False"}
_MOST_SOURCES = 1000
_MOST_BYTES = 1 << 50  # more than anybody sends, less than programs can count

Given = dict[str, str]
"""Annotations without their prefix."""


class BadAnnotation(ValueError):
    """A value that means nothing; the message names the annotation and says what it may be."""


def _boolean(text: str) -> bool:
    """As Go's ``strconv.ParseBool``."""
    if text not in _TRUE | _FALSE:
        raise ValueError("must be true or false")
    return text in _TRUE


def _number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", text):
        raise ValueError("must be a number from 0 to 999999999")
    return int(text)


def _size(text: str) -> int:
    """Bytes of nginx's sizes: ``8m``; 0 for any."""
    found = _SIZE.fullmatch(text.strip())
    size = int(found[1]) * _FACTOR[found[2].lower()] if found else -1
    if not 0 <= size <= _MOST_BYTES:
        raise ValueError("must be a size such as 8m, at most 1 PiB")
    return size


def _sources(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > _MOST_SOURCES:
        raise ValueError(f"may have at most {_MOST_SOURCES} ranges")
    try:
        return tuple(sorted({ip_network(p, strict=False) for p in parts}, key=str))
    except ValueError:
        raise ValueError("must be addresses or ranges with commas between them") from None


def _one_of(*known: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in known:
            raise ValueError(f"must be {' or '.join(known)}")
        return text

    return parse


def _matching(pattern: re.Pattern[str], rule: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(rule)
        return text

    return parse


def _checked(check: Callable[[str], bool], rule: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not check(text):
            raise ValueError(rule)
        return text

    return parse


_TARGET_RULE = "must be a path of letters, digits and -._~/: with $1 to $9 for groups"
_NAME = _matching(_COOKIE, "must be a name of letters, digits and _.-")
_PARSERS: Mapping[str, Callable[[str], Any]] = {
    "rewrite-target": _checked(paths.target, _TARGET_RULE),
    "use-regex": _boolean,
    "ssl-redirect": _boolean,
    "force-ssl-redirect": _boolean,
    "app-root": _checked(paths.root, "must be a path such as /app"),
    "proxy-body-size": _size,
    "whitelist-source-range": _sources,
    "allowlist-source-range": _sources,
    "backend-protocol": _one_of("HTTP", "GRPC"),
    "affinity": _one_of("cookie"),
    "affinity-mode": _one_of("balanced", "persistent"),
    "session-cookie-name": _NAME,
    "session-cookie-path": _matching(_PATH, "must be a path such as /app"),
    "session-cookie-max-age": _number,
    "session-cookie-samesite": _one_of("None", "Lax", "Strict"),
    "canary": _boolean,
    "canary-by-header": _matching(_HEADER, "must be a header's name"),
    "canary-by-header-value": _matching(_VALUE, "must be of letters, digits and _.,:/=+- only"),
    "canary-by-cookie": _NAME,
    "canary-weight": _number,
    "canary-weight-total": _number,
}
KNOWN = frozenset(_PARSERS)
"""The annotations that are understood, without their prefix."""

_FIELDS = {
    "rewrite-target": "rewrite",
    "use-regex": "use_regex",
    "ssl-redirect": "ssl_redirect",
    "force-ssl-redirect": "force_ssl_redirect",
    "app-root": "app_root",
    "proxy-body-size": "body_size",
    "whitelist-source-range": "sources",
    "allowlist-source-range": "sources",
    "backend-protocol": "protocol",
}
_AFFINITY_FIELDS = {
    "session-cookie-name": "cookie",
    "session-cookie-path": "path",
    "session-cookie-max-age": "max_age",
    "session-cookie-samesite": "same_site",
}
_CANARY_FIELDS = {
    "canary-by-header": "header",
    "canary-by-header-value": "header_value",
    "canary-by-cookie": "cookie",
    "canary-weight": "weight",
    "canary-weight-total": "weight_total",
}


def given(annotations: Mapping[str, str]) -> Given:
    """Those of ingress-nginx, without their prefix; empty ones count as absent."""
    return {k.removeprefix(PREFIX): v for k, v in annotations.items() if k.startswith(PREFIX) and v}


def ignored(found: Given) -> list[str]:
    """What is to be said about those that have no effect."""
    return [_why_ignored(name) for name in found if name not in KNOWN]


def _why_ignored(name: str) -> str:
    if name.endswith("-snippet"):
        return f"annotation {name} is not served: configuration may not come from an object"
    return f"annotation {name} is not known here and has no effect"


def parse(found: Given) -> dict[str, Any]:
    """The known ones as values.

    Raises:
        BadAnnotation: One means nothing.
    """
    values = {}
    for name in found.keys() & KNOWN:
        try:
            values[name] = _PARSERS[name](found[name])
        except ValueError as error:
            raise BadAnnotation(f"annotation {name}: {found[name][:80]!r} {error}") from None
    return values


def options(values: Mapping[str, Any]) -> Options:
    """What parsed annotations say of an Ingress's paths."""
    fields = {_FIELDS[name]: value for name, value in values.items() if name in _FIELDS}
    return replace(Options(**fields), affinity=_affinity(values))


def _affinity(values: Mapping[str, Any]) -> Affinity | None:
    if "affinity" not in values:
        return None
    return Affinity(**{f: values[name] for name, f in _AFFINITY_FIELDS.items() if name in values})


def canary(values: Mapping[str, Any]) -> Canary | None:
    """Who goes to an Ingress that is a canary; None for any other Ingress."""
    if not values.get("canary"):
        return None
    fields = {f: values[name] for name, f in _CANARY_FIELDS.items() if name in values}
    return Canary(**{**fields, "weight_total": max(1, fields.get("weight_total", 100))})
