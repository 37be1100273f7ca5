"""From the backend of an Ingress to endpoints: Service, port, EndpointSlices.

As ingress-nginx does it (``internal/ingress/controller/controller.go``, ``endpointslices.go``):
requests go to endpoints, not to the cluster IP; ready ones only; what cannot be found is 503.
"""

from __future__ import annotations

from ipaddress import ip_address

from testbed.ingress.model import Endpoint, Key, State, Upstream
from testbed.objects import EndpointSlice, IngressBackend, Service, ServicePort


class NoBackend(ValueError):
    """A backend that cannot be found; the message says what is absent."""


class Backends:
    """Finds upstreams, each once.

    Args:
        state: All objects.
    """

    def __init__(self, state: State) -> None:
        self._services = state.services
        self._slices: dict[Key, list[EndpointSlice]] = {}
        for one in state.slices:
            if one.service is not None:
                self._slices.setdefault(one.service, []).append(one)
        self.found: dict[str, Upstream] = {}

    def find(self, namespace: str, backend: IngressBackend) -> Upstream:
        """The upstream of a backend.

        Args:
            namespace: Of the Ingress.
            backend: What it says.

        Raises:
            NoBackend: There is no such Service or port, or it has no endpoints by its nature.
        """
        if backend.resource:
            raise NoBackend(f"backends of kind {backend.resource.partition('/')[0][:80]!r}")
        key = (namespace, backend.service)
        service = self._services.get(key)
        if service is None:
            raise NoBackend(f"there is no Service {backend.service!r}")
        if service.spec.type == "ExternalName":
            raise NoBackend(f"Service {backend.service!r} is an ExternalName")
        port = _port(service, backend.port)
        name = f"{namespace}_{backend.service}_{port.port}"
        if name not in self.found:
            self.found[name] = Upstream(name, self._endpoints(key, port))
        return self.found[name]

    def _endpoints(self, service: Key, port: ServicePort) -> tuple[Endpoint, ...]:
        found = {
            Endpoint(str(ip_address(endpoint.addresses[0])), number)
            for one in self._slices.get(service, ())
            if one.address_type != "FQDN"
            for number in (p.port for p in one.ports if p.name == port.name)
            if number is not None
            for endpoint in one.endpoints
            if endpoint.ready
        }
        return tuple(sorted(found))


def _port(service: Service, wanted: int | str) -> ServicePort:
    for port in service.spec.ports:
        if wanted in (port.port, port.name) and port.protocol == "TCP":
            return port
    raise NoBackend(f"Service {service.metadata.name!r} has no TCP port {wanted!r}")
