"""The Corefile of a cluster's DNS: kubeadm's, with the lab's API in it.

Source: ``CoreDNSConfigMap`` in ``cmd/kubeadm/app/phases/addons/dns/manifests.go``, Kubernetes 1.34.
One line is more: ``endpoint``, where the API is. In a cluster a service account tells that, and the
API speaks TLS; a lab's is plain HTTP.

A Corefile has no quoting that every plugin obeys. So nothing gets into it that is not a DNS name, a
URL of an address, a word of a list or a path of this project's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from testbed.dns.options import POD_MODES
from testbed.objects import names
from testbed.templates import render

_ENDPOINT = re.compile(r"http://[0-9]{1,3}(\.[0-9]{1,3}){3}:[0-9]{1,5}")
_UPSTREAM = re.compile(r"/[A-Za-z0-9_./-]+|[0-9]{1,3}(\.[0-9]{1,3}){3}(:[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Corefile:
    """What is filled into the template.

    Attributes:
        domain: The cluster's domain.
        endpoint: URL of the API.
        pods: One of :data:`~testbed.dns.options.POD_MODES`.
        upstream: Whom to ask for other names: a resolv.conf, or an address.

    Raises:
        ValueError: A value is none of its kind.
    """

    domain: str
    endpoint: str
    pods: str = "insecure"
    upstream: str = "/etc/resolv.conf"

    def __post_init__(self) -> None:
        good = {
            self.domain: not names.dns_subdomain(self.domain),
            self.endpoint: _ENDPOINT.fullmatch(self.endpoint),
            self.pods: self.pods in POD_MODES,
            self.upstream: _UPSTREAM.fullmatch(self.upstream),
        }
        for value, fine in good.items():
            if not fine:
                raise ValueError(f"{value!r} must not be in a Corefile")

    @property
    def text(self) -> str:
        """The file."""
        return render(
            "Corefile.j2",
            domain=self.domain, endpoint=self.endpoint, pods=self.pods, upstream=self.upstream,
        )  # fmt: skip
