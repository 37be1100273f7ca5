"""CoreDNS as an add-on: objects, plan, Corefile and zone; and what never gets into the files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from testbed import cluster as clusters
from testbed.cluster.discovery import discover
from testbed.dns import addon, internet
from testbed.dns.corefile import Corefile
from testbed.dns.internet import Record
from testbed.errors import InputError
from testbed.objects import parse
from testbed.spec import Spec, resolve

COREDNS = {"dns": "coredns"}
API = ("default", "kubernetes")
EVIL = ("a b", 'a"b', "a\nb", "a\tb", "a{b", "a}", "a;b", "", "é", "-a", "A", "a" * 300)


def resolved(proxy: str = "iptables", **chosen: str) -> Spec:
    return resolve(proxy=proxy, chosen=COREDNS | chosen)


def files(spec: Spec) -> dict[str, str]:
    return {file.path: file.content for file in spec.plan.namespaces["fabric"].files}


def test_what_kubeadm_installs_is_there() -> None:
    cluster = resolved().cluster
    pods = [bound for key, bound in cluster.pods.items() if key[0] == "kube-system"]
    assert len({bound.node for bound in pods}) == len(pods) == 2
    service = cluster.services["kube-system", "kube-dns"].service.spec
    assert service.cluster_ips == ("10.96.0.10",)
    assert [port.name for port in service.ports] == ["dns", "dns-tcp", "metrics"]
    (made,) = discover(cluster).slices_of(("kube-system", "kube-dns"))
    ends = {end.addresses[0] for end in made.endpoints}
    assert ends == {bound.address for bound in pods}


def test_without_dns_there_is_nothing_of_it() -> None:
    spec = resolve(proxy="iptables")
    assert not spec.cluster.pods
    assert list(spec.cluster.services) == [API]
    assert not spec.plan.namespaces["fabric"].files
    assert spec.components == ()
    assert addon.resolv_conf(*a_pod(spec)).text == ""


def a_pod(spec: Spec, **more: Any) -> tuple[Any, Any]:
    """A cluster with one more pod, and that."""
    text = f"{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {{{', '.join(POD)}}}}}"
    cluster = resolve(
        proxy=spec.proxy, chosen={"dns": spec.cluster.options.dns} | more, objects=parse(text, "-")
    ).cluster
    return cluster, cluster.pods["default", "a"]


POD = ("containers: [{name: c, image: pause}]",)


def test_the_api_is_a_service_where_services_are_carried() -> None:
    assert API not in resolve(proxy="none").cluster.services
    cluster = resolve(proxy="nftables", chosen={"nodes": "5"}).cluster
    assert cluster.services[API].service.spec.cluster_ips == ("10.96.0.1",)
    found = discover(cluster)
    (made,) = found.slices_of(API)
    assert [e.addresses[0] for e in made.endpoints] == [n.address for n in cluster.nodes[:3]]
    assert made.ports[0].port == 6443
    assert API in found.endpoints


@pytest.mark.parametrize("kind", ["Service", "Endpoints", "EndpointSlice"])
def test_what_is_deleted_of_the_apis_service_comes_back(kind: str) -> None:
    cluster = resolve(proxy="nftables").cluster
    after = clusters.delete(cluster, [(kind, *API)])
    for held in ("services", "endpoints", "endpoint_slices"):
        assert getattr(after, held).keys() == getattr(cluster, held).keys()
    assert after.services[API].service.spec.cluster_ips == ("10.96.0.1",)


def test_somebodys_own_service_of_that_name_is_deleted() -> None:
    text = (
        "{apiVersion: v1, kind: Service, metadata: {name: kubernetes}, spec: {ports: [{port: 1}]}}"
    )
    cluster = resolve(objects=parse(text, "-")).cluster
    assert API in cluster.services
    assert API not in clusters.delete(cluster, [("Service", *API)]).services


@pytest.mark.parametrize(
    ("proxy", "endpoint"),
    [("iptables", "http://10.96.0.1:443"), ("none", "http://192.168.0.11:6443")],
)
def test_where_coredns_finds_the_api(proxy: str, endpoint: str) -> None:
    assert f"endpoint {endpoint}\n" in files(resolved(proxy))["/run/coredns/Corefile"]


def test_settings_reach_corefile_and_resolv_conf() -> None:
    chosen = {"cluster_domain": "corp.test", "dns_pods": "verified", "service_cidr": "10.7.0.0/16"}
    spec = resolved(**chosen)
    corefile = files(spec)["/run/coredns/Corefile"]
    assert "kubernetes corp.test in-addr.arpa ip6.arpa {\n" in corefile
    assert "endpoint http://10.7.0.1:443\n" in corefile
    assert "pods verified\n" in corefile
    found = addon.resolv_conf(*a_pod(spec, **chosen))
    assert found.nameservers == ("10.7.0.10",)
    assert found.searches == ("default.svc.corp.test", "svc.corp.test", "corp.test")


def test_the_dns_pods_themselves_ask_the_internet() -> None:
    cluster = resolved().cluster
    bound = next(bound for key, bound in cluster.pods.items() if key[0] == "kube-system")
    assert addon.resolv_conf(cluster, bound).text == "nameserver 192.168.0.200\n"


def test_the_resolver_is_outside_or_on_the_first_node() -> None:
    spec = resolved()
    (daemon,) = spec.plan.namespaces["external/client"].daemons
    assert daemon.name == internet.NAME
    assert "client.example.com. IN A 192.168.0.200\n" in files(spec)["/run/internet/zone"]
    spec = resolved(externals="0")
    assert [d.name for d in spec.plan.namespaces["node/n1"].daemons] == [internet.NAME]
    assert "bind 192.168.0.11\n" in files(spec)["/run/internet/Corefile"]


def test_a_coredns_that_is_named_need_not_be_found() -> None:
    assert "coredns" in resolved().needs
    spec = resolved(coredns="/bin/true")
    assert "coredns" not in spec.needs
    assert spec.programs_given == {"coredns": "/bin/true"}


def test_names_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("# of a test\n203.0.113.7 www.Example.com. shop.example.com # two\n\n"
                    "2001:DB8::7 www.example.com\n")  # fmt: skip
    zone = files(resolved(internet=str(file)))["/run/internet/zone"]
    assert zone.splitlines()[3:] == [
        "www.example.com. IN A 203.0.113.7",
        "shop.example.com. IN A 203.0.113.7",
        "www.example.com. IN AAAA 2001:db8::7",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1 a.test\n10.0.0.300 b.test", ":2: '10.0.0.300' is no IP address"),
        ("10.0.0.1", ":1: write an address and its names"),
        ("fe80::1%eth0 a.test", ":1: write an address and its names"),
        ("10.0.0.1 a_b.test", ":1: 'a_b.test': a lowercase RFC 1123 subdomain"),
        ('10.0.0.1 "a"', ":1: '\"a\"': a lowercase RFC 1123 subdomain"),
        ("10.0.0.1 a\\010b", ":1: 'a\\\\010b': a lowercase RFC 1123 subdomain"),
    ],
)
def test_a_wrong_line_says_where(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        resolved(internet=str(file))
    assert f"{file}{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"dns": "bind"}, "--dns: unknown DNS server 'bind'"),
        ({"dns_pods": "all"}, "--set: dns_pods: unknown mode 'all'"),
        ({"coredns": "/nonexistent"}, "--set: coredns: '/nonexistent' is no program"),
        ({"internet": "/nonexistent"}, "--set: internet: /nonexistent: No such file"),
    ],
)
def test_a_wrong_setting_says_which(chosen: dict[str, str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        resolve(chosen=chosen)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("domain", EVIL)
def test_a_domain_that_is_none_is_refused_in_time_and_never_written(domain: str) -> None:
    with pytest.raises(InputError, match="cluster_domain"):
        resolved(cluster_domain=domain)
    with pytest.raises(ValueError, match="must not be in a Corefile"):
        Corefile(domain, "http://10.96.0.1:443")


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("field", ["endpoint", "pods", "upstream"])
def test_nothing_else_gets_into_a_corefile(field: str, evil: str) -> None:
    good = {"domain": "cluster.local", "endpoint": "http://10.96.0.1:443"}
    with pytest.raises(ValueError, match="must not be in a Corefile"):
        Corefile(**(good | {field: evil}))


def test_only_addresses_get_into_the_internets_files() -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        internet.zone((Record("a.test", "1.2.3.4\nb A 6.6.6.6"),))
    with pytest.raises(ValueError, match="does not appear to be"):
        internet.corefile("1.2.3.4\nforward . 8.8.8.8", "/zone")
