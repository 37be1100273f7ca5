"""What the real kube-proxy is told, and that it understands it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from testbed import kubeconfig
from testbed.go import build
from testbed.proxy import options
from testbed.proxy.contract import ProxyNode
from testbed.proxy.kubeproxy import LOCALHOST, SCHEDULER, BackEnd, configuration

BACK_ENDS: tuple[BackEnd, ...] = get_args(BackEnd)
SETTINGS = {**options.COMMON, LOCALHOST: "true", SCHEDULER: "rr"}


def made(back_end: BackEnd, min_sync: str | None = None, **settings: str) -> Any:
    node = ProxyNode("n1", ("192.168.0.11",), settings={**SETTINGS, **settings})
    return yaml.safe_load(configuration(node, back_end, "/run/kubeconfig", min_sync))


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_it_touches_nothing_of_the_machine(back_end: BackEnd) -> None:
    config = made(back_end)
    assert config["conntrack"] == {"maxPerCore": 0, "min": 0}
    assert config["oomScoreAdj"] == 0
    assert config["metricsBindAddress"].startswith("127.0.0.1:")


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_settings_are_kube_proxys_own(back_end: BackEnd) -> None:
    config = made(back_end)
    assert (config["mode"], config["hostnameOverride"]) == (back_end, "n1")
    assert (config["clusterCIDR"], config["nodePortAddresses"]) == ("10.244.0.0/16", [])
    assert "minSyncPeriod" not in config[back_end]
    config = made(
        back_end,
        masquerade_all="true",
        detect_local="false",
        nodeport_addresses="192.168.0.0/24,127.0.0.0/8",
    )
    owner = "nftables" if back_end == "nftables" else "iptables"
    assert config[owner]["masqueradeAll"] is True
    assert config["clusterCIDR"] == ""
    assert config["nodePortAddresses"] == ["192.168.0.0/24", "127.0.0.0/8"]


def test_what_only_one_back_end_has() -> None:
    assert made("ipvs", ipvs_scheduler="sh")["ipvs"] == {"scheduler": "sh"}
    config = made("iptables", localhost_nodeports="false", min_sync="10ms")
    assert config["iptables"]["localhostNodePorts"] is False
    assert config["iptables"]["minSyncPeriod"] == "10ms"


def test_a_name_stays_one_value() -> None:
    name = 'n1"\nmode: ipvs # '
    text = configuration(ProxyNode(name, (), settings=SETTINGS), "iptables", "/x y")
    config = yaml.safe_load(text)
    assert (config["hostnameOverride"], config["mode"]) == (name, "iptables")
    assert config["clientConnection"] == {"kubeconfig": "/x y"}


def test_the_kubeconfig_names_the_server() -> None:
    config = yaml.safe_load(kubeconfig.text("lab", "http://127.0.0.1:6443"))
    assert config["clusters"] == [{"name": "lab", "cluster": {"server": "http://127.0.0.1:6443"}}]


@pytest.mark.skipif(build.find("kube-proxy") is None, reason="kube-proxy is not built")
@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_kube_proxy_reads_what_it_is_told(back_end: BackEnd, tmp_path: Path) -> None:
    said, understood = tmp_path / "said", tmp_path / "understood"
    node = ProxyNode("n1", ("192.168.0.11",), settings={**SETTINGS, "masquerade_all": "true"})
    said.write_text(configuration(node, back_end, "/run/kubeconfig", "10ms"))
    argv = [str(build.find("kube-proxy")), f"--config={said}", f"--write-config-to={understood}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert "lenient" not in done.stderr  # its word if there are fields that it does not know
    assert _same(yaml.safe_load(said.read_text()), yaml.safe_load(understood.read_text()))


def _same(said: Any, understood: Any) -> bool:
    """Whether all that was said is there; a duration may be written otherwise."""
    if isinstance(said, dict):
        return all(_same(value, understood[key]) for key, value in said.items())
    return understood in (said, f"{said}0m0s", said or ["primary"])  # nftables' default
