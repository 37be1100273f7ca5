"""``nginx``: Ingresses by the real nginx, with ingress-nginx's annotations.

A ``server`` for each host, a ``location`` for each path, an ``upstream`` for each port of a Service
with kept connections. Hosts share one HTTPS listener; a host without a certificate has none in its
``server`` and so gets the default one's. HTTP/2 by ALPN; WebSockets; gRPC to the endpoints.

Names, order and answers are ingress-nginx's (``rootfs/etc/nginx/template/nginx.tmpl``): 308 to
HTTPS, 302 to the ``app-root``, 404 for what nobody has, 503 without endpoints, 413, 403.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping

from testbed.ingress import quoting
from testbed.ingress.annotations import KNOWN
from testbed.ingress.contract import Controller, Setting, digest
from testbed.ingress.controllers._nginx_servers import server_name, servers
from testbed.ingress.controllers._nginx_variables import Variables
from testbed.ingress.model import Certificate, Routing
from testbed.templates import render


def _power(least: int) -> int:
    """The least power of two that is no less."""
    return 1 << max(least - 1, 1).bit_length()


class Nginx:
    """See the module."""

    summary = "the real nginx, with ingress-nginx's annotations"
    needs: tuple[str, ...] = ("nginx",)
    controllers: tuple[str, ...] = ("k8s.io/ingress-nginx", "testbed/ingress")
    usual = "nginx"
    annotations = KNOWN
    reload = int(signal.SIGHUP)
    quit = int(signal.SIGQUIT)
    namespace = "ingress-nginx"
    image = "registry.k8s.io/ingress-nginx/controller:v1.12.1"

    def files(self, routing: Routing, own: Certificate, setting: Setting) -> Mapping[str, str]:
        """``nginx.conf`` and the certificates."""
        variables = Variables(routing)
        found = servers(routing.sites, variables)
        longest = max(len(server_name(host)) for host in routing.sites)
        text = render(
            "nginx.conf.j2",
            setting=setting,
            own=own,
            digest=digest(routing, own, setting),
            servers=found.servers,
            hosts=found.maps.items(),
            app_root=lambda root: quoting.nginx("$scheme://$http_host" + root),
            upstreams=variables.upstream_blocks(),
            affinities=variables.affinity_maps(),
            canaries=variables.canary_maps(),
            names_max=_power(max(512, 2 * len(routing.sites))),
            maps_max=_power(max(2048, 2 * len(routing.sites))),
            names_bucket=_power(max(64, longest + 32)),
            variables_max=_power(1024 + 4 * len(variables.canaries) + len(found.maps)),
        )
        certificates = {c.name: c.pem for c in (own, *routing.certificates.values())}
        return {
            "nginx.conf": text,
            **{f"certificates/{name}.pem": pem for name, pem in certificates.items()},
        }

    def test(self, setting: Setting) -> tuple[str, ...]:
        """``nginx -t``."""
        return (*_command(setting), "-t", "-q")

    def start(self, setting: Setting) -> tuple[str, ...]:
        """The master process, in the foreground."""
        return (*_command(setting), "-g", "daemon off;")


def _command(setting: Setting) -> tuple[str, ...]:
    return "nginx", "-e", "stderr", "-p", setting.folder, "-c", f"{setting.folder}/nginx.conf"


controller: Controller = Nginx()
