"""The documentation: its links lead somewhere, and the commands in it exist with their options."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from testbed.cli import COMMANDS, root
from testbed.plan.contract import modes
from testbed.topology.settings import CLUSTER_KEYS, PARSERS

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "results/README")),
    ROOT / "benchmarks/README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_PUNCTUATION = set("|&;<>()")


def prose(text: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = _HEADING.findall(prose(page.read_text()))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def links(page: Path) -> list[str]:
    """The links of a page that do not leave the repository."""
    found = _LINK.findall(prose(page.read_text()))
    return [link for link in found if "://" not in link]


def target(page: Path, link: str) -> tuple[Path, str]:
    """The file that a link names, and the anchor in it."""
    path, _, anchor = link.partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


def broken(page: Path) -> list[str]:
    """The links that lead nowhere."""
    found = []
    for link in links(page):
        file, anchor = target(page, link)
        if not file.exists() or (anchor and anchor not in anchors(file)):
            found.append(link)
    return found


def written(text: str, program: str) -> Iterator[str]:
    """The commands of a program in a page: lines of code blocks, and code within sentences."""
    for block in _FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if line.removeprefix("$ ").startswith(program + " "):
                yield line.removeprefix("$ ")
    for span in _SPAN.findall(prose(text)):
        words = " ".join(span.split())
        if words.startswith(program + " "):
            yield words


def argv(line: str) -> list[str]:
    """The words of a command, up to a pipe and without a comment."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= _PUNCTUATION:
            break
        words.append(word)
    return words


def problem(line: str) -> str:
    """What is wrong with a command of testbed; empty if nothing is."""
    words = argv(line)[1:]
    while words[:1] == ["--lab"]:
        words = words[2:]
    if not words or words[0].startswith("-"):
        return "" if words in ([], ["--help"], ["--version"]) else f"{words[0]} is no option"
    if words[0] not in COMMANDS:
        return f"there is no command {words[0]}"
    command = root.get_command(click.Context(root), words[0])
    assert command is not None
    return _problem_of_options(words[0], command, words[1:])


def _problem_of_options(verb: str, command: click.Command, words: list[str]) -> str:
    known = {name: p for p in command.params if isinstance(p, click.Option) for name in p.opts}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=")
        if word == "--":
            break
        if not word.startswith("-") or word in ("-", "-h", "--help"):
            continue
        if name not in known:
            return f"{verb} has no option {name}"
        option = known[name]
        if not option.is_flag and not equals:
            value = next(rest, "")
            if not value:
                return f"{name} lacks its value"
        if isinstance(option.type, click.Choice) and value not in option.type.choices:
            return f"{name} cannot be {value}"
        key = value.partition("=")[0].rpartition(".")[2]  # that of one link is LINK.KEY
        if name == "--set" and key != "KEY" and key not in settings():
            return f"there is no setting {value}"
    return ""


def settings() -> set[str]:
    """All keys of ``--set``."""
    own = {key for name in modes.names() for key in modes.get(name).settings}
    return {*CLUSTER_KEYS, *PARSERS, *own}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_links_lead_somewhere(page: Path) -> None:
    assert not broken(page)


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set[Path](), [PAGES[0]]
    while todo:
        page = todo.pop()
        if page not in reached:
            reached.add(page)
            todo += [t for t, _ in (target(page, k) for k in links(page)) if t.suffix == ".md"]
    assert set(PAGES) <= reached


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_commands_exist_with_their_options(page: Path) -> None:
    wrong = {line: problem(line) for line in written(page.read_text(), "testbed")}
    assert not {line: what for line, what in wrong.items() if what}


def test_every_command_is_in_the_documentation() -> None:
    lines = [line for page in PAGES for line in written(page.read_text(), "testbed")]
    named = {word for line in lines for word in argv(line)[1:4]}
    assert set(COMMANDS) <= named


def test_what_is_to_be_made_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for page in PAGES for line in written(page.read_text(), "make")]
    assert lines
    assert {word for line in lines for word in argv(line)[1:]} <= targets


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("testbed frobnicate", "there is no command frobnicate"),
        ("testbed up --frob", "up has no option --frob"),
        ("testbed --lab two up -f a.yaml --cni bgp --nope x", "up has no option --nope"),
        ("testbed up --cni", "--cni lacks its value"),
        ("testbed plan -o json", "-o cannot be json"),
        ("testbed up --set frob=1", "there is no setting frob=1"),
        ("testbed exec -n shop web -- ls --frob  # a comment", ""),
        ("testbed plan -o shell | grep --frob 'it is'", ""),
    ],
)
def test_a_wrong_command_is_found(line: str, what: str) -> None:
    assert problem(line) == what


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "a.md"
    page.write_text("# One, two\n[x](#one-two) [y](#three) [z](b.md) [w](https://example.org)\n")
    assert broken(page) == ["#three", "b.md"]
