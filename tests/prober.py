"""Asks servers who they are and whom they see, from wherever it runs; run as a program by tests.

Its first argument is JSON, a list of probes ``{"protocol", "address", "port", "tries", "want"}``.
Of each it makes new connections, one after the other, until all names of ``want`` have answered or
``tries`` are done, and at most one that is not answered; ``copies`` makes several of one. The
servers are ``agnhost netexec``. A second argument is the seconds after which one is silent.

It prints JSON: for each probe its outcomes, ``["answered", host name, client address]``,
``["refused"]`` or ``["silent"]``.
"""

from __future__ import annotations

import http.client
import json
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

PATIENCE = 1.5  # seconds


def tcp(address: str, port: int) -> list[str]:
    link = http.client.HTTPConnection(address, port, timeout=PATIENCE)
    try:
        found = []
        for path in ("/hostname", "/clientip"):
            link.request("GET", path)
            found.append(link.getresponse().read().decode())
    finally:
        link.close()
    return ["answered", found[0], found[1].rpartition(":")[0]]


def udp(address: str, port: int, own: int = 0) -> list[str]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(PATIENCE)
        link.bind(("", own))
        link.connect((address, port))
        found = []
        for word in (b"hostname", b"clientip"):
            link.send(word)
            found.append(link.recv(2048).decode())
    return ["answered", found[0], found[1].rpartition(":")[0]]


def once(probe: dict[str, Any]) -> list[str]:
    address, port = probe["address"], probe["port"]
    try:
        if probe["protocol"] == "UDP":
            return udp(address, port, probe.get("source_port", 0))
        return tcp(address, port)
    except ConnectionError:
        return ["refused"]
    except TimeoutError:
        return ["silent"]


def run(probe: dict[str, Any]) -> list[list[str]]:
    outcomes: list[list[str]] = []
    missing = set(probe["want"])
    while len(outcomes) < probe["tries"]:
        outcomes.append(once(probe))
        missing -= set(outcomes[-1][1:2])
        if len(outcomes[-1]) == 1 or (probe["want"] and not missing):
            break
    return outcomes


if __name__ == "__main__":
    PATIENCE = float(sys.argv[2]) if len(sys.argv) > 2 else PATIENCE
    with ThreadPoolExecutor(16) as pool:
        probes = [p for p in json.loads(sys.argv[1]) for _ in range(p.get("copies", 1))]
        print(json.dumps(list(pool.map(run, probes))))
