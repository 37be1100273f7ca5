"""The files of each ingress controller, whole, for one routing with everything in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from testbed.ingress.annotations import parse
from testbed.ingress.contract import Setting, controllers
from testbed.ingress.model import (
    Affinity,
    Canary,
    Certificate,
    Endpoint,
    Options,
    Route,
    Routing,
    Site,
    Upstream,
)

FOLDER = Path(__file__).parent / "ingress"
KEY = ("default", "one")
NEW = ("default_new_80", Canary("X-Try", "", "try", 25))
LIMITED = Options(
    sources=parse({"whitelist-source-range": "10.0.0.0/8,192.0.2.7"})["whitelist-source-range"],
    body_size=8 << 20,
)
STICKY = Options(affinity=Affinity("route", "/x", 60, "Lax"))
ROUTING = Routing(
    {
        "": Site("", (Route("", "prefix", KEY, "default_rest_80"),)),
        "*.wild.test": Site(
            "*.wild.test",
            (Route("", "prefix", KEY, "default_web_80"),),
            certificate="default_wild",
        ),
        "regex.test": Site(
            "regex.test",
            (
                Route("/a(/|$)(.*)", "regex", KEY, "default_web_80", Options(rewrite="/$2")),
                Route("/b", "regex", KEY, "default_web_80"),
            ),
        ),
        "x.test": Site(
            "x.test",
            (
                Route("/exact/", "exact", KEY, "default_web_80", redirect=True),
                Route("/canary", "prefix", KEY, "default_web_80", canary=NEW),
                Route("/limited", "prefix", KEY, "default_web_80", LIMITED),
                Route("/sticky", "prefix", KEY, "default_web_80", STICKY),
                Route("/grpc", "prefix", KEY, "default_new_80", Options(protocol="GRPC")),
                Route("/empty", "prefix", KEY, "default_empty_80"),
                Route("/absent", "prefix", KEY, ""),
            ),
            app_root="/app",
        ),
    },
    {
        "default_empty_80": Upstream("default_empty_80"),
        "default_new_80": Upstream("default_new_80", (Endpoint("10.244.1.9", 8080),)),
        "default_rest_80": Upstream("default_rest_80", (Endpoint("10.244.1.3", 80),)),
        "default_web_80": Upstream(
            "default_web_80", (Endpoint("10.244.1.2", 80), Endpoint("fd00::2", 80))
        ),
    },
    {"default_wild": Certificate("default_wild", "PEM of wild\n")},
)


@pytest.mark.parametrize("name", controllers.names())
def test_files(name: str) -> None:
    own = Certificate("_own", "PEM of its own\n")
    files = controllers.get(name).files(ROUTING, own, Setting("/run/ingress", workers=2))
    text = "".join(f"==> {path} <==\n{content}\n" for path, content in files.items())
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()
