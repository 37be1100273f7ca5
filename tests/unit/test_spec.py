"""The options of ``up``, resolved: what they give, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from testbed.errors import InputError
from testbed.objects import parse
from testbed.plan.contract import modes
from testbed.proxy.contract import modes as proxies
from testbed.spec import Spec, parse_settings, resolve

POD = "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: %s}]}}"
INIT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers: [{name: i, image: mysql}]
      containers: [{name: c, image: pause}]
"""


def resolved(**options: Any) -> Spec:
    return resolve(**options)


def test_defaults() -> None:
    spec = resolved()
    assert (spec.topology.name, spec.cni, spec.proxy) == ("single", "vxlan", "iptables")
    assert len(spec.cluster.nodes) == 3


def test_settings_go_where_they_belong() -> None:
    chosen = {"nodes": "2", "mtu": "9000", "pod_cidr": "10.1.0.0/16", "bfd": "true"}
    spec = resolved(cni="bgp", chosen=chosen | {"node_cidr_mask_size": "20"})
    assert [node.mtu for node in spec.cluster.nodes] == [9000, 9000]
    assert [node.pod_cidr for node in spec.cluster.nodes] == ["10.1.16.0/20", "10.1.32.0/20"]
    assert spec.cluster.options.mode == {"bgp_mesh_limit": "100"}
    assert spec.cluster.options.bfd


NEEDS: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({}, ()),
    ({"cni": "bgp"}, ()),
    ({"topology": "leafspine"}, ("zebra", "bgpd")),
    ({"topology": "leafspine", "cni": "bgp"}, ()),
    ({"chosen": {"rate": "1Gbit"}}, ("tbf",)),
    ({"chosen": {"rate": "1Gbit", "delay": "1ms"}}, ("tbf", "netem")),
    ({"chosen": {"loss": "1%"}}, ("tbf", "netem")),
    ({"chosen": {"rate": "1Gbit", "limit": "50"}}, ("tbf",)),
]


@pytest.mark.parametrize(("options", "further"), NEEDS)
def test_needs_are_the_modes_and_what_the_underlay_adds(
    options: dict[str, Any], further: tuple[str, ...]
) -> None:
    spec = resolved(proxy="none", **options)
    assert spec.needs == (*spec.mode.needs, *further)


MODES = f"Known: {', '.join(modes.names())}."
PROXIES = ", ".join(proxies.names())
ERRORS: list[tuple[dict[str, Any], str]] = [
    (
        {"chosen": {"lb": "arp"}},
        "--set: lb: unknown protocol 'arp'\n  Known: bgp, l2, none.",
    ),
    (
        {"cni": "vxlam"},
        f"--cni: unknown CNI mode 'vxlam'\n  Did you mean 'vxlan'? {MODES}",
    ),
    (
        {"proxy": "iptable"},
        f"--proxy: unknown proxy mode 'iptable'\n  Did you mean 'iptables'? Known: {PROXIES}.",
    ),
    (
        {"cni": "host-gw", "topology": "twozone"},
        "--cni: host-gw needs all nodes in one subnet; twozone has 192.168.1.0/24, "
        "192.168.2.0/24\n  Take vxlan or bgp, or the topology single.",
    ),
    (
        {"cni": "bgp", "chosen": {"bfd": "yes"}},
        "--set: bfd: 'yes' is neither true nor false",
    ),
    (
        {"cni": "bgp", "chosen": {"bgp_mesh_limit": "-1"}},
        "--set: bgp_mesh_limit: '-1' is no number of nodes",
    ),
    (
        {"chosen": {"node_cidr_mask_size": "/24"}},
        "--set: node_cidr_mask_size: '/24' is no prefix length",
    ),
]


@pytest.mark.parametrize(("options", "message"), ERRORS)
def test_what_will_not_do(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(**options)
    assert str(caught.value) == message


def test_a_setting_of_another_mode_is_not_known() -> None:
    with pytest.raises(InputError, match=r"^--set: unknown setting 'bgp_mesh_limit'\n"):
        resolved(cni="vxlan", chosen={"bgp_mesh_limit": "3"})


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (POD % "mysql", "spec.containers[0].image"),
        (INIT, "spec.template.spec.initContainers[0].image"),
    ],
)
def test_unknown_images_are_refused_with_their_place(text: str, field: str) -> None:
    with pytest.raises(InputError) as caught:
        resolved(objects=parse(text, "app.yaml"))
    assert str(caught.value).startswith(f"app.yaml:1: {field}: unknown image 'mysql'\n")


def test_settings_as_text() -> None:
    assert parse_settings(["a=1", "b=", "c=d=e"]) == {"a": "1", "b": "", "c": "d=e"}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["nodes"], "--set: 'nodes' is not KEY=VALUE"),
        (["=3"], "--set: '=3' is not KEY=VALUE"),
        (["a=1", "a=2"], "--set: a is given twice"),
    ],
)
def test_texts_that_are_no_settings(texts: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_settings(texts)
    assert str(caught.value) == message


def test_load_balancers_by_bgp_want_routers() -> None:
    with pytest.raises(InputError, match="node n1 of single has no router with an AS number"):
        resolved(chosen={"lb": "bgp"}).plan  # noqa: B018
