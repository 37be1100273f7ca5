"""Campaign files, options of the command line, and going on with a session."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from testbed.errors import InputError
from testbed.measure import available, campaignfile, labs, session
from testbed.measure import campaign as campaigns
from testbed.measure.campaign import Campaign
from testbed.measure.contract import scenarios

WRONG = [
    ("topologies: single", "f:1: topologies: unknown key 'topologies'\n  Did you mean 'topology'?"),
    ("cni: [vxlan, bpg]", "f:1: cni: unknown CNI mode 'bpg'\n  Did you mean 'bgp'?"),
    ("a: 1\ncni: vxlan", "f:1: a: unknown key 'a'"),
    ("cni: vxlan\nproxy: iptabels", "f:2: proxy: unknown proxy mode 'iptabels'"),
    ("\ntopology: leafspin", "f:2: topology: unknown topology 'leafspin'\n  Did you mean 'leafs"),
    ("cni: []", "f:1: cni: must not be empty"),
    ("cni: [bgp, bgp]", "f:1: cni: 'bgp' is named twice"),
    ("repeat: 0", "f:1: repeat: 0 is no whole number from 1 to 1,000"),
    ("repeat: five", "f:1: repeat: 'five' is no whole number"),
    ("seconds: 0.5", "f:1: seconds: 0.5 is no whole number"),
    ("seconds: true", "f:1: seconds: True is no whole number"),
    ("seed: -1", "f:1: seed: -1 is no whole number"),
    ("settings: 5", "f:1: settings: must be a mapping"),
    ("settings:\n  nodes: [1]", "f:2: settings.nodes: must be a text or a number"),
    ("scenarios: [pod-latency]", "f:1: scenarios: must be a mapping"),
    ("scenarios:\n  pod-latenci:", "f:2: scenarios.pod-latenci: unknown scenario 'pod-latenci'"),
    ("scenarios:\n  pod-latency: 3", "f:2: scenarios.pod-latency: must be a mapping"),
    (
        "scenarios:\n  pod-latency:\n    paths: x",
        "f:3: scenarios.pod-latency.paths: unknown parameter of pod-latency 'paths'\n  Did",
    ),
    (
        "scenarios:\n  pod-latency:\n    path: [same-node, sky]",
        "f:3: scenarios.pod-latency.path: 'sky' is none of same-node, cross-node, node-to-node",
    ),
    (
        "scenarios:\n  pod-throughput: {streams: [1, 0]}",
        "f:2: scenarios.pod-throughput.streams: 0 is no whole number from 1 to 128",
    ),
    (
        "scenarios:\n  pod-throughput: {rate: fast}",
        "f:2: scenarios.pod-throughput.rate: 'fast' is no rate in bit/s such as 500M or 1G",
    ),
    ("cni: bgp\ncni: vxlan", "f:2: invalid YAML: the key 'cni' is already in line 1"),
    ("cni: [bgp", "f:"),
    ("[]", "f: a campaign is one YAML mapping"),
    ("", "f: a campaign is one YAML mapping"),
    ("cni: bgp\n---\ncni: bgp", "f: a campaign is one YAML mapping"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        campaignfile.loads(text, "f")
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the campaign: No such file"):
        campaignfile.read(tmp_path / "none.yaml")


@pytest.mark.parametrize(("ipvs", "limit"), [(False, 240), (True, 300)])
def test_the_default_campaign_fits_into_its_time(ipvs: bool, limit: float) -> None:
    asked = campaignfile.read(campaignfile.DEFAULT)
    assert asked.proxy == ("iptables", "nftables", "ipvs?")
    default = replace(asked, proxy=("iptables", "nftables", "ipvs")[: 3 if ipvs else 2])
    points = default.points()
    assert {(v.cni, v.proxy) for v in points} == {
        (cni, proxy) for cni in ("vxlan", "bgp") for proxy in default.proxy
    }
    samples = default.repeat * sum(len(cells) for cells in points.values())
    assert samples * (default.seconds + 0.22) + 8.5 * len(points) + 10 < limit  # seconds
    for variant, cells in points.items():
        names = {name for name, _ in cells}
        assert names >= {"service-latency", "ingress-http"}
        assert ("pod-latency" in names) is (variant.proxy == "iptables")


@pytest.mark.parametrize("present", [True, False])
def test_a_proxy_mode_with_a_question_mark_is_left_out_where_it_is_lacking(present: bool) -> None:
    asked = campaignfile.loads("proxy: [iptables, 'ipvs?']\nscenarios: {service-latency: }", "f")
    lacking = {"ipvs?": [] if present else ["ipvs"]}
    found, notes = available.without(asked, lacking)
    assert found.proxy == (("iptables", "ipvs") if present else ("iptables",))
    assert notes == ([] if present else ["Left out: proxy mode ipvs (this machine lacks ipvs)"])


def test_a_campaign_of_nothing_but_what_is_lacking_is_refused() -> None:
    asked = campaignfile.loads("proxy: 'ipvs?'\nscenarios: {service-latency: }", "f")
    with pytest.raises(InputError, match="lacks all of its proxy modes"):
        available.without(asked, {"ipvs?": ["ipvs"]})


def test_without_services_the_controller_of_the_file_is_left_out() -> None:
    asked = campaignfile.read(campaignfile.DEFAULT)
    none = {"proxy": ["none"], "cni": ["vxlan"]}
    found = campaigns.override(asked, none, ["pod-latency"], {})
    assert len(labs.resolve(found)) == 1
    both = campaigns.override(asked, none, ["pod-latency"], {"ingress": "haproxy"})
    with pytest.raises(InputError, match="haproxy is reached at the address of a Service"):
        labs.resolve(both)


def test_a_scenario_may_be_measured_with_the_first_proxy_mode_alone() -> None:
    text = "proxy: [nftables, iptables]\nscenarios:\n  pod-latency: {proxy: first}\n"
    alone = campaignfile.loads(text, "f")
    assert [v.proxy for v in alone.points()] == ["nftables"]
    both = campaignfile.loads(text + "  service-latency:\n", "f")
    names = {v.proxy: {name for name, _ in cells} for v, cells in both.points().items()}
    assert names["iptables"] == {"service-latency"}
    assert names["nftables"] == {"service-latency", "pod-latency"}
    again = campaignfile.loads(json.dumps(both.to_dict() | {"seed": 1}), "f")
    assert again.once == both.once == {"pod-latency"}
    with pytest.raises(InputError, match=r"f:3: .*'last' is not 'first'"):
        campaignfile.loads(text.replace("first", "last"), "f")


def test_streams_are_of_tcp_and_the_rate_is_of_udp() -> None:
    axes = {"path": ["same-node"], "protocol": ["tcp", "udp"], "streams": [1, 2], "rate": ["1M"]}
    assert scenarios.get("pod-throughput").cells(axes) == [
        {"path": "same-node", "protocol": "tcp", "streams": 1, "rate": "unlimited"},
        {"path": "same-node", "protocol": "tcp", "streams": 2, "rate": "unlimited"},
        {"path": "same-node", "protocol": "udp", "streams": 1, "rate": "1M"},
    ]


@pytest.mark.parametrize("name", scenarios.names())
def test_every_scenario_keeps_its_contract(name: str) -> None:
    scenario = scenarios.get(name)
    cells = scenario.cells(campaigns.defaults(scenario))
    assert cells
    assert all(set(cell) == set(scenario.parameters) for cell in cells)
    for key, parameter in scenario.parameters.items():
        assert [parameter.parse(value) for value in parameter.default] == list(parameter.default)
        assert {cell[key] for cell in cells} >= set(parameter.default)
    names = [metric.name for metric in scenario.metrics]
    assert len(set(names)) == len(names)
    assert {"n1", "n7"} <= set(scenario.manifest(["n1", "n3", "n7"]).split())


def test_a_file_survives_the_way_through_json() -> None:
    text = "cni: bgp\nsettings: {nodes: 2}\nseed: 3\nscenarios: {pod-connect: {path: same-node}}"
    read = campaignfile.loads(text, "f")
    assert read.settings == {"nodes": "2"}
    assert read.scenarios == {"pod-connect": {"path": ("same-node",)}}
    assert campaignfile.loads(json.dumps(read.to_dict()), "g") == read


def changed(
    text: str, names: Any = (), chosen: Any = (), settings: Any = (), **numbers: Any
) -> Any:
    read = campaignfile.loads(text, "f")
    return campaigns.override(read, dict(names), chosen, dict(settings), **numbers)


FILE = "settings: {nodes: 2, mtu: 1400}\nscenarios:\n  pod-connect: {path: same-node}\n"


def test_options_replace_what_the_file_says() -> None:
    found = changed(
        FILE, {"cni": ["host-gw"]}, ["pod-latency", "pod-connect"], {"nodes": "3"}, repeat=2
    )
    assert (found.cni, found.repeat, found.seed) == (("host-gw",), 2, None)
    assert found.settings == {"nodes": "3", "mtu": "1400"}
    assert found.scenarios["pod-connect"] == {"path": ("same-node",)}
    assert len(found.scenarios["pod-latency"]["path"]) == 3


@pytest.mark.parametrize(
    ("names", "chosen", "message"),
    [
        ({"cni": ["flannel"]}, [], "--cni: unknown CNI mode 'flannel'"),
        ({"proxy": ["ipvs!"]}, [], "--proxy: unknown proxy mode"),
        ({"topology": ["singel"]}, [], "--topology: unknown topology 'singel'\n  Did you mean 's"),
        ({}, ["pod-conect"], "--scenario: unknown scenario 'pod-conect'\n  Did you mean 'pod-con"),
        ({"cni": ["bgp", "bgp"]}, [], "--cni: 'bgp' is named twice"),
    ],
)
def test_wrong_options(names: Any, chosen: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        changed(FILE, names, chosen)
    assert str(caught.value).startswith(message)


def test_without_scenarios_all_run_that_fit_the_topology() -> None:
    every = {n for n in scenarios.names() if not scenarios.get(n).proxied}
    assert set(changed("cni: bgp\nproxy: none").scenarios) == every - {"link-failure", "outage"}
    assert set(changed("topology: leafspine\nproxy: none").scenarios) == every - {"outage"}
    eventful = changed("topology: leafspine\nproxy: none\nevents: [{at: 0, link: l1-sp1}]")
    assert set(eventful.scenarios) == every


def test_labs_have_the_pods_of_all_scenarios_once() -> None:
    found = labs.resolve(changed("cni: [vxlan, bgp]\ntopology: leafspine\nproxy: none"))
    assert [str(variant) for variant in found] == ["leafspine vxlan none", "leafspine bgp none"]
    for spec in found.values():
        places = {key: pod.node for key, pod in spec.cluster.pods.items()}
        assert places == {
            ("bench", "client"): "n1",
            ("bench", "server-near"): "n1",
            ("bench", "server-far"): "n4",
        }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scenarios: {link-failure: }", "f:1: scenarios.link-failure: scenario link-failure needs"),
        (
            "proxy: ipvs\nscenarios:\n  dns:",
            "f:3: scenarios.dns: scenario dns needs the add-on dns\n  Say --dns coredns.",
        ),
        ("settings: {nodes: 1}", "a path between nodes needs at least 2 nodes"),
        ("cni: bgp\nsettings:\n  node: 3", "f:2: settings: unknown setting 'node'"),
        ("settings:\n  mtu: tiny", "f:2: settings.mtu: invalid value 'tiny'"),
        ("topology: none.yaml", "none.yaml: no such topology file"),
    ],
)
def test_what_does_not_fit_together(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        labs.resolve(changed(text))
    assert str(caught.value).startswith(message)


@pytest.fixture
def small() -> Campaign:
    found: Campaign = changed(FILE, {"cni": ["vxlan"]}, repeat=3)
    return found


def test_a_session_goes_on_where_it_stopped(small: Campaign, tmp_path: Path) -> None:
    first = session.begin(small, tmp_path)
    first.begin()
    assert (tmp_path / "environment.json").exists()
    done = first.todo[1]
    first.journal.add(done.order, [])
    for asked in (small, None, replace(small, seed=first.seed)):
        again = session.resume(asked, tmp_path)
        assert (again.seed, again.run, again.slots) == (first.seed, first.run, first.slots)
        assert again.todo == [slot for slot in first.slots if slot != done]


def test_a_session_is_not_overwritten_nor_mixed(small: Campaign, tmp_path: Path) -> None:
    begun = session.begin(small, tmp_path)
    begun.begin()
    with pytest.raises(InputError, match="has results already\n  Go on with --resume"):
        session.begin(small, tmp_path)
    with pytest.raises(InputError, match="another campaign was begun here: it differs in repeat"):
        session.resume(replace(small, repeat=4), tmp_path)
    with pytest.raises(InputError, match="differs in seed"):
        session.resume(replace(small, seed=begun.seed + 1), tmp_path)


def test_resuming_nothing(small: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert session.resume(small, tmp_path / "new").todo
    with pytest.raises(InputError, match="nothing to resume"):
        session.resume(None, tmp_path / "new")
    with pytest.raises(InputError, match="results: nothing to resume"):
        session.resume(small, None)
    session.begin(small, Path("results/a")).begin()
    assert session.resume(None, None).out == Path("results/a")


def test_the_environment_is_described(small: Campaign, tmp_path: Path) -> None:
    begun = session.begin(small, tmp_path)
    begun.begin()
    found = json.loads((tmp_path / "environment.json").read_text())
    assert found["seed"] == begun.seed
    assert found["options"]["cni"] == ["vxlan"]
    guest = subprocess.run(
        ["systemd-detect-virt", "--vm"], capture_output=True, text=True, check=False
    )
    assert (found["vm"] or "none") == guest.stdout.strip()
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 1e8
    assert found["tools"]["iperf3"].startswith("iperf 3")
    nodes = {node["name"]: node for node in found["topologies"]["single"]["nodes"]}
    assert nodes["n1"]["pod_cidr"] == "10.244.1.0/24"
    assert nodes["s1"].items() >= {"name": "s1", "role": "switch", "address": None}.items()
    assert {"a", "b", "rate", "mtu", "delay"} <= set(found["topologies"]["single"]["links"][0])


def test_all_scenarios_are_those_that_have_what_they_need() -> None:
    def names(text: str) -> set[str]:
        return {*changed(text).scenarios}

    few = names("scenarios:")
    assert {"pod-latency", "egress"} <= few
    assert not few & {"dns", "ingress-http", "outage", "link-failure", "service-latency"}
    proxied = names("proxy: iptables")
    assert "service-latency" in proxied - few
    assert names("proxy: iptables\nsettings: {dns: coredns}") == proxied | {"dns"}


def test_what_the_command_line_names_is_its_fault() -> None:
    with pytest.raises(InputError, match=r"^--scenario: scenario dns needs a proxy mode"):
        labs.resolve(changed("proxy: none", chosen=["dns"]))
