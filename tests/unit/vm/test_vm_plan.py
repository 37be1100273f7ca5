"""What a guest shall be, and the command lines that make it so."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from testbed.errors import InputError, MissingError
from testbed.vm import accel, init, kernels, plan, qemu, rerun, run
from testbed.vm.kernels import Kernel
from testbed.vm.machine import last_words

FULL = ("ip_vs", "sch_netem", "openvswitch", "ipip", "wireguard", "dummy")
BUILTIN = "kernel/net/sctp/sctp.ko\n"


def image(version: str) -> bytes:
    """The head of a bzImage."""
    head = bytearray(0x4000)
    head[0x202:0x206] = b"HdrS"
    head[0x20E:0x210] = (0x3000).to_bytes(2, "little")
    text = f"{version} (somebody@somewhere) #1 SMP".encode()
    head[0x3200 : 0x3200 + len(text)] = text
    return bytes(head)


def make(root: Path, version: str, modules: tuple[str, ...] = FULL, builtin: str = BUILTIN) -> Path:
    """A kernel below a root, as a distribution's packages have it."""
    folder = root / "lib/modules" / version
    folder.mkdir(parents=True)
    lines = [f"kernel/net/{name.replace('_', '-')}.ko.xz: kernel/net/x.ko.xz\n" for name in modules]
    (folder / "modules.dep").write_text("".join(lines))
    (folder / "modules.builtin").write_text(builtin)
    (root / "boot").mkdir(exist_ok=True)
    (root / f"boot/vmlinuz-{version}").write_bytes(image(version))
    return root


def test_the_newest_full_kernel_of_the_cache_is_chosen(tmp_path: Path) -> None:
    cached, host = tmp_path / "cache", tmp_path / "host"
    for version in ("6.1.0-9-amd64", "6.1.0-56-amd64"):
        make(cached / version, version)
    make(cached / "7.0", "7.0", modules=("dummy",))
    make(host, "6.12.1")
    chosen = kernels.choose(None, cached, host)
    assert chosen.version == "6.1.0-56-amd64"
    assert chosen.root == cached / "6.1.0-56-amd64"
    assert chosen.image == cached / "6.1.0-56-amd64/boot/vmlinuz-6.1.0-56-amd64"


def test_the_machines_own_kernel_is_chosen_where_the_cache_has_none(tmp_path: Path) -> None:
    host = make(tmp_path / "host", "6.8.0-40-generic")
    make(host, "6.8.0-41-generic", modules=FULL[1:])
    assert kernels.choose(None, tmp_path / "none", host).version == "6.8.0-40-generic"


def test_without_a_full_kernel_it_is_said_how_to_get_one(tmp_path: Path) -> None:
    host = make(tmp_path, "6.8", builtin="")
    with pytest.raises(MissingError, match="tools/kernel") as caught:
        kernels.choose(None, tmp_path / "none", host)
    assert caught.value.exit_code == 3


def test_a_version_is_found_in_either_place(tmp_path: Path) -> None:
    cached, host = tmp_path / "cache", make(tmp_path / "host", "6.8", modules=())
    make(cached / "6.1", "6.1")
    assert kernels.choose("6.8", cached, host).root == host
    assert kernels.choose("6.1", cached, host).root == cached / "6.1"
    with pytest.raises(MissingError, match=r"no kernel 5\.4; known: 6\.1, 6\.8"):
        kernels.choose("5.4", cached, host)


def test_an_image_brings_its_version_and_finds_its_modules(tmp_path: Path) -> None:
    cached, host = tmp_path / "cache", tmp_path / "host"
    make(cached / "6.1", "6.1")
    build = make(tmp_path / "build", "6.9-rc1")
    lone = tmp_path / "bzImage"
    lone.write_bytes(image("6.1"))
    around = kernels.choose(str(build / "boot/vmlinuz-6.9-rc1"), cached, host)
    assert (around.version, around.root) == ("6.9-rc1", build)
    assert kernels.choose(str(lone), cached, host) == Kernel("6.1", lone, cached / "6.1")
    lone.write_bytes(image("9.9"))
    assert kernels.choose(str(lone), cached, host).root is None


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", bytes(70000), image("")[:0x3000]])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(InputError, match="is no bzImage"):
        kernels.choose(str(file), tmp_path, tmp_path)


def test_an_image_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        kernels.choose(str(tmp_path / "none"), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("text", "size"), [("4G", 4096), ("512M", 512), ("1g", 1024), ("2GiB", 2048), ("700MB", 700)]
)
def test_sizes_of_memory(text: str, size: int) -> None:
    assert qemu.mebibytes(text) == size


@pytest.mark.parametrize("text", ["", "4", "4T", "-4G", "4.5G", "511M", "0G", "4G,x=y", "4G\n"])
def test_what_is_no_size_of_memory_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--memory"):
        qemu.mebibytes(text)


@pytest.mark.parametrize("text", ["0", "256", "x", "-1", "1.5", "2,sockets=2", "٣"])
def test_what_is_no_number_of_cpus_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--cpus"):
        plan.cpus(text)


def test_as_many_cpus_as_we_may_use_or_as_said() -> None:
    assert plan.cpus(None) == len(os.sched_getaffinity(0))
    assert plan.cpus("3") == 3


FILES = {"root": 11, "console": 12} | {name: 20 + n for n, name in enumerate(qemu.PORTS)}


@pytest.mark.parametrize(
    ("accelerator", "words"),
    [
        (qemu.KVM, ["-accel", "kvm", "-cpu", "host"]),
        (qemu.TCG, ["-accel", "tcg,thread=multi", "-cpu", "max"]),
    ],
)
def test_the_command_of_qemu(accelerator: str, words: list[str]) -> None:
    line = qemu.command(qemu.Size(2048, 3), accelerator, "/a b,c", 9, FILES, "x y")
    start = line.index("-accel")
    assert line[start : start + 4] == words
    pairs = set(pairwise(line))
    assert {("-m", "2048M"), ("-smp", "3"), ("-kernel", "/a b,c"), ("-append", "x y")} <= pairs
    assert ("-initrd", "/proc/self/fd/9") in pairs
    for name, descriptor in FILES.items():
        assert ("-chardev", f"socket,id={name},fd={descriptor}") in pairs
    assert "-nodefaults" in line  # no network interface, no disk
    assert not [word for word in line if "netdev" in word or "drive" in word]


def test_qemu_takes_the_command() -> None:
    """Every option, by the real one, which ends for lack of the kernel."""
    line = qemu.command(qemu.Size(512, 1), qemu.TCG, "/nowhere/kernel", 9, FILES, "x")
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    except FileNotFoundError:
        pytest.skip("there is no QEMU")
    assert "fd" in done.stderr or "kernel" in done.stderr
    assert not [word for word in ("invalid option", "Property", "unknown") if word in done.stderr]


def test_the_kernels_options_end_with_its_init() -> None:
    options = qemu.kernel_options(qemu.TCG, "/bin/busybox", ("sh", "/run/init"))
    assert options.endswith(" init=/bin/busybox -- sh /run/init")
    assert "mitigations=off" in options
    assert "mitigations" not in qemu.kernel_options(qemu.KVM, "/bin/busybox", ())


def test_virtiofsd_in_c_and_in_rust_have_other_options() -> None:
    c = qemu.virtiofsd("/v", "  -o cache=<mode>   cache mode", 5)
    rust = qemu.virtiofsd("/v", "      --shared-dir <SHARED_DIR>", 5)
    assert c[:5] == ["/v", "--fd=5", "-f", "-o", "source=/"]
    assert {"cache=always", "sandbox=chroot"} <= set(c)
    assert rust == ["/v", "--fd=5", "--shared-dir=/", "--cache=always", "--sandbox=chroot"]


PROGRAMS = init.Programs("/bin/busybox", "/a b/python", "/it's/guest.py")
ODD = '/tmp/it\'s $(odd) "really"\n;'


def test_the_guests_script_is_one_and_quotes_what_it_is_given(tmp_path: Path) -> None:
    kernel = Kernel("6.1", tmp_path / "k", tmp_path / "a b")
    text = init.script(PROGRAMS, kernel, (ODD, "/home/x"), "it's")
    done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    loop = f"for folder in {shlex.quote(ODD)} /home/x; do\n"
    assert loop in text
    assert text.endswith("exec '/a b/python' -I -S -B '/it'\"'\"'s/guest.py'\n")
    assert f"ln -s '{tmp_path}/a b/lib/modules/6.1' lib/modules/6.1" in text


def test_a_kernel_without_modules_needs_no_folder_of_them(tmp_path: Path) -> None:
    text = init.script(PROGRAMS, Kernel("6.1", tmp_path, None), (), "x")
    assert "lib/modules" not in text


def test_folders_are_real_and_the_outermost_ones(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "c")
    given = [tmp_path / "a/b", tmp_path / "a", tmp_path / "link", tmp_path / "a/../c"]
    assert plan.outermost(given) == (str(tmp_path / "a"), str(tmp_path / "c"))


def test_the_whole_machine_and_the_kernels_own_are_never_writable(tmp_path: Path) -> None:
    own = [Path("/"), Path("/proc"), Path("/proc/self"), Path("/sys"), Path("/dev")]
    assert plan.outermost([*own, tmp_path]) == (str(tmp_path),)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--writable: there is no folder"):
        plan.outermost([tmp_path / "none"])


def test_what_came_of_kvm_is_kept_for_this_boot_and_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(accel, "_DEVICE", str(device))
    assert accel.Memory(tmp_path / "c", "6.1").boots() is None
    accel.Memory(tmp_path / "c", "6.1").remember(False)
    accel.Memory(tmp_path / "c", "6.8").remember(True)
    assert accel.Memory(tmp_path / "c", "6.1").boots() is False
    assert accel.Memory(tmp_path / "c", "6.8").boots() is True
    boot = tmp_path / "boot_id"
    boot.write_text("another\n")
    monkeypatch.setattr(accel, "_BOOT", boot)
    assert accel.Memory(tmp_path / "c", "6.8").boots() is None
    accel.Memory(tmp_path / "c", "6.9").remember(True)
    assert list(json.loads((tmp_path / "c/kvm.json").read_text())) == ["another 6.9"]


def test_without_the_device_kvm_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accel, "_DEVICE", str(tmp_path / "none"))
    assert accel.Memory(tmp_path, "6.1").boots() is False


@pytest.mark.parametrize("content", ["", "[]", "{", '{"x": 1}'])
def test_a_broken_memory_is_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "kvm.json").write_text(content)
    memory = accel.Memory(tmp_path, "6.1")
    memory.remember(True)
    assert "6.1" in (tmp_path / "kvm.json").read_text()


def test_the_command_in_the_guest_is_the_same_without_vm() -> None:
    given = ["--lab", "x", "bench", "--vm", "--out", "a b", "--", "--vm"]
    assert rerun.command(given)[-6:] == ["x", "bench", "--out", "a b", "--", "--vm"]
    assert rerun.command(given)[0] == sys.executable


def test_no_virtual_machine_within_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(run.INSIDE, "1")
    with pytest.raises(InputError, match="this is the virtual machine already"):
        rerun.rerun(["doctor", "--vm"])


def test_a_panic_is_told_without_its_registers() -> None:
    console = (
        b"[1] one\r\nmount: no such device\r\n[2] Kernel panic - not syncing: x\r\n[2] RIP 0\n"
    )
    said = last_words(console, b"\nqemu: no room\n")
    assert said == [
        "[1] one",
        "mount: no such device",
        "[2] Kernel panic - not syncing: x",
        "qemu: no room",
    ]
