"""Certificates of Secrets: read, checked, written anew.

What is wrong with a Secret makes its hosts get the controller's own certificate, as in
ingress-nginx (``getServerCert`` in ``internal/ingress/controller/controller.go``). A certificate
that has expired is served, and told. Keys and signatures that OpenSSL's security level 2 (Debian's)
refuses are refused here, as one of them would keep the proxy from starting.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from testbed.ingress.model import Certificate
from testbed.objects import Secret

if TYPE_CHECKING:
    from cryptography import x509

_SOON = timedelta(days=10)
_RSA_BITS, _EC_BITS = 2048, 224
_NAME = 200  # of a file may have 255 bytes, with its suffix
_WEAK = {"md5", "sha1"}
FAKE = "Kubernetes Ingress Controller Fake Certificate"
"""Common name of ingress-nginx's own certificate."""


class BadCertificate(ValueError):
    """A Secret that holds no usable certificate; the message says why."""


class Found:
    """A certificate that can be served.

    Args:
        secret: The Secret that it is in.

    Attributes:
        certificate: What is served.
        names: The DNS names that it is for; its common name, if it has no others.

    Raises:
        BadCertificate: It cannot be served.
    """

    def __init__(self, secret: Secret) -> None:
        chain, key = _chain(secret), _key(secret)
        if key.public_key() != chain[0].public_key():  # type: ignore[attr-defined]
            raise BadCertificate("its private key is not that of its certificate")
        for one in chain:
            _check_strength(one)
        self._leaf = chain[0]
        self.names = _names(chain[0])
        self.certificate = Certificate(_file_name(secret), _pem(chain, key))

    def covers(self, host: str) -> bool:
        """Whether it is for a host; for a wildcard only if it has that wildcard."""
        _, dot, parent = host.partition(".")
        return host in self.names or (dot != "" and f"*.{parent}" in self.names)

    def when(self, now: datetime) -> str:
        """What is to be said about its dates; empty if all is well."""
        end, begin = self._leaf.not_valid_after_utc, self._leaf.not_valid_before_utc
        if now > end:
            return f"expired on {end:%Y-%m-%d}; it is served all the same"
        if now < begin:
            return f"is not valid before {begin:%Y-%m-%d}; it is served all the same"
        return f"expires on {end:%Y-%m-%d}" if end - now < _SOON else ""


def _file_name(secret: Secret) -> str:
    """``NAMESPACE_SECRET``; with a hash for its end where a file's name could not be so long."""
    name = "_".join(secret.metadata.key)
    if len(name) <= _NAME:
        return name
    return f"{name[: _NAME - 65]}_{hashlib.sha256(name.encode()).hexdigest()}"


def _chain(secret: Secret) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(secret.data.get("tls.crt", b""))
    except ValueError:
        raise BadCertificate("tls.crt holds no certificate in PEM") from None


def _key(secret: Secret) -> object:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(secret.data.get("tls.key", b""), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadCertificate("tls.key holds no private key in PEM, or a locked one") from None
    known = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)
    if not isinstance(key, (*known, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)):
        raise BadCertificate("its private key is neither RSA nor of an elliptic curve")
    return key


def _check_strength(one: x509.Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    try:
        key, digest = one.public_key(), one.signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        raise BadCertificate("a certificate's key or signature is of an unknown kind") from None
    short = (isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS) or (
        isinstance(key, ec.EllipticCurvePublicKey) and key.key_size < _EC_BITS
    )
    if short or (digest is not None and digest.name in _WEAK):
        raise BadCertificate("a certificate's key is too short, or its signature too weak")


def _names(leaf: x509.Certificate) -> frozenset[str]:
    from cryptography import x509

    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError, x509.DuplicateExtension):
        names = []
    common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    found = names or [str(one.value) for one in common]
    return frozenset(name.lower() for name in found)


def _pem(chain: list[x509.Certificate], key: object) -> str:
    from cryptography.hazmat.primitives import serialization as form

    pem: bytes = key.private_bytes(  # type: ignore[attr-defined]
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
    )
    return (pem + b"".join(one.public_bytes(form.Encoding.PEM) for one in chain)).decode()


def own(now: datetime) -> Certificate:
    """A new certificate for hosts that have none, as ingress-nginx makes one for itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "Acme Co"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, FAKE),
        ]
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(minutes=1))
    builder = builder.not_valid_after(now + timedelta(days=365))
    names = x509.SubjectAlternativeName([x509.DNSName("ingress.local")])
    leaf = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return Certificate("_own", _pem([leaf], key))
