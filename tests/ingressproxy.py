"""Real proxies as ingress controllers on loopback, with real backends that say who they are."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from testbed.ingress import tls
from testbed.ingress.contract import Setting, controllers, digest
from testbed.ingress.model import Routing, State
from testbed.ingress.routing import routing
from testbed.objects import EndpointSlice, Ingress, IngressClass, Secret, Service, from_manifest

SECONDS = 60
NOW = datetime.now(UTC)
Manifest = dict[str, Any]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Backend

    def _answer(self) -> None:
        size = int(self.headers.get("Content-Length", 0))
        self.rfile.read(size)
        said = {"service": self.server.service, "port": self.server.server_port, "path": self.path}
        body = json.dumps({**said, "headers": {k.lower(): v for k, v in self.headers.items()}})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Backend(ThreadingHTTPServer):
    """An endpoint of a Service."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, service: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is no error here."""


@dataclass
class World:
    """A cluster's objects, as far as a controller sees them, with real endpoints."""

    objects: list[Any] = field(default_factory=list)
    backends: dict[str, list[Backend]] = field(default_factory=dict)

    def add(self, *manifests: Manifest) -> None:
        """Objects, the oldest first."""
        self.objects += [from_manifest(manifest) for manifest in manifests]

    def service(self, name: str, ports: Iterable[int], endpoints: int = 1) -> None:
        """A Service whose ports all lead to the same endpoints; port N is named ``pN``."""
        numbers = sorted(set(ports))
        named = [{"name": f"p{n}", "port": n} for n in numbers]
        self.add(_object("v1", "Service", name, spec={"ports": named}))
        known = self.backends.setdefault(name, [])
        known += [Backend(name) for _ in range(endpoints - len(known))]
        for number, one in enumerate(known[:endpoints]):
            self.slice(name, number, one.server_port, [p["name"] for p in named])

    def slice(self, name: str, number: int, port: int, ports: list[str]) -> None:
        """An EndpointSlice of one endpoint, on loopback, where Kubernetes would not have one."""
        made = _object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            f"{name}-{number}",
            addressType="IPv4",
            endpoints=[{"addresses": ["192.0.2.1"]}],
            ports=[{"name": one, "port": port} for one in ports],
        )
        made["metadata"]["labels"] = {"kubernetes.io/service-name": name}
        found = from_manifest(made)
        assert isinstance(found, EndpointSlice)
        here = replace(found.endpoints[0], addresses=("127.0.0.1",))
        self.objects.append(replace(found, endpoints=(here,)))

    def services_of(self, manifests: Iterable[Manifest], replicas: Mapping[str, int]) -> None:
        """Every Service that these Ingresses name."""
        found: dict[str, set[int]] = {}
        for manifest in manifests:
            for service in _backends(manifest["spec"]):
                found.setdefault(service["name"], set()).add(service["port"]["number"])
        for name, ports in found.items():
            self.service(name, ports, replicas.get(name, 1))

    def secret(self, name: str, hosts: Iterable[str], **given: Any) -> None:
        """A Secret with a certificate for these hosts."""
        certificate, key = certified(tuple(hosts), **given)
        data = {"tls.crt": certificate, "tls.key": key}
        self.add(_object("v1", "Secret", name, type="kubernetes.io/tls", stringData=data))

    def ingress_class(self, name: str, controller: str, *, default: bool = False) -> None:
        """An IngressClass."""
        made = _object(_NETWORKING, "IngressClass", name, spec={"controller": controller})
        annotation = "ingressclass.kubernetes.io/is-default-class"
        made["metadata"]["annotations"] = {annotation: str(default).lower()}
        self.add(made)

    def state(self) -> State:
        """What a controller watches."""

        def of(kind: type[Any]) -> list[Any]:
            return [one for one in self.objects if isinstance(one, kind)]

        return State(
            tuple(of(Ingress)),
            tuple(of(IngressClass)),
            {one.metadata.key: one for one in of(Service)},
            tuple(of(EndpointSlice)),
            {one.metadata.key: one for one in of(Secret)},
        )

    def close(self) -> None:
        """Ends the backends."""
        for one in (one for some in self.backends.values() for one in some):
            one.shutdown()
            one.server_close()


_NETWORKING = "networking.k8s.io/v1"


def _object(version: str, kind: str, name: str, **fields: Any) -> Manifest:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


def _backends(spec: Manifest) -> Iterator[Manifest]:
    if "defaultBackend" in spec:
        yield spec["defaultBackend"]["service"]
    for rule in spec.get("rules", ()):
        yield from (path["backend"]["service"] for path in rule["http"]["paths"])


def ingress(
    name: str,
    *rules: tuple[str, str, str],
    annotations: Mapping[str, str] | None = None,
    tls: Iterable[tuple[str, str]] = (),
    kind: str = "Prefix",
    default: str = "",
    class_name: str | None = None,
) -> Manifest:
    """An Ingress: rules are host, path and Service (port 80); ``tls`` host and Secret."""
    made = _object(_NETWORKING, "Ingress", name, spec={})
    prefix = "nginx.ingress.kubernetes.io/"
    made["metadata"]["annotations"] = {prefix + k: v for k, v in (annotations or {}).items()}
    spec = made["spec"]
    spec["rules"] = [
        {
            **({"host": host} if host else {}),
            "http": {"paths": [{"path": path, "pathType": kind, "backend": _service(service)}]},
        }
        for host, path, service in rules
    ]
    spec["tls"] = [{"hosts": [host], "secretName": secret} for host, secret in tls]
    if default:
        spec["defaultBackend"] = _service(default)
    if class_name is not None:
        spec["ingressClassName"] = class_name
    return made


def _service(name: str) -> Manifest:
    return {"service": {"name": name, "port": {"number": 80}}}


@cache
def certified(
    hosts: tuple[str, ...], days: int = 30, begin: int = -1, common: str = "test"
) -> tuple[str, str]:
    """A certificate for hosts, valid until ``days`` from now, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + timedelta(days=min(begin, days - 1)))
    builder = builder.not_valid_after(NOW + timedelta(days=days))
    names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return made.public_bytes(serialization.Encoding.PEM).decode(), pem.decode()


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    names: tuple[str, ...] = ()  # of the certificate
    cookies: tuple[str, ...] = ()

    @property
    def said(self) -> Manifest:
        """What the backend said."""
        found: Manifest = json.loads(self.body)
        return found

    @property
    def service(self) -> str | None:
        """The Service that answered; None if it was the proxy itself."""
        return str(self.said["service"]) if self.status == 200 else None


class Proxy(AbstractContextManager["Proxy"]):
    """A controller's proxy, as a process of this test.

    Args:
        name: Of the controller.
        workers: As in :class:`Setting`.
    """

    def __init__(self, name: str, workers: int = 1) -> None:
        self.controller = controllers.get(name)
        self._folder = tempfile.TemporaryDirectory(prefix="ingress-")
        self.setting = Setting(self._folder.name, free(), free(), "127.0.0.1", workers, drain=20)
        self.own = tls.own(NOW)
        self._process: subprocess.Popen[bytes] | None = None

    def routing(self, state: State, **given: Any) -> Routing:
        """What this controller makes of objects."""
        mine = self.controller
        return routing(
            state, mine.controllers, mine.usual, NOW, understood=mine.annotations, **given
        )

    def write(self, found: Routing) -> str:
        """Writes the files; what they are known by."""
        for name, text in self.controller.files(found, self.own, self.setting).items():
            path = Path(self._folder.name, name)
            path.parent.mkdir(exist_ok=True, mode=0o700)
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
                file.write(text)
        return digest(found, self.own, self.setting)

    def check(self) -> None:
        """Tests the files."""
        argv = self.controller.test(self.setting)
        done = subprocess.run(argv, capture_output=True, text=True, env=_environment(), check=False)
        assert done.returncode == 0, done.stderr[-2000:]

    def load(self, found: Routing) -> None:
        """Starts or reloads, and waits until nothing of before is left."""
        expected = self.write(found)
        self.check()
        old = self._children()
        if self._process is None:
            argv = self.controller.start(self.setting)
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_environment()
            )
        else:
            self._process.send_signal(self.controller.reload)
        wait(lambda: self._status() == expected, "the new configuration")
        wait(lambda: not old & self._children(), "the end of the old workers")

    def apply(self, state: State, **given: Any) -> Routing:
        """Loads what comes of objects."""
        found = self.routing(state, **given)
        self.load(found)
        return found

    def _children(self) -> set[int]:
        if self._process is None:
            return set()
        pid = self._process.pid
        return set(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))

    def _status(self) -> str:
        assert self._process is not None
        assert self._process.poll() is None, "the proxy has ended"
        with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
            connection.settimeout(SECONDS)
            connection.connect(f"{self._folder.name}/status.sock")
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(4096), b""))
            return text.rpartition(b"\r\n")[2].decode()
        return ""

    def get(
        self,
        host: str,
        path: str = "/",
        *,
        sni: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        source: str = "127.0.0.1",
    ) -> Answer:
        """A request; over TLS if there is a name for SNI."""
        port = self.setting.http if sni is None else self.setting.https
        raw = socket.create_connection(("127.0.0.1", port), SECONDS, (source, 0))
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.sock = raw if sni is None else _trusting().wrap_socket(raw, server_hostname=sni)
        try:
            method = "GET" if body is None else "POST"
            with suppress(ConnectionError):  # it may answer, and close, before it has read the body
                connection.request(method, path, body, {"Host": host, **(headers or {})})
            answer = connection.getresponse()
            found = {key.lower(): value for key, value in answer.getheaders()}
            cookies = tuple(v for k, v in answer.getheaders() if k.lower() == "set-cookie")
            names = _names(connection.sock) if sni is not None else ()
            return Answer(answer.status, found, answer.read(), names, cookies)
        finally:
            connection.close()

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(SECONDS)
        self._folder.cleanup()


def _environment() -> dict[str, str]:
    return {**os.environ, "PATH": os.environ.get("PATH", os.defpath) + ":/usr/sbin"}


@cache
def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _names(connection: Any) -> tuple[str, ...]:
    leaf = x509.load_der_x509_certificate(connection.getpeercert(True))
    extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return tuple(extension.value.get_values_for_type(x509.DNSName))


def free() -> int:
    """A port of loopback that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def wait(holds: Callable[[], bool], what: str) -> None:
    """Asks until something holds."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, f"waited {SECONDS} s for {what}"
        time.sleep(0.01)
