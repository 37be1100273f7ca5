"""The contract of an ingress controller, and the registry of all of them.

A controller is one module in ``testbed/ingress/controllers/`` with an instance in the attribute
``controller``, named like its file. It is pure: of a routing it makes the files of a real proxy.
Whoever runs it does this::

    files(…)    write each file below ``setting.folder``, none readable to others (keys!)
    test(…)     run it before every start and reload; not 0: keep the old files, tell stderr
    start(…)    the main process, in the foreground
    reload      a signal to the main process; no request is lost by it
    quit        the signal that ends it once what it has begun is done
    status      asked over the unix socket ``status.sock`` (HTTP, any path), the proxy answers with
                the digest of the files that it runs; so one can wait until a reload has happened

Endpoints change by a reload, too: Debian's nginx has no way to change an upstream's servers, and
what HAProxy's socket could change is gone with the next reload.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from testbed.ingress.model import Certificate, Routing
from testbed.registry import Registry

_FOLDER = re.compile(r"/[A-Za-z0-9._/-]{0,80}")


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a controller runs.

    Attributes:
        folder: Where its files are, and its sockets; absolute.
        http: Port of HTTP.
        https: Port of HTTPS.
        address: Where it listens; an IPv4 address.
        workers: Of nginx its processes, of HAProxy its threads.
        drain: How long connections of before a reload may go on, in seconds.

    Raises:
        ValueError: The folder's name has characters that would have to be quoted.
    """

    folder: str
    http: int = 80
    https: int = 443
    address: str = "0.0.0.0"  # noqa: S104 - in a pod of its own
    workers: int = 1
    drain: int = 240

    def __post_init__(self) -> None:
        if not _FOLDER.fullmatch(self.folder):
            raise ValueError(f"not a plain absolute path: {self.folder!r}")


class Controller(Protocol):
    """A real proxy as ingress controller."""

    summary: str
    """One line for people."""

    needs: tuple[str, ...]
    """Programs, by their names in ``testbed doctor``."""

    controllers: tuple[str, ...]
    """What IngressClasses call it (``spec.controller``)."""

    usual: str
    """The class that the deprecated annotation means where there is no such IngressClass."""

    annotations: frozenset[str]
    """Those of :data:`testbed.ingress.annotations.KNOWN` that it has."""

    reload: int
    """The signal that makes the main process read its files again."""

    quit: int
    """The signal that makes it end what it has begun, take nothing new, and end."""

    namespace: str
    """Where a lab has it."""

    image: str
    """Of its pods; :mod:`testbed.images.catalogue` says what that is on this machine."""

    def files(self, routing: Routing, own: Certificate, setting: Setting) -> Mapping[str, str]:
        """The files: path below the folder → text.

        Args:
            routing: What is to be served.
            own: The certificate of hosts that have none.
            setting: Where it runs.
        """

    def test(self, setting: Setting) -> tuple[str, ...]:
        """The command that checks the files; it exits with 0 if they are good."""

    def start(self, setting: Setting) -> tuple[str, ...]:
        """The command of the main process."""


def digest(routing: Routing, own: Certificate, setting: Setting) -> str:
    """What the status socket answers: the same for the same routing, certificates and setting."""
    found = hashlib.sha256(repr((routing, setting)).encode())
    for certificate in (own, *routing.certificates.values()):
        found.update(certificate.pem.encode())
    return found.hexdigest()[:32]


controllers: Registry[Controller] = Registry(
    "ingress controller", "testbed.ingress.controllers", "controller"
)
