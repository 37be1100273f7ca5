"""What is concluded from a kube-proxy's log and metrics; both are those of kube-proxy 1.34.4."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.lab import kubeproxylook
from testbed.lab.kubeproxylook import Log, Page, Sync, done, page, seconds

METRICS = """\
# HELP kubeproxy_sync_proxy_rules_endpoint_changes_total [ALPHA] Cumulative proxy rules Endpoint changes
# TYPE kubeproxy_sync_proxy_rules_endpoint_changes_total counter
kubeproxy_sync_proxy_rules_endpoint_changes_total 3
kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv4"} 1.7952756397341797e+09
kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family="IPv6"} 1.7952756397341855e+09
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv4"} 1.7952756399096775e+09
kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family="IPv6"} 1.7952756399933233e+09
kubeproxy_sync_proxy_rules_service_changes_pending 0
kubeproxy_sync_proxy_rules_service_changes_total 6
"""  # noqa: E501 - as it is
LOG = """\
{"ts":1795275639909.7332,"caller":"iptables/proxier.go:757","msg":"SyncProxyRules complete","ipFamily":"IPv4","v":2,"elapsed":"72.19692ms"}
{"ts":1795275639909.7698,"caller":"iptables/proxier.go:763","msg":"Syncing iptables rules","ipFamily":"IPv6","v":2,"fullSync":true}
{"ts":1795275639993.352,"caller":"iptables/proxier.go:757","msg":"SyncProxyRules complete","ipFamily":"IPv6","v":2,"elapsed":"83.575971ms"}
"""  # noqa: E501 - as it is
IPVS = """\
{"ts":1795275640100.5,"caller":"ipvs/proxier.go:886","msg":"syncProxyRules complete","ipFamily":"IPv4","v":4,"elapsed":"1.5s"}
"""  # noqa: E501 - as it is


def test_metrics_are_those_of_ipv4() -> None:
    assert page(METRICS) == Page(1795275639.7341797, 1795275639.9096775, (6, 3))


def test_metrics_that_are_not_there_yet_are_zero() -> None:
    assert page("") == Page(0, 0, (0, 0))


def test_the_log_tells_when_a_sync_began_and_ended(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("I1121 klog's own text, before it is set up\n" + LOG)
    log = Log(path)
    log.look()
    assert log.sync == pytest.approx(Sync(1795275639.8375363, 1795275639.9097332))
    log.look()
    assert log.sync is not None  # nothing new is no change
    with path.open("a") as file:
        file.write(IPVS[:40])
    log.look()
    assert log.sync == pytest.approx(Sync(1795275639.8375363, 1795275639.9097332))
    with path.open("a") as file:
        file.write(IPVS[40:])
    log.look()
    assert log.sync == pytest.approx(Sync(1795275638.6005, 1795275640.1005))


@pytest.mark.parametrize(
    "line",
    [
        '{"msg":"SyncProxyRules complete"}\n',
        '{"msg":"SyncProxyRules complete","ipFamily":"IPv4","ts":1,"elapsed":"soon"}\n',
        'SyncProxyRules complete "elapsed"="1s"\n',
        '["SyncProxyRules complete"]\n',
    ],
)
def test_a_line_of_another_form_is_no_sync(line: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text(line)
    log = Log(path)
    log.look()
    assert log.sync is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("72.5ms", 0.0725), ("1m2.5s", 62.5), ("3h0m0s", 10800), ("250µs", 250e-6), ("0s", 0)],
)
def test_durations_are_gos(text: str, value: float) -> None:
    assert seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "5", "5x", "1s?"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("sync", "answer", "why"),
    [
        (None, False, "there was no sync"),
        (Sync(9, 10.5), False, "a change came while it ran"),
        (Sync(10.1, 10.9), True, "it began after the last change"),
        (Sync(10.8, 12), False, "it failed: rules were loaded before it began"),
    ],
)
def test_a_sync_has_what_came_before_it(sync: Sync | None, answer: bool, why: str) -> None:
    assert done(Page(queued=10, loaded=10.7, changes=(1, 1)), sync) is answer, why


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A connection of this process with an API."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(kubeproxylook, "PORT", server.getsockname()[1])
        with socket.create_connection(server.getsockname()) as client, server.accept()[0] as api:
            yield client, api


def test_what_was_sent_is_unread_until_it_is_read(
    connection: tuple[socket.socket, socket.socket],
) -> None:
    client, api = connection
    assert not kubeproxylook.unread(os.getpid())
    api.sendall(b"event")
    assert kubeproxylook.unread(os.getpid())
    assert client.recv(100) == b"event"
    assert not kubeproxylook.unread(os.getpid())


def test_without_a_connection_nothing_counts_as_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kubeproxylook, "PORT", 1)
    assert kubeproxylook.unread(os.getpid())
