"""The image ``nginx``, in namespaces of its own with the host's file systems read-only."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

import pytest

from testbed.images.catalogue import resolve

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(not shutil.which("nginx", path="/usr/sbin:/usr/bin"), reason="needs nginx"),
    pytest.mark.skipif(not shutil.which("curl"), reason="needs curl"),
]

SANDBOX = """
set -e
mount -o remount,bind,ro /
mount -t tmpfs tmpfs /run
hostname web-1
ip link set lo up
{nginx} &
for _ in $(seq 100); do
    curl -fs http://127.0.0.1/some/page && break
    sleep 0.05
done
kill $!
wait
ls /run
"""


@pytest.mark.parametrize("args", [None, ["-g", "daemon off;"]])
def test_nginx_serves_a_page_with_the_host_name(args: list[str] | None) -> None:
    argv = resolve("nginx:1.27", None, None)
    assert argv is not None
    script = SANDBOX.format(nginx=shlex.join([*argv, *(args or ())]))
    sandbox = ["unshare", "--net", "--mount", "--pid", "--uts", "--fork", "--kill-child"]
    done = subprocess.run(
        [*sandbox, "--mount-proc", "sh", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Welcome to nginx!" in done.stdout, done.stderr
    assert "This is web-1." in done.stdout
    assert '"GET /some/page HTTP/1.1" 200' in done.stdout
    assert any(line.startswith("nginx-") for line in done.stdout.splitlines())
