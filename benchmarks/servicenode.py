"""A namespace of ``benchmarks/services.py``: a node with one proxy, ours or kube-proxy.

The endpoints of two Services are in the namespace itself, so that a connection tells whether the
Service is there: of the last of all, and of the one that comes and goes.
"""

from __future__ import annotations

import errno
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from testbed import kubeconfig
from testbed.cluster.serviceview import Endpoint, ProxyView, ServicePortInfo, ServicePortName
from testbed.kernel import nftnetlink
from testbed.kernel.netns import NetNs
from testbed.kernel.nftmessages import encode
from testbed.lab.proxies import carry_out
from testbed.lab.standaloneapi import BORN, StandaloneApi
from testbed.proxy import kubeproxy
from testbed.proxy.contract import IptablesRestore, Nft, ProxyNode, Step
from testbed.proxy.contract import modes as proxy_modes
from testbed.proxy.program import NodeProgram

ADDRESSES, PORT = ("192.0.2.11", "192.0.2.12"), 8080
NEW = ServicePortName("default", "new", "", "TCP")
NEW_IP = "10.96.0.1"
PATIENCE = 600.0  # seconds for anything; kube-proxy needs a minute for 10,000 Services
TRY = 0.05  # seconds for a connection where nothing is yet; news of the kernel end it, too
_NETFILTER, _NFTABLES_NEWS = 12, 7


def view(services: int, endpoints: int) -> ProxyView:
    """Services with so many endpoints each; those of the last one answer."""
    infos, ends = {}, {}
    for i in range(services):
        name = ServicePortName("default", f"svc-{i}", "", "TCP")
        infos[name] = ServicePortInfo(_cluster_ip(i), 80, "TCP")
        first = i * endpoints
        ends[name] = tuple(
            Endpoint(f"10.244.{n // 250 % 250}.{n % 250 + 1}", 8080 + n // 62500, "n1")
            for n in range(first, first + endpoints)
        )
    ends[name] = _answering(endpoints)
    return ProxyView(infos, ends)


def last(services: int) -> str:
    """The cluster IP of the last of so many Services."""
    return _cluster_ip(services - 1)


def with_new(before: ProxyView, endpoints: int) -> ProxyView:
    """And one Service more, whose endpoints answer."""
    services = {**before.services, NEW: ServicePortInfo(NEW_IP, 80, "TCP")}
    return ProxyView(services, {**before.endpoints, NEW: _answering(endpoints)})


def _cluster_ip(number: int) -> str:
    return f"10.{100 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _answering(endpoints: int) -> tuple[Endpoint, ...]:
    """Endpoints of the namespace itself: further ones are other ports, and do not answer."""
    found = [Endpoint(ADDRESSES[i % 2], PORT + i // 2, "n1") for i in range(endpoints)]
    return tuple(sorted(found, key=str))


class Node:
    """A namespace with a server and no proxy."""

    def __init__(self) -> None:
        self.netns = NetNs.make("node/n1")
        words = [["link", "set", "lo", "up"], ["route", "add", "default", "dev", "lo"]]
        words = [["address", "add", f"{one}/32", "dev", "lo"] for one in ADDRESSES] + words
        with self.netns.entered():
            for some in words:
                subprocess.run(["ip", *some], check=True)
            self._server = socket.create_server(("0.0.0.0", PORT), backlog=1024)  # noqa: S104

    def connect(self, address: str, patience: float = 5.0, source: str = ADDRESSES[0]) -> float:
        """The seconds until a connection gets through."""
        with self.netns.entered():
            start = time.perf_counter()
            with socket.create_connection((address, 80), patience, (source, 0)):
                found = time.perf_counter() - start
            self._server.accept()[0].close()
        return found

    def latencies(self, address: str, count: int) -> list[float]:
        """The seconds of so many new connections, one after the other."""
        return [self.connect(address) for _ in range(count)]

    def close(self) -> None:
        """Ends the server and the namespace."""
        self._server.close()
        self.netns.close()


class Ours(Node):
    """A node with one of our modes.

    Args:
        mode: Its name.
    """

    def __init__(self, mode: str) -> None:
        super().__init__()
        found = proxy_modes.get(mode)
        self._node = ProxyNode("n1", ADDRESSES[:1], settings=found.settings)
        self.program = NodeProgram(found, self._node)

    def become(self, wanted: ProxyView, names: set[ServicePortName] | None) -> tuple[float, float]:
        """Programs a view; the seconds of the mode's own work, and of all."""
        with self.netns.entered():
            start = time.perf_counter()
            steps, after = self.program.update(wanted, names)
            worked = time.perf_counter()
            for step in steps:
                carry_out(self.netns, step)
            done = time.perf_counter()
        self.program = after
        return worked - start, done - start

    def bare(self, wanted: ProxyView, names: set[ServicePortName]) -> float:
        """The same change by the bare tool (iptables) or by the kernel alone (nftables)."""
        steps, self.program = self.program.update(wanted, names)
        return self.load(steps, lambda step: _kernel_alone(self.netns.name, step))

    def load(
        self, steps: Iterable[Step], way: Callable[[Step], Callable[[], object] | None]
    ) -> float:
        """The seconds that steps take in some way; a step that the way has nothing for is left out.

        Args:
            steps: The steps.
            way: Gets a step ready, and says what is to be measured.
        """
        ready = [found for step in steps if (found := way(step)) is not None]
        with self.netns.entered():
            start = time.perf_counter()
            for one in ready:
                one()
            return time.perf_counter() - start


def tool(step: Step) -> Callable[[], object] | None:
    """A step by the bare tool."""
    if isinstance(step, Nft):
        return _run(["nft", "-f", "-"], step.text)
    if isinstance(step, IptablesRestore):
        return _run(["iptables-restore", "--noflush"], step.text)
    return None


def _kernel_alone(name: str, step: Step) -> Callable[[], object] | None:
    if not isinstance(step, Nft):
        return tool(step)
    messages = encode(step.commands)
    data = nftnetlink.batch(messages)
    return lambda: nftnetlink.send(name, messages, data)


def _run(argv: list[str], text: str) -> Callable[[], object]:
    return partial(subprocess.run, argv, input=text.encode(), check=True)


class Real(Node):
    """A node with kube-proxy, and an API that it reads.

    Args:
        back_end: Of kube-proxy.
        program: kube-proxy.
    """

    def __init__(self, back_end: kubeproxy.BackEnd, program: Path) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        log, config, access = (Path(self._folder.name, n) for n in ("log", "config", "kubeconfig"))
        with self.netns.entered():
            listener = socket.create_server(("127.0.0.1", 0))
            self._news = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETFILTER)
        self._news.bind((0, 1 << _NFTABLES_NEWS - 1))
        self._news.setblocking(False)
        access.write_text(kubeconfig.text("n1", f"http://127.0.0.1:{listener.getsockname()[1]}"))
        settings = proxy_modes.get(back_end).settings
        node = ProxyNode("n1", ADDRESSES[:1], settings=settings)
        config.write_text(kubeproxy.configuration(node, back_end, str(access)))
        self._argv, self._log = [str(program), f"--config={config}"], log
        self._api = StandaloneApi(listener)
        self._process: subprocess.Popen[bytes] | None = None

    def serve(self, wanted: ProxyView) -> None:
        """Has the API serve a view."""
        self._api.put(
            "servicecidrs",
            [
                _object(
                    "networking.k8s.io/v1",
                    "ServiceCIDR",
                    "",
                    "kubernetes",
                    {"spec": {"cidrs": ["10.96.0.0/12"]}},
                )
            ],
        )
        addresses = [{"type": "InternalIP", "address": ADDRESSES[0]}]
        self._api.put(
            "nodes",
            [_object("v1", "Node", "", "n1", {"spec": {}, "status": {"addresses": addresses}})],
        )
        self._api.put("endpointslices", (_slice(n, e) for n, e in wanted.endpoints.items()))
        self._api.put("services", (_service(n, i) for n, i in wanted.services.items()))

    def start(self) -> None:
        """Starts kube-proxy."""
        with self._log.open("wb") as log, self.netns.entered():
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)

    def add(self, wanted: ProxyView) -> None:
        """Tells of the Service that comes."""
        self._api.put("endpointslices", [_slice(NEW, wanted.endpoints[NEW])])
        self._api.put("services", [_service(NEW, wanted.services[NEW])])

    def remove(self) -> None:
        """Tells that it has gone."""
        self._api.remove("services", [(NEW.namespace, NEW.name)])
        self._api.remove("endpointslices", [(NEW.namespace, NEW.name)])

    def until(self, address: str, there: bool = True) -> None:
        """Waits until connections get through, or do not any more."""
        end = time.monotonic() + PATIENCE
        while self._through(address) is not there:
            if time.monotonic() > end or (self._process and self._process.poll() is not None):
                raise SystemExit(self._log.read_text()[-4000:])
            select.select([self._news], [], [], TRY)
            self._drain()

    def _through(self, address: str) -> bool:
        """Whether a connection gets through.

        One that does not is tracked as one to that very address for two minutes, so nothing else
        may come from where these come from.
        """
        try:
            self.connect(address, TRY, ADDRESSES[1])
        except OSError:
            return False
        return True

    def _drain(self) -> None:
        """Reads the kernel's news; that there were more than it has room for is one, too."""
        while True:
            try:
                self._news.recv(1 << 16)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise

    def close(self) -> None:
        """Ends kube-proxy and the API, too."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._api.close()
        self._news.close()
        self._folder.cleanup()
        super().close()


@contextmanager
def made(node: Node) -> Iterator[Any]:
    """A node until it is left."""
    try:
        yield node
    finally:
        node.close()


def _object(
    version: str, kind: str, namespace: str, name: str, rest: dict[str, Any]
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": f"{kind}/{name}", "creationTimestamp": BORN}
    if namespace:
        metadata["namespace"] = namespace
    if labels := rest.pop("labels", None):
        metadata["labels"] = labels
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _service(name: ServicePortName, info: ServicePortInfo) -> dict[str, Any]:
    spec = {
        "type": "ClusterIP",
        "clusterIP": info.cluster_ip,
        "clusterIPs": [info.cluster_ip],
        "ipFamilies": ["IPv4"],
        "ports": [{"port": info.port, "protocol": info.protocol, "targetPort": PORT}],
    }
    return _object("v1", "Service", name.namespace, name.name, {"spec": spec})


def _slice(name: ServicePortName, endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    ends = tuple(endpoints)
    ready = {"ready": True, "serving": True, "terminating": False}
    rest = {
        "labels": {"kubernetes.io/service-name": name.name},
        "addressType": "IPv4",
        "ports": [{"name": "", "port": ends[0].port, "protocol": name.protocol}],
        "endpoints": [{"addresses": [e.ip], "conditions": ready, "nodeName": e.node} for e in ends],
    }
    return _object("discovery.k8s.io/v1", "EndpointSlice", name.namespace, name.name, rest)
