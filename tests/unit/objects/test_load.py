"""Loading from files, folders and standard input."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from testbed.errors import InputError
from testbed.objects import Deployment, Pod, load, parse
from testbed.objects.files import MAX_BYTES


def pod(name: str, namespace: str = "default") -> str:
    return f"""\
apiVersion: v1
kind: Pod
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{containers: [{{name: c, image: nginx}}]}}
"""


def names(paths: list[Path]) -> list[str]:
    return [one.metadata.name for one in load([str(path) for path in paths])]


def message(path: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        load([str(path)])
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    for file in ("b.yaml", "a.yml", "sub/c.json", "sub/notes.txt", "d.yaml~"):
        (tmp_path / file).write_text(pod(Path(file).name[0]))
    return tmp_path


def test_folder_is_read_with_all_its_folders_in_order_of_names(folder: Path) -> None:
    assert names([folder]) == ["a", "b", "c"]


def test_order_of_paths(folder: Path) -> None:
    assert names([folder / "sub/c.json", folder / "a.yml"]) == ["c", "a"]


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [one.source.file for one in load(["-"], lambda: pod("a"))] == ["-"]
    monkeypatch.setattr(sys.stdin, "read", lambda: pod("b"))
    assert load(["-"])[0].metadata.name == "b"


def test_standard_input_that_is_not_text() -> None:
    with pytest.raises(InputError, match=r"^-: not UTF-8 text$"):
        load(["-"], b"\xff".decode)


def test_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + pod("a").encode())
    assert names([tmp_path / "a.yaml"]) == ["a"]


def test_sources_count_documents_from_one_and_lines_from_the_top() -> None:
    found = parse(f"# two\n---\n{pod('a')}---\n---\n{pod('b')}", "f.yaml")
    assert [str(one.source) for one in found] == ["f.yaml:3 (document 1)", "f.yaml:9 (document 3)"]


def test_a_single_document_has_no_number() -> None:
    assert str(parse(f"---\n{pod('a')}---\n", "f.yaml")[0].source) == "f.yaml:2"


def test_list() -> None:
    items = "".join(f"- {pod(name).replace(chr(10), chr(10) + '  ').rstrip()}\n" for name in "ab")
    text = f"apiVersion: v1\nkind: List\nmetadata: {{resourceVersion: ''}}\nitems:\n{items}"
    found = parse(text, "f.yaml")
    assert [(one.metadata.name, one.source.line) for one in found] == [("a", 5), ("b", 9)]


def test_items_of_a_typed_list_may_leave_their_kind_out() -> None:
    text = """\
apiVersion: apps/v1
kind: DeploymentList
items:
- metadata: {name: a}
  spec:
    selector: {matchLabels: {a: b}}
    template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}
"""
    (found,) = parse(text, "f.yaml")
    assert isinstance(found, Deployment)
    assert (found.manifest["apiVersion"], found.manifest["kind"]) == ("apps/v1", "Deployment")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n---\n", "apiVersion: v1\nkind: List\nitems: []\n"]
)
def test_nothing_in_a_file(tmp_path: Path, text: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    assert message(file) == f"{file}: holds no Kubernetes object"


def test_nothing_in_a_folder(tmp_path: Path) -> None:
    expected = "no manifest in this folder\n  Manifests are files that end in .yaml, .yml, .json."
    assert message(tmp_path) == f"{tmp_path}: {expected}"


def test_missing_file() -> None:
    assert message("no/such.yaml") == "no/such.yaml: no such file or folder"


def test_path_that_is_none() -> None:
    assert message("a\0b").startswith("a\0b: cannot be read: ")


def test_not_utf8(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"a: b\nc: \xff\n")
    assert message(file) == f"{file}:2: not UTF-8 text"


def test_large_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"- [a, b]\n" * (10 * (1 << 20) // 9))
    assert message(file).startswith(f"{file}: a manifest may have at most 4 MiB")


def test_endless_file_is_refused() -> None:
    assert message("/dev/zero").startswith("/dev/zero: a manifest may have at most 4 MiB")
    assert MAX_BYTES == 4 << 20


def test_pipe(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.write(write, pod("a").encode())
    os.close(write)
    assert names([Path(f"/dev/fd/{read}")]) == ["a"]
    os.close(read)


def test_duplicates_name_both_places(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(pod("w") + "---\n" + pod("z"))
    (tmp_path / "b.yaml").write_text("\n" + pod("z"))
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    expected = f'{b}:2: Pod "z" in namespace default is already defined at {a}:6 (document 2)'
    assert message(tmp_path) == expected


def test_same_name_in_another_namespace_or_kind_is_no_duplicate(tmp_path: Path) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"
    (tmp_path / "a.yaml").write_text("---\n".join([pod("x"), pod("x", "other"), namespace]))
    assert names([tmp_path]) == ["x", "x", "x"]


def test_a_thousand_pods() -> None:
    found = parse("---\n".join(pod(f"pod-{n}") for n in range(1000)), "f.yaml")
    assert len(found) == 1000
    assert all(isinstance(one, Pod) for one in found)
