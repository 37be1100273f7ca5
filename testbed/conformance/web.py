"""HTTP requests from hosts of a lab, as a browser there would send them.

The sockets are made in the host's network namespace; TLS is spoken without a look at who signed the
certificate, because that a lab's are nobody's is known.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target

SECONDS = 10.0
"""For a connection, and for each answer."""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: Such as 200.
        headers: Names in lower case.
        body: All of it.
        certificate: The server's, in DER; empty without TLS.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    certificate: bytes = b""


class Browser:
    """A client on a host of a lab.

    Args:
        sockets: Makes sockets.
        source: Where the client is.
    """

    def __init__(self, sockets: Sockets, source: Target) -> None:
        self._sockets, self._source = sockets, source

    @contextmanager
    def connected(
        self, address: str, port: int, sni: str | None = None, protocols: tuple[str, ...] = ()
    ) -> Iterator[socket.socket | ssl.SSLSocket]:
        """A connection for the time of a ``with`` block; with TLS, if there is a name for SNI.

        Args:
            address: Whom to connect to.
            port: Where.
            sni: The name for SNI.
            protocols: What ALPN offers.

        Raises:
            OSError: It cannot be made.
        """
        raw = self._sockets.clients(self._source, 1)[0]
        raw.settimeout(SECONDS)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with raw:
            raw.connect((address, port))
            if sni is None:
                yield raw
            else:
                with _trusting(protocols).wrap_socket(raw, server_hostname=sni) as wrapped:
                    yield wrapped

    def get(
        self,
        address: str,
        host: str,
        path: str = "/",
        *,
        sni: str | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Answer:
        """The answer to a request on a connection of its own; over TLS with a name for SNI.

        Raises:
            OSError: There is no answer; also an :class:`http.client.HTTPException` for none that
                is HTTP.
        """
        port = 80 if sni is None else 443
        with self.connected(address, port, sni) as connection:
            asking = http.client.HTTPConnection(address, port)
            asking.sock = connection
            asking.request(method, path, body, {"Host": host, **(headers or {})})
            answer = asking.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            tls = connection if isinstance(connection, ssl.SSLSocket) else None
            leaf = (tls and tls.getpeercert(True)) or b""
            return Answer(answer.status, found, answer.read(), leaf)

    def protocol(self, address: str, sni: str) -> str:
        """What ALPN chooses of HTTP/2 and HTTP/1.1 (RFC 7301); empty for nothing.

        Raises:
            OSError: There is no answer.
        """
        with self.connected(address, 443, sni, ("h2", "http/1.1")) as connection:
            assert isinstance(connection, ssl.SSLSocket)  # noqa: S101 - there is a name for SNI
            return connection.selected_alpn_protocol() or ""


@cache
def _trusting(protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def names(certificate: bytes) -> tuple[str, ...]:
    """The DNS names of a certificate in DER."""
    from cryptography import x509

    leaf = x509.load_der_x509_certificate(certificate)
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return tuple(found.value.get_values_for_type(x509.DNSName))
