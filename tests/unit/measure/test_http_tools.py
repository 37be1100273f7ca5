"""What h2load, curl and openssl print, as recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios import ingress_http, ingress_reload
from testbed import objects
from testbed.measure import h2load, phases, signing
from testbed.measure.campaign import defaults
from testbed.measure.load import Request

OUTPUTS = Path(__file__).parent / "outputs"


def output(name: str) -> str:
    return (OUTPUTS / name).read_text()


def test_a_burst_of_new_connections() -> None:
    found = h2load.parse(output("h2load-burst.txt"))
    assert (found.done, found.times) == (200, ())
    assert found.seconds == pytest.approx(0.44851)
    assert found.rate == pytest.approx(445.92)


def test_the_log_of_requests_is_told_from_the_report() -> None:
    found = h2load.parse(output("h2load-paced.txt"))
    assert found.done == 197
    assert len(found.times) == 12  # more were cut out of the recording
    assert found.times[:2] == pytest.approx((385e-6, 3101e-6))


@pytest.mark.parametrize(
    "text",
    [
        "",
        output("h2load-refused.txt"),
        output("h2load-burst.txt").replace("0 failed", "3 failed"),
        output("h2load-burst.txt").replace("200 2xx, 0 3xx", "0 2xx, 200 3xx"),
    ],
)
def test_no_or_bad_answers_are_no_result(text: str) -> None:
    with pytest.raises(ValueError, match=r"requests: |nothing"):
        h2load.parse(text)


def test_phases_are_medians_and_follow_each_other() -> None:
    found = phases.parse(output("curl-phases.txt"))
    assert found["dns"] == pytest.approx(9.5e-6)
    assert found["connect"] == pytest.approx((103e-6 + 110e-6) / 2, abs=2e-6)
    assert found["tls"] == pytest.approx(3.5e-3, rel=0.1)
    assert found["total"] > found["tls"] + found["first-byte"]


def test_without_tls_there_is_no_time_for_it() -> None:
    found = phases.parse("0.00001 0.00010 0.000000 0.00030 0.00031 1 200\n")
    assert found["tls"] == 0
    assert found["first-byte"] == pytest.approx(2e-4)


@pytest.mark.parametrize("text", ["", "0 0 0 0 0 0 200\n", "0 0 0 0 0 1 503\n", "curl: (7)\n"])
def test_only_good_answers_on_new_connections_have_phases(text: str) -> None:
    with pytest.raises(ValueError, match=r"nothing|no good answer"):
        phases.parse(text)


def test_signatures() -> None:
    assert signing.parse(output("openssl-speed.txt")) == 51218.75
    with pytest.raises(ValueError, match="unknown"):
        signing.parse("speed: unknown algorithm")


def test_cells_are_what_can_be_measured() -> None:
    found = ingress_http.scenario.cells(defaults(ingress_http.scenario))
    assert len(found) == len({tuple(cell.items()) for cell in found}) == 12
    plain = [cell for cell in found if cell["path"] != "ingress"]
    assert {(cell["protocol"], cell["rules"]) for cell in plain} == {("http1", 1)}
    assert {cell["connections"] for cell in found if cell["protocol"] == "https2"} == {"kept"}
    assert {cell["rules"] for cell in found} == {1, 10, 100, 1000}


@pytest.mark.parametrize("scenario", [ingress_http.scenario, ingress_reload.scenario])
def test_its_objects_are_good_ones_and_the_same_each_time(scenario: object) -> None:
    text = scenario.manifest(["n1", "n2"])  # type: ignore[attr-defined]
    assert text == scenario.manifest(["n1", "n2"])  # type: ignore[attr-defined]
    kinds = [one.kind for one in objects.parse(text, "m")]
    assert {"Ingress", "Service", "Pod"} <= set(kinds)


def test_what_changes_did_to_requests() -> None:
    requests = [Request(n / 10, n / 10 + 0.01, "ok", "a") for n in range(10)]
    requests += [Request(0.55, 0.56, "status", "-"), Request(2, 2.1, "reset", "-")]
    found = {one.metric.name: one.value for one in ingress_reload.readings(
        requests, [0.1, 0.5, 1.0], changed=True)}  # fmt: skip
    assert found["failed"] == found["failed-status"] == 1  # what came after is not counted
    assert found["changes"] == 2
    assert found["change-mean"] == pytest.approx(0.45)
    assert found["request-p99"] == pytest.approx(0.01)
