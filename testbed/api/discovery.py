"""Discovery: what the API serves, for clients that ask before they read.

The forms are ``APIVersions``, ``APIGroupList``, ``APIGroup`` and ``APIResourceList`` of meta/v1,
and ``APIGroupDiscoveryList`` of ``apidiscovery.k8s.io`` (KEP-3352), which is all of it at once.
There is no OpenAPI: kubectl needs it for explaining and validating only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from testbed.api.accept import DISCOVERY, Form
from testbed.api.failures import no_resource
from testbed.api.kinds import Served, served
from testbed.release import GIT_VERSION, KUBERNETES

VERBS = ["get", "list", "watch"]
Json = dict[str, Any]


def version() -> Json:
    """``/version``."""
    return {
        "major": str(KUBERNETES[0]),
        "minor": str(KUBERNETES[1]),
        "gitVersion": GIT_VERSION,
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    }


def document(path: str, form: Form) -> Json:
    """What is to be found at a path of discovery.

    Args:
        path: Without a slash at its end.
        form: How the client wants it.

    Raises:
        Failure: It is no path of discovery (404).
    """
    parts = path.split("/")[1:]
    if form.kind == DISCOVERY and parts in (["api"], ["apis"]):
        return _aggregated(form.version, core=parts == ["api"])
    found = {1: _root, 2: _second, 3: _third}.get(len(parts), lambda _: None)(parts)
    if found is None:
        raise no_resource()
    return found


def is_aggregated(path: str) -> bool:
    """Whether all groups can be had at once at a path."""
    return path in {"/api", "/apis"}


def _groups() -> dict[str, list[str]]:
    """Group → its versions, without the core."""
    found: dict[str, list[str]] = {}
    for kind in served():
        versions = found.setdefault(kind.group, [])
        versions += [kind.version] * (kind.version not in versions)
    found.pop("", None)
    return found


def _root(parts: list[str]) -> Json | None:
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if parts == ["apis"]:
        groups = [_group(name, versions) for name, versions in _groups().items()]
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
    if parts == [""]:
        return {"paths": list(_paths())}
    return None


def _paths() -> Iterator[str]:
    yield from ("/api", "/api/v1", "/apis")
    for group, versions in _groups().items():
        yield f"/apis/{group}"
        yield from (f"/apis/{group}/{version}" for version in versions)
    yield from ("/healthz", "/livez", "/readyz", "/version")


def _second(parts: list[str]) -> Json | None:
    if parts == ["api", "v1"]:
        return _resources("", "v1")
    if parts[0] == "apis" and parts[1] in _groups():
        group = _group(parts[1], _groups()[parts[1]])
        return {"kind": "APIGroup", "apiVersion": "v1", **group}
    return None


def _third(parts: list[str]) -> Json | None:
    if parts[0] == "apis" and parts[2] in _groups().get(parts[1], ()):
        return _resources(parts[1], parts[2])
    return None


def _group(name: str, versions: list[str]) -> Json:
    found = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": found, "preferredVersion": found[0]}


def _of(group: str, version: str) -> Iterator[Served]:
    return (kind for kind in served() if (kind.group, kind.version) == (group, version))


def _resources(group: str, version: str) -> Json:
    group_version = f"{group}/{version}" if group else version
    found = [_resource(kind) for kind in _of(group, version)]
    head = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version}
    return head | {"resources": found}


def _resource(kind: Served) -> Json:
    found: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": VERBS,
    }
    found |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    return found | ({"categories": list(kind.categories)} if kind.categories else {})


def _aggregated(form_version: str, *, core: bool) -> Json:
    groups = {"": ["v1"]} if core else _groups()
    items = [
        {
            "metadata": {"name": name} if name else {},
            "versions": [
                {
                    "version": version,
                    "freshness": "Current",
                    "resources": [_entry(kind) for kind in _of(name, version)],
                }
                for version in versions
            ],
        }
        for name, versions in groups.items()
    ]
    api_version = f"apidiscovery.k8s.io/{form_version}"
    head = {"kind": "APIGroupDiscoveryList", "apiVersion": api_version, "metadata": {}}
    return head | {"items": items}


def _entry(kind: Served) -> Json:
    found: Json = {
        "resource": kind.plural,
        "responseKind": {"group": kind.group, "version": kind.version, "kind": kind.kind},
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": VERBS,
    }
    found |= {"shortNames": list(kind.short_names)} if kind.short_names else {}
    return found | ({"categories": list(kind.categories)} if kind.categories else {})
