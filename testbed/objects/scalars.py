"""The values of YAML scalars, as Kubernetes' own YAML decoder reads them.

kubectl and the API server read YAML by sigs.k8s.io/yaml, whose parser (``goyaml.v2/resolve.go``)
follows YAML 1.1 with its own differences: ``yes``, ``on`` and even ``y`` are booleans, ``010`` is
eight, ``1:30`` and ``2024-01-01`` are strings, ``_`` may separate digits. The value then becomes
JSON, so that ``1e3`` is the integer 1000, and infinity and NaN are refused.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from functools import lru_cache

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE"], True),
    **dict.fromkeys(["on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE"], False),
    **dict.fromkeys(["off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], math.inf),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -math.inf),
}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_TAG = "tag:yaml.org,2002:"
_DIGITS = 67
"""Characters of the longest 64-bit integer: binary, with a sign and ``0b``."""

_EXACT = 1e21
"""From here on Go prints a float with an exponent, so it is no integer in JSON any more."""


@lru_cache(maxsize=4096)
def plain(text: str) -> Scalar:
    """The value of a scalar without quotes and without a tag.

    Raises:
        ValueError: It is a number that JSON does not have; the message is for the user.
    """
    if text in _WORDS:
        return _json_number(_WORDS[text], text)
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        if len(digits) > _DIGITS:
            raise ValueError(f"{text[:_DIGITS]}... is longer than any number in Kubernetes")
        return _integer(match)
    if _FLOAT.fullmatch(digits) and not math.isinf(number := float(digits)):
        return _json_number(number, text)
    return text


def tagged(tag: str, text: str) -> Scalar:
    """The value of a scalar with an explicit tag, such as ``!!str 80``.

    Raises:
        ValueError: The tag is not one of YAML's own, or the text is no such value.
    """
    if tag in {"!", _TAG + "str"}:
        return text
    if tag == _TAG + "binary":
        try:
            return base64.b64decode(text).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("!!binary holds no base64 of UTF-8 text") from None
    kinds = {"bool": bool, "int": int, "float": (int, float), "null": type(None)}
    name = tag.removeprefix(_TAG)
    if name not in kinds:
        raise ValueError(foreign_tag(tag))
    value = plain(text)
    if not isinstance(value, kinds[name]) or (isinstance(value, bool) and name != "bool"):  # type: ignore[arg-type]
        raise ValueError(f"cannot decode {text!r} as a !!{name}")
    return value


def foreign_tag(tag: str) -> str:
    """The message about a tag that is none of YAML's own for JSON's types."""
    return f"the YAML tag {tag.replace(_TAG, '!!')} means nothing to Kubernetes"


def _integer(match: re.Match[str]) -> int:
    """The integer of a match of ``_INTEGER``: decimal, octal, binary or hexadecimal."""
    sign, *groups = match.groups()
    bases = zip(groups, (16, 2, 8, 10), strict=True)
    return next(int(sign + digits, base) for digits, base in bases if digits)


def _json_number(value: Scalar, text: str) -> Scalar:
    """A float as Go's JSON encoder prints it: without a fraction it is an integer."""
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a number that JSON can hold")
    return int(value) if value.is_integer() and abs(value) < _EXACT else value
