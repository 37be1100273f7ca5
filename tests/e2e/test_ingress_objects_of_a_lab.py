"""Ingresses, IngressClasses and Secrets in a lab: kept, shown, deleted; bad ones change nothing."""

from __future__ import annotations

import json

import pytest
from labs import RunningLab, StartLab

pytestmark = pytest.mark.e2e

OBJECTS = """\
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: ours}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: shop}
spec:
  ingressClassName: ours
  tls: [{hosts: [shop.test], secretName: shop}]
  rules:
  - host: shop.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: v1
kind: Secret
metadata: {name: shop}
stringData: {a: b}
"""
KINDS = ("ingresses", "ingressclasses", "secrets")


def names(lab: RunningLab, kind: str) -> list[str]:
    items = json.loads(lab.run("get", kind, "-o", "json").stdout)["items"]
    return [item["metadata"]["name"] for item in items]


def test_ingress_objects_of_a_lab(shared_lab: StartLab) -> None:
    lab = shared_lab()
    made = lab.run("apply", "-f", "-", text=OBJECTS).stdout
    assert made.splitlines() == [
        "ingressclass.networking.k8s.io/ours created",
        "ingress.networking.k8s.io/shop created",
        "secret/shop created",
    ]
    bad = OBJECTS.replace("path: /,", "path: x,").replace("a: b", "a: c")
    said = lab.run("apply", "-f", "-", text=bad, code=2).stderr
    assert 'spec.rules[0].http.paths[0].path: Invalid value: "x": must be an absolute path' in said
    again = lab.run("apply", "-f", "-", text=OBJECTS).stdout
    assert [line.split()[-1] for line in again.splitlines()] == ["unchanged"] * 3
    head, row = lab.run("get", "ing").stdout.splitlines()
    assert head.split() == ["NAME", "CLASS", "HOSTS", "ADDRESS", "PORTS", "AGE"]
    assert row.split()[:3] == ["shop", "ours", "shop.test"]
    assert "80, 443" in row
    described = lab.run("describe", "ing", "shop").stdout
    assert "  shop terminates shop.test\n" in described
    assert described.split()[-3:] == ["shop.test", "/", "web:80"]
    assert [names(lab, kind) for kind in KINDS] == [["shop"], ["ours"], ["shop"]]
    lab.run("delete", "-f", "-", text=OBJECTS)
    assert [names(lab, kind) for kind in KINDS] == [[], [], []]
    lab.run("delete", "ingressclass", "ours", code=2)
