"""Probes of containers: what is asked, how often, and how many answers count.

Rules and words as in ``pkg/apis/core/validation/validation.go`` (``validateProbe``,
``validateHandler``); the defaults are in :mod:`testbed.objects.poddefaults`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.objects import names
from testbed.objects.source import Findings, Manifest, Path

PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_SECONDS_AND_COUNTS = (
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
)
_SCHEMES = ("HTTP", "HTTPS")


@dataclass(frozen=True, slots=True)
class HttpGet:
    """A request that must be answered with a code from 200 to 399.

    Attributes:
        port: A number, or the name of a port of the container.
        path: From the root.
        host: Where to; empty for the pod's address.
        scheme: ``HTTP`` or ``HTTPS``.
        headers: Names and values, in their order.
    """

    port: int | str
    path: str
    host: str
    scheme: str
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TcpSocket:
    """A connection that must be accepted.

    Attributes:
        port: A number, or the name of a port of the container.
        host: Where to; empty for the pod's address.
    """

    port: int | str
    host: str


@dataclass(frozen=True, slots=True)
class Exec:
    """A command in the container that must exit with 0.

    Attributes:
        command: Its words; no shell.
    """

    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grpc:
    """A call of gRPC's health service (``grpc.health.v1.Health/Check``) that says SERVING.

    Attributes:
        port: A number, at the pod's address.
        service: Whose health is asked for; empty for that of the server.
    """

    port: int
    service: str


Handler = HttpGet | TcpSocket | Exec | Grpc
"""What a probe asks."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe.

    Attributes:
        handler: What is asked.
        initial_delay_seconds: From the container's start to the first question.
        period_seconds: From one question to the next.
        timeout_seconds: For an answer.
        success_threshold: Good answers in a row that make it good.
        failure_threshold: Bad answers in a row that make it bad.
        termination_grace_period_seconds: For a container that is ended because of it; None for the
            pod's own.
    """

    handler: Handler
    initial_delay_seconds: int
    period_seconds: int
    timeout_seconds: int
    success_threshold: int
    failure_threshold: int
    termination_grace_period_seconds: int | None = None

    @classmethod
    def decode(cls, manifest: Mapping[str, Any] | None) -> Probe | None:
        """The probe of a valid container with its defaults; None for none."""
        if manifest is None:
            return None
        return cls(
            _handler(manifest),
            manifest.get("initialDelaySeconds", 0),
            manifest["periodSeconds"],
            manifest["timeoutSeconds"],
            manifest["successThreshold"],
            manifest["failureThreshold"],
            manifest.get("terminationGracePeriodSeconds"),
        )


def _handler(manifest: Mapping[str, Any]) -> Handler:
    if "exec" in manifest:
        return Exec(tuple(manifest["exec"]["command"]))
    if "httpGet" in manifest:
        get = manifest["httpGet"]
        headers = tuple((header["name"], header["value"]) for header in get.get("httpHeaders", ()))
        return HttpGet(get["port"], get["path"], get.get("host", ""), get["scheme"], headers)
    if "grpc" in manifest:
        return Grpc(manifest["grpc"]["port"], manifest["grpc"]["service"])
    return TcpSocket(manifest["tcpSocket"]["port"], manifest["tcpSocket"].get("host", ""))


def validate_probes(container: Manifest, path: Path, findings: Findings) -> None:
    """Adds what is wrong with the probes of a container."""
    for kind in PROBES:
        if kind in container:
            _validate_probe(container[kind], kind, (*path, kind), findings)


def _validate_probe(probe: Manifest, kind: str, path: Path, findings: Findings) -> None:
    handlers = [name for name in _HANDLERS if name in probe]
    if not handlers:
        findings.required(path, "must specify a handler type")
    for name in handlers[1:]:
        findings.forbidden((*path, name), "may not specify more than 1 handler type")
    for name in handlers[:1]:
        _validate_handler(probe[name], name, (*path, name), findings)
    for name in _SECONDS_AND_COUNTS:
        if probe.get(name, 0) < 0:
            rule = "must be greater than or equal to 0"
            findings.invalid((*path, name), probe[name], rule)
    if kind != "readinessProbe" and probe["successThreshold"] != 1:
        findings.invalid((*path, "successThreshold"), probe["successThreshold"], "must be 1")
    if (seconds := probe.get("terminationGracePeriodSeconds")) is not None:
        place = (*path, "terminationGracePeriodSeconds")
        if seconds <= 0:
            findings.invalid(place, seconds, "must be greater than 0")
        if kind == "readinessProbe":
            findings.invalid(place, seconds, "must not be set for readinessProbes")


def _validate_handler(handler: Manifest, kind: str, path: Path, findings: Findings) -> None:
    if kind == "exec":
        if not handler.get("command"):
            findings.required((*path, "command"))
        return
    findings.invalid((*path, "port"), handler["port"], names.port_reference(handler["port"]))
    if kind != "httpGet":
        return
    if handler["scheme"] not in _SCHEMES:
        findings.unsupported((*path, "scheme"), handler["scheme"], _SCHEMES)
    for header in handler.get("httpHeaders", ()):
        findings.invalid((*path, "httpHeaders"), header["name"], names.header_name(header["name"]))
