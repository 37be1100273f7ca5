"""Which certificate each host of an Ingress gets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from testbed.ingress.model import Certificate, Key
from testbed.ingress.sites import Growing, Tell
from testbed.ingress.tls import BadCertificate, Found
from testbed.objects import Ingress, IngressTls, Secret

_OWN = "the controller's own certificate is served"


class Certificates:
    """Reads Secrets, each once, and gives their certificates to hosts.

    Args:
        secrets: By namespace and name.
        now: For dates.
    """

    def __init__(self, secrets: Mapping[Key, Secret], now: datetime) -> None:
        self._secrets, self._now = secrets, now
        self._read: dict[Key, Found | str] = {}

    def add(self, item: Ingress, sites: Mapping[str, Growing], tell: Tell) -> None:
        """Gives an Ingress's hosts their certificates; a host keeps the first one.

        Args:
            item: The Ingress.
            sites: All hosts so far, with those of the Ingress's rules.
            tell: Takes what is wrong.
        """
        hosts = {rule.host for rule in item.rules}
        for tls in item.tls:
            for host in tls.hosts:
                if host not in hosts:
                    message = f"tls host {host!r} is not a host of its rules; it has no effect"
                    tell(item.metadata.key, message)
            self._give(item, tls, sites, tell)

    def _give(
        self, item: Ingress, tls: IngressTls, sites: Mapping[str, Growing], tell: Tell
    ) -> None:
        key, found = item.metadata.key, None
        if tls.secret:
            found = self._find((key[0], tls.secret))
            said = found if isinstance(found, str) else found.when(self._now)
            if said:
                tell(key, f"Secret {tls.secret!r} {said}")
        hosts = {rule.host for rule in item.rules if rule.host}
        for host in sorted(hosts & set(tls.hosts) if tls.hosts else hosts):
            if isinstance(found, Found) and not found.covers(host):
                if tls.hosts:
                    tell(key, f"Secret {tls.secret!r} is not for host {host!r}; {_OWN}")
                    sites[host].tls = True
                continue
            sites[host].tls = True
            if isinstance(found, Found) and not sites[host].certificate:
                sites[host].certificate = found.certificate.name

    def _find(self, key: Key) -> Found | str:
        if key not in self._read:
            self._read[key] = self._load(key)
        return self._read[key]

    def _load(self, key: Key) -> Found | str:
        secret = self._secrets.get(key)
        if secret is None:
            return f"does not exist; {_OWN}"
        try:
            return Found(secret)
        except BadCertificate as error:
            return f"holds no certificate that can be served: {error}; {_OWN}"

    def used(self, names: Iterable[str]) -> dict[str, Certificate]:
        """The certificates of these names."""
        read = (one.certificate for one in self._read.values() if isinstance(one, Found))
        known = {one.name: one for one in read}
        return {name: known[name] for name in sorted(set(names) - {""})}
