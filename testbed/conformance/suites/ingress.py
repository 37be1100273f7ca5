"""The suite ``ingress``: requests from outside, by load balancer and controller, to pods.

It works on a lab with an ingress controller and a host outside the cluster, which asks. For its
time it has two Services with two pods each, an Ingress and a Secret in a namespace
``conformance-…`` of its own. A check ends at its tenth failure.

====================  ===========================================================================
``addresses``         served Ingresses have the address of the controller's Service, others none
``hosts``             a name, a wildcard for exactly one label, and nobody's host
``paths``             ``Exact``, ``Prefix`` by its elements, the longest first
``balancing``         each pod of a Service gets some of the requests
``certificates``      by SNI, the controller's own else; HTTP/2 by ALPN; HTTP goes to HTTPS
``forwarded``         the pod is told host, path, and protocol as they were asked
``changes``           a new path is served when its making has returned, and gone likewise
``own-ingresses``     the lab's own paths: none is nobody's, 503 only where no endpoint is ready
====================  ===========================================================================

Sources: Kubernetes' documentation of Ingress; ingress-controller-conformance ``features``.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from testbed.conformance import temporary
from testbed.conformance.contract import Check
from testbed.conformance.ingressobjects import HOST, PODS, certificate, objects
from testbed.conformance.ingresspaths import Asked, asked_paths, wrong
from testbed.conformance.sockets import Sockets
from testbed.conformance.targets import Target
from testbed.conformance.web import Answer, Browser
from testbed.errors import TestbedError
from testbed.ingress import addon
from testbed.ingress.contract import Controller, controllers
from testbed.lab.client import Lab

Json = dict[str, Any]
Case = Callable[[], str]
_FILE = "testbed conformance"
_FAILURES = 10  # of a check: one that is answered by nobody takes seconds
_TRIES = 20  # requests that each pod of two must get one of
_CHECKS = (
    "addresses", "hosts", "paths", "balancing", "certificates", "forwarded", "changes",
    "own-ingresses",
)  # fmt: skip


class Ingress:
    """The contract's parts; see the module for the checks."""

    summary = "Ingress: hosts, paths and certificates from outside lead to the right pods"

    def run(self, lab: Lab) -> Iterator[Check]:
        """Checks a lab; see the contract."""
        controller, source = _controller(lab), _outside(lab)
        address = _address(lab, controller) if controller is not None else ""
        reason = _unfit(controller, source, address)
        if reason or controller is None:
            yield from (Check(name, 0, 0, skipped=reason) for name in _CHECKS)
            return
        netns = lab.netns(source)
        try:
            with Sockets() as sockets, _made(lab, controller) as namespace:
                browser = Browser(sockets, Target(source, "", "", netns))
                cases = _Cases(lab, browser, address, namespace)
                for name in _CHECKS:
                    yield _check(name, cases.of(name))
        finally:
            os.close(netns)


suite = Ingress()


def _controller(lab: Lab) -> Controller | None:
    """The controller that a lab has."""
    known = [controllers.get(name) for name in controllers.names()]
    for one in known:
        names = (item["metadata"]["name"] for item in lab.objects("services", one.namespace))
        if addon.name(one) in names:
            return one
    return None


def _outside(lab: Lab) -> str:
    """A host outside the cluster; empty if there is none."""
    return next((name for name in lab.info["addresses"] if name.startswith("external/")), "")


def _address(lab: Lab, controller: Controller) -> str:
    """The address of the controller's Service; empty if it has none."""
    for item in lab.objects("services", controller.namespace):
        if item["metadata"]["name"] == addon.name(controller):
            found = item["status"]["loadBalancer"].get("ingress", ())
            return next((str(one["ip"]) for one in found), "")
    return ""


def _unfit(controller: Controller | None, source: str, address: str) -> str:
    """Why there is nothing to check; empty if there is."""
    if controller is None:
        return "the lab has no ingress controller"
    if not source:
        return "the topology has no host outside the cluster"
    return "" if address else "the controller's Service has no address"


def _check(name: str, cases: list[Case]) -> Check:
    """Runs cases; each says what is wrong, or nothing."""
    begun, count, failures = time.monotonic(), 0, []
    for case in cases:
        count += 1
        try:
            said = case()
        except (OSError, http.client.HTTPException) as error:
            said = f"no answer: {error!r}"
        failures += [said] * bool(said)
        if len(failures) == _FAILURES:
            break
    skipped = "" if cases else "there are none"
    return Check(name, count, len(cases), tuple(failures), time.monotonic() - begun, skipped)


class _Cases:
    """What is asked in each check."""

    def __init__(self, lab: Lab, browser: Browser, address: str, namespace: str) -> None:
        self._lab, self._browser, self._address = lab, browser, address
        self._namespace = namespace

    def of(self, check: str) -> list[Case]:
        """The cases of a check."""
        found: list[Case] = getattr(self, "_" + check.replace("-", "_"))()
        return found

    def _get(self, host: str, path: str = "/", sni: str | None = None) -> Answer:
        return self._browser.get(self._address, host, path, sni=sni)

    def _leads(self, host: str, path: str, expected: str) -> Case:
        """Who must answer: ``one``, ``two``, or a status; with nothing, neither of the two.

        The lab may have a default backend of its own, which takes the hosts that nobody has.
        """

        def case() -> str:
            answer = self._get(f"{host}.{self._namespace}.{HOST}", path)
            found = _said(answer).get("service", "") if answer.status == 200 else answer.status
            right = str(found) == expected if expected else found not in ("one", "two")
            wanted = expected or "somebody else or nobody"
            return "" if right else f"{host} {path}: {found} answered, not {wanted}"

        return case

    def _addresses(self) -> list[Case]:
        def case(item: Json) -> str:
            at = [one["ip"] for one in item["status"]["loadBalancer"].get("ingress", ())]
            name = "/".join((item["metadata"]["namespace"], item["metadata"]["name"]))
            return "" if at in ([], [self._address]) else f"{name} is at {at}"

        def own() -> str:
            items = self._lab.objects("ingresses", self._namespace)
            served = all(item["status"]["loadBalancer"].get("ingress") for item in items)
            return "" if served else "a new Ingress of its class has no address"

        others = self._lab.objects("ingresses")
        return [own, *(lambda item=item: case(item) for item in others)]

    def _hosts(self) -> list[Case]:
        rows = [("plain", "one"), ("PLAIN", "one"), ("a.wild", "two"), ("B.WILD", "two")]
        others = [self._leads(host, "/", "") for host in ("a.b.wild", "wild", "nobody")]
        return [*(self._leads(host, "/prefix", who) for host, who in rows), *others]

    def _paths(self) -> list[Case]:
        rows = [("/prefix", "one"), ("/prefix/", "one"), ("/prefix/x?y=z", "one")]
        rows += [("/prefixes", "404"), ("/PREFIX", "404"), ("/prefix/long", "two")]
        rows += [("/prefix/longer", "one"), ("/exact", "two"), ("/exact/", "404"), ("/", "404")]
        return [self._leads("plain", path, who) for path, who in rows]

    def _balancing(self) -> list[Case]:
        def case() -> str:
            host = f"plain.{self._namespace}.{HOST}"
            said = [_said(self._get(host, "/prefix")).get("pod", "") for _ in range(_TRIES)]
            seen = set(said) - {""}
            return "" if len(seen) == PODS else f"of {PODS} pods only {sorted(seen)} answered"

        return [case]

    def _certificates(self) -> list[Case]:
        secure = f"secure.{self._namespace}.{HOST}"

        def by_name() -> str:
            answer = self._get(secure, "/", sni=secure)
            right = answer.certificate == certificate(self._namespace)[2]
            return "" if right and answer.status == 200 else f"{secure}: another certificate"

        def own() -> str:
            answer = self._get("plain", "/", sni=f"plain.{self._namespace}.{HOST}")
            wrong_one = answer.certificate == certificate(self._namespace)[2]
            return "a host without a certificate got another one's" if wrong_one else ""

        def redirect() -> str:
            answer = self._get(secure, "/x?y")
            found = (answer.status, answer.headers.get("location"))
            return "" if found == (308, f"https://{secure}/x?y") else f"HTTP got {found}"

        def alpn() -> str:
            found = self._browser.protocol(self._address, secure)
            return "" if found == "h2" else f"ALPN chose {found!r}"

        return [by_name, own, redirect, alpn]

    def _forwarded(self) -> list[Case]:
        secure = f"secure.{self._namespace}.{HOST}"

        def case() -> str:
            said = _said(self._get(secure, "/x/y?z=1", sni=secure))
            headers = said.get("headers", {})
            found = (said.get("host"), said.get("path"), headers.get("X-Forwarded-Proto"))
            right = found == (secure, "/x/y?z=1", ["https"]) and "X-Forwarded-For" in headers
            return "" if right else f"the pod was told {found}"

        return [case]

    def _changes(self) -> list[Case]:
        (item,) = objects(self._namespace, "", only="late")
        host = f"late.{self._namespace}.{HOST}"

        def come() -> str:
            item["spec"]["ingressClassName"] = self._class()
            self._lab.ask("apply", manifests=[[item, _FILE, None, None]])
            answer = self._get(host)
            return "" if answer.status == 200 else f"a new Ingress: {answer.status}"

        def gone() -> str:
            name = item["metadata"]["name"]
            self._lab.ask("delete", keys=[["Ingress", self._namespace, name]])
            answer = self._get(host)
            served = answer.status == 200 and _said(answer).get("service") == "one"
            return "an Ingress that is gone is served" if served else ""

        return [come, gone]

    def _class(self) -> str:
        items = self._lab.objects("ingresses", self._namespace)
        return str(items[0]["spec"]["ingressClassName"])

    def _own_ingresses(self) -> list[Case]:
        nobody = self._get(f"nobody.{self._namespace}.{HOST}")

        def case(one: Asked) -> str:
            return wrong(one, self._get(one.host, one.path, one.sni), nobody)

        found = asked_paths(self._lab, self._address, self._namespace)
        return [lambda one=one: case(one) for one in found]  # type: ignore[misc]


def _said(answer: Answer) -> Json:
    """What the suite's own pods say."""
    with suppress(ValueError):
        found: Json = json.loads(answer.body)
        return found
    return {}


@contextmanager
def _made(lab: Lab, controller: Controller) -> Iterator[str]:
    """The suite's objects for the time of a ``with`` block; yields their namespace."""
    namespace = f"conformance-{secrets.token_hex(3)}"
    classes = [item["metadata"]["name"] for item in lab.objects("ingressclasses")
               if item["spec"]["controller"] in controller.controllers]  # fmt: skip
    name = controller.usual if controller.usual in classes else next(iter(classes), "")
    head = {"name": namespace, "labels": {temporary.LABEL: namespace}}
    made = [{"apiVersion": "v1", "kind": "Namespace", "metadata": head}]
    made += [*objects(namespace, name)]
    try:
        temporary.put(lab, made)
        yield namespace
    finally:
        with suppress(TestbedError):  # the lab has ended
            connection = Lab(lab.name)
            connection.ask("delete", keys=[["Namespace", "", namespace]])
            connection.close()
