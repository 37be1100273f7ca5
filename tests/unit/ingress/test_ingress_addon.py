"""The add-on's objects, its options, and what is wrong with them."""

from __future__ import annotations

import pytest

from testbed.errors import InputError
from testbed.ingress import addon
from testbed.ingress.contract import controllers
from testbed.objects import IngressClass, Object, from_manifest
from testbed.spec import Spec, resolve


def spec(objects: tuple[Object, ...] = (), proxy: str = "iptables", /, **chosen: str) -> Spec:
    return resolve(objects=objects, proxy=proxy, chosen={"ingress": "nginx", **chosen})


def own_class(default: bool) -> Object:
    note = {"ingressclass.kubernetes.io/is-default-class": str(default).lower()}
    return from_manifest(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressClass",
            "metadata": {"name": "own", "annotations": note},
            "spec": {"controller": "example.com/own"},
        }
    )


@pytest.mark.parametrize("name", controllers.names())
def test_what_a_controller_comes_with(name: str) -> None:
    found = spec(ingress=name, ingress_replicas="2")
    one = controllers.get(name)
    assert addon.service(found.cluster) == (one.namespace, f"{one.namespace}-controller")
    bound = found.cluster.services[addon.service(found.cluster)]
    assert bound.service.spec.type == "LoadBalancer"
    assert bound.service.spec.external_traffic_policy == "Local"
    assert [port.port for port in bound.service.spec.ports] == [80, 443]
    assert addon.addresses(found.cluster) == ("198.51.100.1",)
    assert sum(key[0] == one.namespace for key in found.cluster.pods) == 2
    assert found.cluster.ingress_classes["", one.usual].controller == one.controllers[0]
    assert set(one.needs) <= set(found.needs)


def test_without_a_controller_there_is_nothing_of_it() -> None:
    found = spec(ingress="none")
    assert not addon.wanted(found.cluster)
    assert addon.addresses(found.cluster) == ()
    assert not found.cluster.ingress_classes
    assert "ingress-nginx" not in found.cluster.namespaces


@pytest.mark.parametrize(("given", "ours"), [((), True), ((False,), True), ((True,), False)])
def test_the_class_is_the_default_unless_there_is_one(given: tuple[bool, ...], ours: bool) -> None:
    found = spec(tuple(own_class(default) for default in given)).cluster.ingress_classes
    assert found["", "nginx"].default == ours
    assert len(found) == 1 + len(given)
    assert all(isinstance(item, IngressClass) for item in found.values())


def test_the_policy_is_a_setting() -> None:
    found = spec(ingress_policy="Cluster").cluster
    bound = found.services[addon.service(found)]
    assert bound.service.spec.external_traffic_policy == "Cluster"


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"ingress": "ngimx"}, "--ingress: unknown ingress controller 'ngimx'"),
        ({"ingress_policy": "local"}, "unknown externalTrafficPolicy 'local'"),
        ({"ingress_replicas": "0"}, "invalid value '0'"),
        ({"ingress_replicas": "101"}, "invalid value '101'"),
        ({"ingress_replicas": "²"}, "invalid value '²'"),
        ({"ingress_replicas": "one"}, "invalid value 'one'"),
    ],
)
def test_bad_options(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        spec(**chosen)
    assert message in str(caught.value)


def test_a_controller_needs_a_proxy_mode() -> None:
    with pytest.raises(InputError) as caught:
        spec((), "none")
    assert "--proxy nftables" in caught.value.hint
