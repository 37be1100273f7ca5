"""Connections to three endpoints through each scheduler; run in the virtual machine as a program.

Its only argument is JSON: name of a scheduler → number of connections. For each of them it makes a
network namespace, has :mod:`testbed.kernel.ipvs` load what proxy mode ipvs makes of a Service with
three endpoints, which are addresses of that namespace, and connects. It prints as JSON how many
connections the kernel has counted at each endpoint, and what ``ipvsadm --save`` shows.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time

from testbed.cluster.categorize import categorize
from testbed.cluster.serviceview import Endpoint, ServicePortInfo, ServicePortName
from testbed.kernel.netns import NetNs
from testbed.lab.proxies import carry_out
from testbed.proxy.contract import ProxyNode, modes

ENDPOINTS = ("10.244.1.2", "10.244.1.3", "10.244.1.4")
VIP = "10.96.0.7"
NAME = ServicePortName("default", "web", "", "TCP")


def serve(link: socket.socket) -> None:
    """Accepts, and waits until the client has closed: so its end holds the port no longer."""
    while True:
        connection, _ = link.accept()
        with connection:
            connection.recv(1)


def ask(scheduler: str, count: int) -> dict[str, object]:
    """What came of connections by one scheduler."""
    netns = NetNs.make(scheduler)  # this thread is in it now
    own = [word for one in ENDPOINTS for word in ("address", "add", f"{one}/32", "dev", "lo")]
    batch = [own[i : i + 5] for i in range(0, len(own), 5)] + [["link", "set", "lo", "up"]]
    subprocess.run(
        ["ip", "-batch", "-"], input="\n".join(map(" ".join, batch)), text=True, check=True
    )
    mode = modes.get("ipvs")
    node = ProxyNode(
        "n1", ("192.168.0.11",), settings={**mode.settings, "ipvs_scheduler": scheduler}
    )
    info = ServicePortInfo(cluster_ip=VIP, port=80, protocol="TCP")
    chosen = categorize(info, [Endpoint(one, 8080, "n1") for one in ENDPOINTS], "n1")
    for step in mode.full(node, {NAME: mode.service(node, NAME, info, chosen)}):
        carry_out(netns, step)
    link = socket.create_server(("", 8080), backlog=512)
    threading.Thread(target=serve, args=(link,), daemon=True).start()
    for _ in range(count):
        with socket.create_connection((VIP, 80), timeout=30):
            pass
    return {"saved": shown("-Sn"), "connections": settled(count)}


def settled(count: int) -> list[int]:
    """Connections of each real server, when all are counted: the kernel adds up every 2 s."""
    end = time.monotonic() + 30
    while sum(found := counted(shown("-Ln", "--stats", "--exact"))) < count:
        if time.monotonic() > end:
            break
        time.sleep(0.5)
    return found


def shown(*options: str) -> str:
    """What ipvsadm prints."""
    return subprocess.run(["ipvsadm", *options], capture_output=True, text=True, check=True).stdout


def counted(text: str) -> list[int]:
    """Connections of each real server."""
    rows = (line.split() for line in text.splitlines())
    ends = [words for words in rows if words[0] == "->" and words[2:3] and words[2].isdigit()]
    found = {words[1].partition(":")[0]: int(words[2]) for words in ends}
    return [found[one] for one in ENDPOINTS]


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    print(json.dumps({name: ask(name, count) for name, count in asked.items()}))
    sys.stdout.flush()
    os._exit(0)  # the servers' threads wait for ever
