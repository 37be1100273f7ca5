"""Paths, expressions and annotations: what is let through."""

from __future__ import annotations

import random
import re

import pytest

from testbed.ingress import annotations, paths
from testbed.ingress.model import Affinity, Canary, Options

GOOD = ["/", "/a/b", "/.well-known/x~y", "/a;b=c,d", "/@x:(y)!*'$&+", "/%C3%A9"]
BAD = ["", "a", "/a b", "/a\n", '/"', "/{", "/a%2", "/%ff", "/%00", "/%0a", "/a%20b", "/é", "/\\"]
BAD += ["/a%2f%2fb", "/" + "a" * 1024, "/a#b", "/a?b", "/<", "/`", "/^", "/|", "/[x]"]


@pytest.mark.parametrize("path", GOOD)
def test_good_paths(path: str) -> None:
    assert paths.plain(path) is None


@pytest.mark.parametrize("path", BAD)
def test_bad_paths(path: str) -> None:
    assert paths.plain(path)


@pytest.mark.parametrize(
    "path",
    [
        "/something(/|$)(.*)", "/foo/.*", "/[a-z0-9]{3}/x{2}y", "/a(?:b|c)+?", r"/v\d+\.js$",
        "/[^/]+/x", r"/\{id\}", "/(a|b)*", "/x=1&y",
    ],
)  # fmt: skip
def test_good_expressions(path: str) -> None:
    assert paths.expression(path) is None


@pytest.mark.parametrize(
    "path",
    [
        "foo", "/(", "/)", "/[", "/a**", "/*+a", "/a++", "/a{1,2}+", "/{", "/a{,3}", "/a{x}", "/}",
        "/(?=a)", "/(?i)a", "/(?P<n>a)", "/(?#c)", "/[[:alpha:]]", "/[[.a.]]", "/[[=a=]]", "/\\",
        r"/\1", r"/\x41", r"/\Qa\E", r"/\K", r"/\pL", r"/\u0041", r"/\Z", r"/\A", "/a{1001}",
        "/(a{40}){40}", "/a b", '/a"', "/a;b", "/a#", "/a\n", "/a'", "/" + "a" * 1024,
        "/[z-a]", "/a{2,}", "/a{99999999999999999999}",
    ],
)  # fmt: skip
def test_bad_expressions(path: str) -> None:
    assert paths.expression(path)


@pytest.mark.parametrize("value", ["/", "/$1", "/$2/x", "$1", "/a:b~c-d_e.f"])
def test_good_targets(value: str) -> None:
    assert paths.target(value)


@pytest.mark.parametrize(
    "value",
    ["", "a", "//x", "http://x/", "/$", "/$0", "/$a", "/${1}", "/ ", '/"', "/;", "/\n", "/\\"],
)
def test_bad_targets(value: str) -> None:
    assert not paths.target(value)


def test_no_text_gets_through_with_a_character_that_ends_a_parameter() -> None:
    """Random texts; whatever is let through has none of what could end it, were it not quoted."""
    choose = random.Random(7)  # noqa: S311 - of no secret
    letters = "/aZ09-._~:$()[]{}*+?|&=\\^,;'\"#% \n\r\t\0`<>@!é"
    passed = 0
    for _ in range(20_000):
        text = "/" + "".join(choose.choices(letters, k=choose.randint(0, 6)))
        if paths.expression(text) is None:
            passed += 1
            assert not re.search("[\\s\"';#%@,!<>]", text)
        if paths.plain(text) is None:
            passed += 1
            assert not re.search('[\\s"#{}\\\\]', text)
        if paths.target(text):
            passed += 1
            assert re.fullmatch(r"(?:[\w./:~-]|\$[1-9])+", text, re.ASCII)
    assert passed > 1000


def test_options() -> None:
    given = {
        "rewrite-target": "/$1", "use-regex": "True", "ssl-redirect": "0", "app-root": "/x",
        "force-ssl-redirect": "t", "proxy-body-size": "2M", "backend-protocol": "GRPC",
        "affinity": "cookie", "session-cookie-name": "n", "session-cookie-max-age": "9",
    }  # fmt: skip
    assert annotations.options(annotations.parse(given)) == Options(
        "/$1", True, False, True, "/x", 2 << 20, (), Affinity("n", max_age=9), "GRPC"
    )
    assert annotations.options(annotations.parse({})) == Options()


def test_sources() -> None:
    text = " 10.1.2.3/8,fd00::/8 , 192.0.2.1"
    found = annotations.parse({"whitelist-source-range": text})["whitelist-source-range"]
    assert [str(one) for one in found] == ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]


def test_canary() -> None:
    given = {"canary": "true", "canary-by-header": "X", "canary-weight": "3"}
    assert annotations.canary(annotations.parse(given)) == Canary("X", weight=3)
    assert annotations.canary(annotations.parse({**given, "canary": "false"})) is None
    total = annotations.canary(annotations.parse({**given, "canary-weight-total": "0"}))
    assert total is not None
    assert total.share == 1.0


def test_only_annotations_of_ingress_nginx_are_looked_at() -> None:
    given = {"nginx.ingress.kubernetes.io/use-regex": "", "x/y": "z", "nginx.org/a": "b"}
    assert annotations.given(given) == {}


@pytest.mark.parametrize("name", sorted(annotations.KNOWN))
def test_no_annotation_takes_a_line(name: str) -> None:
    for text in ("true\n", "1\n", "/a\n", "cookie\n", "10.0.0.0/8\n;", "8m\n;", "HTTP\n", "Lax\n"):
        try:
            value = annotations.parse({name: text})[name]
        except annotations.BadAnnotation:
            continue
        assert isinstance(value, int), (name, text, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app-root", "/" + "a" * 1024),
        ("rewrite-target", "/" + "a" * 1024),
        ("proxy-body-size", "999999999999999g"),
        ("session-cookie-path", "/" + "a" * 256),
        ("session-cookie-name", "a" * 65),
        ("canary-by-header-value", "a" * 257),
        ("canary-weight", "1" * 10),
        ("whitelist-source-range", ",".join(["10.0.0.0/8"] * 1001)),
    ],
)
def test_values_that_no_configuration_could_hold(name: str, value: str) -> None:
    with pytest.raises(annotations.BadAnnotation, match=name):
        annotations.parse({name: value})
