"""Which process an image stands for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from testbed.errors import InputError, Where
from testbed.images.catalogue import IMAGES, name_of, resolve


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("agnhost", "agnhost"),
        ("registry.k8s.io/e2e-test-images/agnhost:2.53", "agnhost"),
        ("localhost:5000/pause", "pause"),
        ("nginx:1.27-alpine@sha256:0123", "nginx"),
        ("docker.io/library/busybox@sha256:0123", "busybox"),
    ],
)
def test_registry_tag_and_digest_do_not_matter(image: str, name: str) -> None:
    assert name_of(image) == name


@pytest.mark.parametrize(
    ("image", "command", "args"),
    [
        ("pause", None, None),
        ("registry.k8s.io/pause:3.10", [], []),
        ("agnhost", None, None),
        ("agnhost", None, ["pause"]),
    ],
)
def test_what_only_pauses_needs_no_process(
    image: str, command: list[str] | None, args: list[str] | None
) -> None:
    assert resolve(image, command, args) is None


@pytest.mark.parametrize(
    ("image", "command", "args", "argv"),
    [
        ("iperf3", None, None, ["iperf3", "-s"]),
        ("iperf3", None, ["-c", "n1"], ["iperf3", "-c", "n1"]),
        ("iperf3", ["true"], None, ["true"]),
        ("iperf3", ["echo"], ["a", "b"], ["echo", "a", "b"]),
        ("pause", ["sleep"], ["9"], ["sleep", "9"]),
        ("nobody/knows:this", ["sleep", "9"], None, ["sleep", "9"]),
        ("debian:12", None, None, ["sh"]),
        ("alpine", None, ["echo", "a"], ["echo", "a"]),
    ],
)
def test_command_replaces_entrypoint_and_args_replace_cmd(
    image: str, command: list[str] | None, args: list[str] | None, argv: list[str]
) -> None:
    assert resolve(image, command, args) == argv


@pytest.mark.parametrize("command", [None, ["/agnhost"], ["agnhost"]])
def test_agnhost_is_our_own_also_by_its_path(command: list[str] | None) -> None:
    argv = resolve("agnhost:2.53", command, ["netexec", "--http-port=80"])
    assert argv is not None
    assert argv[-2:] == ["netexec", "--http-port=80"]
    assert Path(argv[-3], "__main__.py").is_file()


def test_an_unknown_image_lists_the_known_ones() -> None:
    where = Where("pod.yaml", line=7, field="spec.containers[0].image")
    with pytest.raises(InputError, match=r"^pod\.yaml:7: .*unknown image 'ngnix:1'") as caught:
        resolve("ngnix:1", None, ["x"], where)
    assert all(name in caught.value.hint for name in IMAGES)
    assert "Did you mean 'nginx'?" in caught.value.hint


def test_neither_image_nor_command() -> None:
    with pytest.raises(InputError, match="an image or a command"):
        resolve("", None, None)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--version"], "curl "),
        (["curl", "--version"], "curl "),
        (["echo", "hello"], "hello"),
        (["sh", "-c", "echo $0 $1", "a", "b c"], "a b c"),
    ],
)
def test_curl_takes_options_and_commands(args: list[str], said: str) -> None:
    argv = resolve("curlimages/curl:8", None, args)
    assert argv is not None
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode == 127:
        pytest.skip("curl is not installed")
    assert done.stdout.startswith(said)


@pytest.mark.parametrize(
    ("args", "said"), [(["echo", "-n", "a b"], "a b"), (["sh", "-c", "echo $0"], "sh\n")]
)
def test_busybox_runs_applets(args: list[str], said: str) -> None:
    argv = resolve("busybox:1.36", None, args)
    assert argv is not None
    assert subprocess.run(argv, capture_output=True, text=True, check=False).stdout == said
