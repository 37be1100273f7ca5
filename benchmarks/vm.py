"""How does a guest get this machine's files fastest? Ways for `testbed vm`, in software emulation.

Each way boots the guest of `testbed vm` and mounts this machine's files in it once more, in one of
several manners; below that, programs run that read many small files. What is compared: 9p and
virtio-fs, their caches, a disk image of the Python packages, models of the processor and how many
there are::

    sudo .venv/bin/python benchmarks/vm.py --repeats 3

Columns are seconds: of the kernel until its first process; of `import pandas` for the first time
and again; of `testbed --help`, again; of `ls -lR` of pandas. Needs what `./run vm` installs, and
mke2fs for the image. It serves files from this machine's root without protection: for a quiet
machine of your own.
"""

from __future__ import annotations

import argparse
import os
import shlex
import socket
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed.vm import initramfs, kernels, plan, qemu

PACKAGES = sysconfig.get_paths()["purelib"]
LIMIT = 600.0
COLUMNS = ("kernel", "first", "again", "help", "list")
SCRIPT = """\
b={busybox}
mount() {{ "$b" mount -n "$@"; }}
now() {{ "$b" cut -d' ' -f1 /proc/uptime; }}
mount -t proc proc /proc
echo "kernel 0 $(now)"
cd /
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t tmpfs tmp /run
"$b" mkdir /run/way
cd /run/way
/sbin/modprobe -d {kernel} -a {modules}
mount {mount}
for one in proc dev; do mount --bind /$one {root}/$one || mount -t devtmpfs dev {root}/dev; done
{then}
exec "$b" chroot {root} {busybox} sh {measure}
"""
MEASURE = """\
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PYTHONDONTWRITEBYTECODE=1
now() {{ {busybox} cut -d' ' -f1 /proc/uptime; }}
measure() {{
    name=$1
    before=$(now)
    shift
    "$@" >/dev/null || echo failed
    echo "$name $before $(now)"
}}
cd {folder}
measure first {python} -c 'import pandas'
measure again {python} -c 'import pandas'
measure cold {python} -m testbed --help
measure help {python} -m testbed --help
measure list {busybox} ls -lR {packages}/pandas
echo end 0 0
exec {busybox} sleep 9999
"""


@dataclass(frozen=True)
class Way:
    """One way of running a guest."""

    name: str
    files: str = "virtiofs-always"
    cpu: str = "max"
    cpus: int = 2
    image: bool = False


WAYS = (
    Way("9p, no cache", "9p-none"),
    Way("9p, loose cache", "9p-loose"),
    Way("virtio-fs, cache=none", "virtiofs-none"),
    Way("virtio-fs, cache=auto", "virtiofs-auto"),
    Way("virtio-fs, cache=always"),
    Way("… and Python packages on a disk image", image=True),
    Way("… on one CPU", cpus=1),
    Way("… on CPU model Nehalem", cpu="Nehalem"),
)


@contextmanager
def shared(program: str, cache: str) -> Iterator[int]:
    """A connection to a virtiofsd that serves this machine's root."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind("")
        listener.listen(1)
        usage = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
        line = qemu.virtiofsd(program, usage.stdout + usage.stderr, listener.fileno())
        line = [word.replace("cache=always", f"cache={cache}") for word in line]
        with subprocess.Popen(line, pass_fds=[listener.fileno()]) as server:
            try:
                client.connect(listener.getsockname())
                yield client.fileno()
            finally:
                server.kill()


def script(way: Way, kernel: kernels.Kernel, busybox: str, folder: Path) -> str:
    """What the guest runs; returns its path."""
    kind, _, cache = way.files.partition("-")
    nine = f"-t 9p -o ro,version=9p2000.L,trans=virtio,cache={cache},msize=524288"
    mount = nine if kind == "9p" else "-t virtiofs -o ro"
    texts = {
        "measure": MEASURE.format(
            busybox=busybox, python=sys.executable, packages=PACKAGES, folder=Path.cwd()
        ),
        "script": SCRIPT.format(
            busybox=busybox,
            kernel=shlex.quote(str(kernel.root)),
            modules="9p 9pnet_virtio virtio_blk ext4",
            mount=f"{mount} WAY /run/way",
            root="/run/way",
            then=f"mount -t ext4 -o ro /dev/vda /run/way{PACKAGES}" if way.image else "",
            measure=folder / "measure",
        ),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return str(folder / "script")


def boot(way: Way, disk: str, folder: Path) -> dict[str, float]:
    """Seconds of each step."""
    kernel, busybox = kernels.choose(None, kernels.cache() / "kernels"), initramfs.busybox()
    program, _ = plan.virtiofsd()
    with ExitStack() as stack:
        memory = os.memfd_create("initramfs")
        stack.callback(os.close, memory)
        initramfs.write(kernel, busybox, memory)
        pairs = {name: socket.socketpair() for name in ("console", *qemu.PORTS)}
        files = {name: pair[1].fileno() for name, pair in pairs.items()}
        files["root"] = stack.enter_context(shared(program, "always"))
        append = qemu.kernel_options(
            qemu.TCG, busybox, ("sh", script(way, kernel, busybox, folder))
        )
        size = qemu.Size(4096, way.cpus)
        line = qemu.command(size, qemu.TCG, str(kernel.image), memory, files, append)
        line[line.index("-cpu") + 1] = way.cpu
        kind, _, cache = way.files.partition("-")
        if kind == "9p":
            options = "local,id=way,path=/,security_model=none,readonly=on,multidevs=remap"
            line += ["-fsdev", options, "-device", "virtio-9p-pci,fsdev=way,mount_tag=WAY"]
        else:
            files["way"] = stack.enter_context(shared(program, cache))
            line += ["-chardev", f"socket,id=way,fd={files['way']}"]
            line += ["-device", "vhost-user-fs-pci,chardev=way,tag=WAY"]
        if way.image:
            line += ["-drive", f"if=virtio,format=raw,readonly=on,file={disk}"]
        guest = stack.enter_context(
            subprocess.Popen(line, pass_fds=[memory, *files.values()], stdin=subprocess.DEVNULL)
        )
        stack.callback(guest.kill)
        return steps(pairs["console"][0])


def steps(console: socket.socket) -> dict[str, float]:
    """The steps that a guest tells of on its console."""
    console.settimeout(LIMIT)
    found: dict[str, float] = {}
    for line in console.makefile(errors="replace"):
        words = line.split()
        if words[:1] == ["end"]:
            return found
        if len(words) == 3 and words[0] in COLUMNS:
            found[words[0]] = float(words[2]) - float(words[1])
        elif "failed" in words or "panic" in line:
            break
    raise SystemExit(f"the guest failed: {line}")


def main() -> None:
    """Measures all ways in turns and prints their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {way.name: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        disk = f"{folder}/packages.img"
        options = ("-q", "-t", "ext4", "-O", "^has_journal", "-d", PACKAGES)
        began = time.monotonic()
        subprocess.run(["mke2fs", *options, disk, "3G"], check=True)
        print(f"The image took {time.monotonic() - began:.1f} s to make.\n")
        for _ in range(arguments.repeats):
            for way in WAYS:
                found[way.name].append(boot(way, disk, Path(folder)))
                print(way.name, found[way.name][-1], file=sys.stderr)
    print(f"| way | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
    for name, runs in found.items():
        medians = (statistics.median(run[column] for run in runs) for column in COLUMNS)
        print(f"| {name} | {' | '.join(f'{median:.1f}' for median in medians)} |")


if __name__ == "__main__":
    main()
