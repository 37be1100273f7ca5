"""A real CoreDNS on the API's process, in a network namespace, with clusters as the data have them.

In the namespace there are only loopback addresses: the API at 127.0.0.1:6443, CoreDNS at
127.0.0.1:53 with the Corefile of a lab, and the lab's internet at 127.0.0.2:53.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from testbed.dns import internet
from testbed.dns.corefile import Corefile
from testbed.dns.internet import Record
from testbed.kernel import syscalls
from testbed.lab import dnsready
from testbed.lab.standaloneapi import BORN, StandaloneApi
from testbed.lab.status import uid

Json = dict[str, Any]
Result = TypeVar("Result")
Answer = tuple[str, frozenset[tuple[str, str, str]]]
"""The code, and name, type and data of each record."""

SERVER, UPSTREAM = "127.0.0.1", "127.0.0.2"
PATIENCE = 30.0


class DnsBox:
    """CoreDNS for one cluster; it ends with ``stack``.

    Args:
        stack: Takes what must be ended.
        program: CoreDNS.
        cluster: As in the data: zone, namespaces, services, pods, upstream.
        folder: For its files.
    """

    def __init__(
        self, stack: contextlib.ExitStack, program: Path, cluster: Json, folder: Path
    ) -> None:
        holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        stack.callback(holder.wait)
        stack.callback(holder.kill)
        self._net = Path(f"/proc/{holder.pid}/ns/net")
        own = Path("/proc/self/ns/net").stat().st_ino
        until(lambda: self._net.stat().st_ino != own, "a namespace")
        assert self.run("ip", "link", "set", "lo", "up").returncode == 0
        listener = self.inside(lambda: socket.create_server((SERVER, 6443)))
        api = stack.enter_context(StandaloneApi(listener))
        for plural, objects in objects_of(cluster).items():
            api.put(plural, objects)
        self._start(stack, program, folder / "internet", _internet(cluster, folder))
        corefile = Corefile(
            cluster["zone"], f"http://{SERVER}:6443", cluster.get("pods_mode", "insecure"), UPSTREAM
        )
        log = self._start(stack, program, folder / "coredns", corefile.text)
        until(lambda: self._ready() == 200, f"CoreDNS; see {log}")
        assert self.inside(lambda: dnsready.main(SERVER)) == 0  # it is ready before it listens

    def _start(self, stack: contextlib.ExitStack, program: Path, file: Path, corefile: str) -> Path:
        file.write_text(corefile)
        log = file.with_suffix(".log")
        with log.open("wb") as out:
            argv = [*self._enter, str(program), "-conf", str(file)]
            process = subprocess.Popen(argv, stdout=out, stderr=out)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return log

    @property
    def _enter(self) -> list[str]:
        return ["nsenter", f"--net={self._net}", "--"]

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._enter, *argv], capture_output=True, text=True, timeout=60, check=False
        )

    def popen(self, argv: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*self._enter, *argv], **options)

    def inside(self, work: Callable[[], Result]) -> Result:
        """What a function returns that a thread in the namespace calls."""
        found: list[Result] = []

        def enter() -> None:
            with self._net.open("rb") as namespace:
                syscalls.setns(namespace.fileno(), syscalls.CLONE_NEWNET)
            found.append(work())

        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return found[0]

    def _ready(self) -> int:
        def get() -> int:
            with contextlib.closing(http.client.HTTPConnection(SERVER, 8181, 5)) as client:
                try:
                    client.request("GET", "/ready")
                    return client.getresponse().status
                except OSError:
                    return 0

        return self.inside(get)

    def ask(self, name: str, kind: str, *, tcp: bool = False) -> Answer:
        """What CoreDNS answers by UDP or TCP."""
        query = dns.message.make_query(name, kind)
        send = dns.query.tcp if tcp else dns.query.udp
        answer = self.inside(lambda: send(query, SERVER, PATIENCE))
        assert not answer.flags & dns.flags.TC
        return dns.rcode.to_text(answer.rcode()), records(answer)

    def resolve(self, name: str, resolv_conf: Path) -> tuple[list[str], list[str]]:
        """The C library's resolver: addresses of a name, and the questions that it asked."""
        with self.inside(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300)) as tap:
            tap.bind(("lo", 0x0003))  # ETH_P_ALL
            found = self.run(
                *("unshare", "--mount", "sh", "-c"),
                'mount --bind "$1" "$(readlink -f /etc/resolv.conf)" && shift && exec "$@"',
                *("sh", str(resolv_conf), sys.executable, "-c", _RESOLVE, name),
            )
            assert found.returncode == 0, found.stderr
            return found.stdout.split(), list(_questions(tap))


_RESOLVE = """
import socket, sys
try:
    for found in socket.getaddrinfo(sys.argv[1], None, socket.AF_INET, socket.SOCK_STREAM):
        print(found[4][0])
except socket.gaierror as error:
    assert error.errno == socket.EAI_NONAME, error
"""


def _questions(tap: socket.socket) -> Iterator[str]:
    """The names in the queries that have gone to CoreDNS."""
    tap.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            frame, (_, _, direction, *_) = tap.recvfrom(65536)
            packet = frame[14:]
            to_server = packet[16:20] == socket.inet_aton(SERVER) and packet[9] == 17
            ports = int.from_bytes(packet[22:24], "big")
            if direction == socket.PACKET_OUTGOING and to_server and ports == 53:
                yield dns.message.from_wire(packet[28:]).question[0].name.to_text().lower()


def records(answer: dns.message.Message) -> frozenset[tuple[str, str, str]]:
    """Name, type and data of the records of an answer; of SRV port and target only."""
    found = set()
    for group in answer.answer:
        kind = dns.rdatatype.to_text(group.rdtype)
        for data in group:
            text = data.to_text().strip('"')
            if kind == "SRV":
                text = " ".join(text.split()[2:])
            found.add((group.name.to_text().lower(), kind, text.lower()))
    return frozenset(found)


def until(holds: Callable[[], bool], what: str) -> None:
    """Waits until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.02)


def _internet(cluster: Json, folder: Path) -> str:
    """The Corefile of what is outside, whose zone is written."""
    upstream: Mapping[str, Mapping[str, list[str]]] = cluster.get("upstream", {})
    found = (a for kinds in upstream.values() for addresses in kinds.values() for a in addresses)
    names = {a: name for name, kinds in upstream.items() for some in kinds.values() for a in some}
    zone = folder / "zone"
    zone.write_text(internet.zone(tuple(Record(names[address], address) for address in found)))
    return internet.corefile(UPSTREAM, str(zone))


def objects_of(cluster: Json) -> dict[str, list[Json]]:
    """The API objects of a cluster of the data."""
    slices = [item for service in cluster["services"] for item in _slices(service)]
    return {
        "namespaces": [_object("v1", "Namespace", "", name) for name in cluster["namespaces"]],
        "services": [_service(service) for service in cluster["services"]],
        "endpointslices": slices,
        "pods": [_pod(pod) for pod in cluster.get("pods", ())],
    }


def _object(version: str, kind: str, namespace: str, name: str, **rest: Any) -> Json:
    metadata = {"name": name, "uid": uid(kind, namespace, name, BORN)}
    metadata |= {"namespace": namespace} if namespace else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _service(service: Json) -> Json:
    spec = {"type": service.get("type", "ClusterIP"), "ports": service.get("ports", [])}
    if spec["type"] == "ExternalName":
        spec["externalName"] = service["externalName"]
    else:
        spec["clusterIPs"] = service["clusterIPs"] or ["None"]
        spec["clusterIP"] = spec["clusterIPs"][0]
    return _object("v1", "Service", service["namespace"], service["name"], spec=spec)


def _slices(service: Json) -> Iterator[Json]:
    """A slice for each address family, as the controller makes them."""
    for family, mark in (("IPv4", "."), ("IPv6", ":")):
        ends = [
            _endpoint(service, end) for end in service.get("endpoints", ()) if mark in end["ip"]
        ]
        if ends:
            item = _object(
                "discovery.k8s.io/v1", "EndpointSlice", service["namespace"],
                f"{service['name']}-{family.lower()}",
                addressType=family, ports=service["ports"], endpoints=ends,
            )  # fmt: skip
            item["metadata"]["labels"] = {"kubernetes.io/service-name": service["name"]}
            yield item


def _endpoint(service: Json, end: Json) -> Json:
    ready = end.get("ready", True) or service.get("publishNotReadyAddresses", False)
    hostname = {"hostname": end["hostname"]} if "hostname" in end else {}
    return {"addresses": [end["ip"]], "conditions": {"ready": ready}, **hostname}


def _pod(pod: Json) -> Json:
    status = {"phase": "Running", "podIP": pod["ip"], "podIPs": [{"ip": pod["ip"]}]}
    spec = {"containers": [{"name": "c", "image": "pause"}]}
    return _object("v1", "Pod", pod["namespace"], pod["name"], spec=spec, status=status)
