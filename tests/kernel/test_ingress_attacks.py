"""No field of an Ingress gets a directive into nginx or HAProxy; the other Ingresses are served."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ingressattacks import ATTACKS, Attack, beside
from ingressproxy import Proxy, World, ingress, wait

from testbed.errors import InputError
from testbed.ingress import annotations, paths, quoting

pytestmark = pytest.mark.kernel
_SPECIAL = "\"'\\{};#$%[]()|&<>*?~^ !,=:`/@"


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    if not shutil.which(request.param, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{request.param} is not on this machine")
    with Proxy(request.param) as found:
        yield found


@pytest.fixture
def world() -> Iterator[World]:
    found = World()
    yield found
    found.close()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_an_attack_is_refused_or_harmless(proxy: Proxy, world: World, attack: Attack) -> None:
    beside(attack, world)
    found = proxy.routing(world.state())
    said = [str(problem) for problem in found.problems]
    if not (attack.nginx and "haproxy" in proxy.controller.needs):
        assert bool(said) == bool(attack.message)
        assert all(one.startswith("Ingress default/attack: ") for one in said)
        assert not attack.message or any(attack.message in one for one in said)
    proxy.load(found)
    assert proxy.get("victim.test", "/x").service == "b"
    for path in ("/leak", "/leak/passwd", "/y", "/"):
        for host in ("attack.test", "victim.test", "other.test"):
            answer = proxy.get(host, path)
            assert b"pwned" not in answer.body
            assert answer.status in (200, 404), (host, path)
            assert answer.service in {"attack.test": ("a", None), "victim.test": ("b",)}.get(
                host, (None,)
            )


def test_the_largest_values_are_served(proxy: Proxy, world: World) -> None:
    """Each as large as it may be; one that the program refuses would take all others with it."""
    world.ingress_class("ours", "testbed/ingress", default=True)
    world.service("a", [80])
    host = ".".join(["h" * 63] * 3 + ["x" * 61])
    path = "/" + "';$" * 341
    sources = [f"10.{n // 256}.{n % 256}.0/24" for n in range(999)] + ["127.0.0.1"]
    large = {
        "whitelist-source-range": ",".join(sources),
        "app-root": "/" + "a" * 1023,
        "proxy-body-size": f"{1 << 20}g",
        "affinity": "cookie",
        "session-cookie-name": "c" * 64,
        "session-cookie-path": "/" + "p" * 255,
    }
    canary = {
        "canary": "true",
        "canary-by-header": "h" * 64,
        "canary-by-header-value": "v." * 128,
        "canary-by-cookie": "c." * 32,
        "canary-weight": "999999999",
        "canary-weight-total": "999999999",
    }
    secret = ".".join(["s" * 63] * 3 + ["t" * 61])
    world.secret(secret, [host, f"*.{host[64:]}"])
    tls = [(host, secret), (f"*.{host[64:]}", secret)]
    rules = [(host, path, "a"), (f"*.{host[64:]}", path, "a"), (host, "/" + "(a+)" * 255, "a")]
    world.add(
        ingress("one", *rules, annotations=large, tls=tls, kind="Exact"),
        ingress("two", *rules, annotations=canary, kind="Exact"),
        ingress("target", ("t.test", "/a", "a"), annotations={"rewrite-target": "/" + "$1" * 511}),
        ingress("regex", ("r.test", "/" + "(a+)" * 255, "a"), annotations={"use-regex": "true"}),
        ingress("victim", ("victim.test", "/", "a")),
    )
    found = proxy.apply(world.state())
    assert {problem.ingress[1] for problem in found.problems} <= {"regex", "target"}
    assert proxy.get("victim.test").service == "a"
    assert host in proxy.get(host, path, sni=host).names
    assert proxy.get(host, path, sni=host).service == "a"
    assert proxy.get(host, path, sni=host, source="127.0.0.2").status in (200, 403)


def test_a_path_of_odd_characters_is_served_as_it_is(proxy: Proxy, world: World) -> None:
    attack = next(one for one in ATTACKS if one.name == "path-with-semicolon-is-only-that")
    beside(attack, world)
    proxy.apply(world.state())
    path = attack.manifest["spec"]["rules"][0]["http"]["paths"][0]["path"]
    assert proxy.get("attack.test", f"{path}/below").service == "a"
    assert proxy.get("attack.test", "/x").status == 404


LETTERS = "/aZ09-._~" + _SPECIAL
WORDS = ("-f", "-i", "--", "default", "include", "hostnames", "never", "%[src]", "${HOME}", "$1")


def odd(choose: random.Random, start: str = "") -> str:
    """A text that a pattern may let through, of characters and words that mean something."""
    parts = [*LETTERS, *WORDS]
    return start + "".join(choose.choices(parts, k=choose.randint(1, 5)))


def odd_ingress(choose: random.Random, number: int) -> dict[str, Any]:
    """An Ingress with a few values that are all let through, however odd."""
    given: dict[str, str] = {}
    for name in choose.sample(sorted(annotations.KNOWN), 6):
        tried = [odd(choose, "/"), odd(choose), str(choose.randint(0, 10**6)), "true", "cookie"]
        tried += ["GRPC", "Lax", "10.0.0.0/8,::/0", "persistent"]
        for value in choose.sample(tried, len(tried)):
            with suppress(annotations.BadAnnotation):
                annotations.parse({name: value})
                given[name] = value
                break
    host = f"h{choose.randint(0, 40)}.test"
    rules = [(host, odd(choose, "/"), "a") for _ in range(3)] + [(host, "/", "a")]
    kind = choose.choice(["Exact", "Prefix", "ImplementationSpecific"])
    return ingress(f"i{number}", *rules, annotations=given, kind=kind)


def test_what_is_let_through_never_breaks_a_configuration(proxy: Proxy, world: World) -> None:
    choose = random.Random(8)  # noqa: S311 - of no secret
    world.ingress_class("ours", "testbed/ingress", default=True)
    world.service("a", [80])
    for number in range(600):
        with suppress(InputError):  # what Kubernetes refuses
            world.add(odd_ingress(choose, number))
    world.add(ingress("victim", ("victim.test", "/", "a")))
    found = proxy.apply(world.state())
    assert len(found.sites) > 30
    assert sum(len(site.routes) for site in found.sites.values()) > 200
    assert proxy.get("victim.test").service == "a"


PIECES = (
    "(?:",
    "(.*)",
    "[a-z]",
    "[^/]",
    "{2}",
    r"\d",
    r"\b",
    r"\.",
    "(a|b)",
    "[]",
    "[^]",
    "[a-",
    "??",
)


def test_nginx_knows_every_expression_that_is_let_through(tmp_path: Path) -> None:
    if not Path("/usr/sbin/nginx").exists():
        pytest.skip("nginx is not on this machine")
    choose = random.Random(9)  # noqa: S311 - of no secret
    pieces = [*"/aZ09-._~:`$()[]{}*+?|&=\\^", *PIECES]
    tried = ("/" + "".join(choose.choices(pieces, k=choose.randint(1, 9))) for _ in range(40_000))
    found = {one for one in tried if paths.expression(one) is None}
    assert len(found) > 1000
    rules = "\n".join(f"rewrite {quoting.nginx('(?i)' + one)} /x break;" for one in sorted(found))
    file = tmp_path / "nginx.conf"
    server = f"server {{ listen 127.0.0.1:1; location / {{ {rules} }} }}"
    file.write_text(f"pid {tmp_path}/pid; events {{}} http {{ access_log off; {server} }}")
    argv = ["/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", str(file)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]


def texts() -> list[str]:
    """Many texts of characters that mean something somewhere; the same each time."""
    choose = random.Random(6)  # noqa: S311 - of no secret
    letters = _SPECIAL * 3 + "abtnrxZ09éß"
    return ["".join(choose.choices(letters, k=choose.randint(0, 12))) for _ in range(400)]


def nginx_answers(folder: str, found: list[str]) -> str:
    """A configuration of nginx that answers with each text."""
    rules = (
        f"location = /{i} {{ return 200 {quoting.nginx('<' + text + '>')}; }}"
        for i, text in enumerate(found)
    )
    temporary = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{name}_temp_path {folder}/{name};\n" for name in temporary)
    return f"""user root; pid {folder}/pid; error_log stderr; daemon off; events {{}}
http {{ access_log off; {paths} server {{ listen unix:{folder}/socket;
{chr(10).join(rules)}
}} }}
"""


def haproxy_answers(folder: str, found: list[str]) -> str:
    """A configuration of HAProxy that answers with each text, of even numbers by a format."""
    rules = (
        f"http-request return status 200 content-type text/plain {kind}string "
        f"{quote('<' + text + '>')} if {{ path /{i} }}"
        for i, text in enumerate(found)
        for kind, quote in [[("lf-", quoting.haproxy_format), ("", quoting.haproxy)][i % 2]]
    )
    return f"""defaults
  mode http
  timeout client 60s
frontend f
  bind unix@{folder}/socket
{chr(10).join(rules)}
"""


@pytest.mark.parametrize("program", ["nginx", "haproxy"])
def test_what_is_quoted_is_given_back(program: str) -> None:
    """Written by the quoting functions, read by the real program, asked for by its number."""
    if not shutil.which(program, path="/usr/sbin:/usr/bin"):
        pytest.skip(f"{program} is not on this machine")
    # nginx has no escape for a dollar sign where variables are meant.
    found = [text.replace("$", "S") if program == "nginx" else text for text in texts()]
    with tempfile.TemporaryDirectory(prefix="quoting-") as folder:
        file = Path(folder, "configuration")
        made = nginx_answers if program == "nginx" else haproxy_answers
        file.write_text(made(folder, found))
        argv = [f"/usr/sbin/{program}"]
        argv += (
            ["-e", "stderr", "-c", str(file)] if program == "nginx" else ["-db", "-f", str(file)]
        )
        with subprocess.Popen(argv, stdin=subprocess.DEVNULL) as process:
            try:
                wait(lambda: process.poll() is not None or Path(folder, "socket").exists(), program)
                got = [ask(f"{folder}/socket", f"/{i}") for i in range(len(found))]
            finally:
                process.terminate()
    assert got == [f"<{text}>" for text in found]


def ask(path: str, what: str) -> str:
    """The body of an answer on a unix socket."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(path)
        connection.sendall(f"GET {what} HTTP/1.0\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return answer.partition(b"\r\n\r\n")[2].decode()


@pytest.mark.parametrize("quote", [quoting.nginx, quoting.haproxy, quoting.haproxy_format])
@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\t", "\x7f", "\x1b"])
def test_control_characters_cannot_be_quoted(quote: object, character: str) -> None:
    assert callable(quote)
    with pytest.raises(ValueError, match="control character"):
        quote(f"a{character}b")
