"""Paths, content negotiation, query parameters and selectors."""

from __future__ import annotations

import pytest
from api_builders import asked, pod, pods

from testbed.api import accept, fields, paths
from testbed.api.accept import Form
from testbed.api.failures import Failure

KUBECTL = (
    "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
)
AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@pytest.mark.parametrize(
    ("path", "plural", "namespace", "name"),
    [
        ("/api/v1/pods", "pods", None, None),
        ("/api/v1/pods/", "pods", None, None),
        ("/api/v1/namespaces/shop/pods", "pods", "shop", None),
        ("/api/v1/namespaces/shop/pods/web", "pods", "shop", "web"),
        ("/api/v1/namespaces/shop/pods/web/status", "pods", "shop", "web"),
        ("/api/v1/namespaces", "namespaces", None, None),
        ("/api/v1/namespaces/shop", "namespaces", None, "shop"),
        ("/api/v1/namespaces/shop/status", "namespaces", None, "shop"),
        ("/api/v1/nodes/n1", "nodes", None, "n1"),
        ("/apis/apps/v1/namespaces/a/deployments/b", "deployments", "a", "b"),
        ("/apis/discovery.k8s.io/v1/endpointslices", "endpointslices", None, None),
    ],
)
def test_a_path_names(path: str, plural: str, namespace: str | None, name: str | None) -> None:
    found = paths.target(path)
    assert (found.kind.plural, found.namespace, found.name) == (plural, namespace, name)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/api",
        "/api/v1",
        "/api/v2/pods",
        "/api/v1/configmaps",
        "/api/v1/pods/web",  # a pod is in a namespace
        "/api/v1/namespaces/shop/nodes",  # a node is not
        "/api/v1/namespaces/shop/pods/web/log",
        "/api/v1//pods",
        "/api/v1/namespaces//pods",
        "/apis/apps/v1/pods",
        "/apis/v1/pods",
        "/apis",
        "/../etc/passwd",
        "/api/v1/pods/../../..",
        "/metrics",
    ],
)
def test_a_path_names_nothing(path: str) -> None:
    with pytest.raises(Failure) as failed:
        paths.target(path)
    assert failed.value.status() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "the server could not find the requested resource",
        "reason": "NotFound",
        "code": 404,
    }


@pytest.mark.parametrize(
    ("header", "discovery", "form"),
    [
        ("", False, Form("plain")),
        ("*/*", False, Form("plain")),
        ("application/json", False, Form("plain")),
        (KUBECTL, False, Form("table", "v1")),
        ("application/json;as=Table;v=v1beta1;g=meta.k8s.io", False, Form("table", "v1beta1")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", False, Form("plain")),
        ("application/vnd.kubernetes.protobuf,application/json", False, Form("plain")),
        ("application/vnd.kubernetes.protobuf, */*", False, Form("plain")),
        ("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", False,
         Form("metadata", "v1")),
        ("application/json;q=0.5,application/json;as=Table;v=v1;g=meta.k8s.io", False,
         Form("table", "v1")),
        (AGGREGATED, True, Form("discovery", "v2")),
        (AGGREGATED, False, Form("plain")),
        (KUBECTL, True, Form("plain")),
    ],
)  # fmt: skip
def test_the_best_form_that_there_is(header: str, discovery: bool, form: Form) -> None:
    assert accept.form(header, discovery) == form


@pytest.mark.parametrize(
    "header",
    ["application/vnd.kubernetes.protobuf", "text/html", "application/json;as=Poem", ";;;", ",,=,"],
)
def test_a_form_that_there_is_not(header: str) -> None:
    with pytest.raises(Failure) as failed:
        accept.form(header)
    assert (failed.value.code, failed.value.reason) == (406, "NotAcceptable")


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("metadata.name=web", True),
        ("metadata.name==web", True),
        ("metadata.name!=web", False),
        ("metadata.name=web,spec.nodeName=n2", False),
        ("spec.nodeName=n1,status.phase!=Succeeded,status.phase!=Failed", True),
        ("status.podIP=10.244.1.2", True),
        ("spec.hostNetwork=false", True),
        ("spec.hostNetwork=true", False),
        ("status.nominatedNodeName=", True),
        (",metadata.name=web,", True),
    ],
)
def test_a_field_selector(selector: str, matches: bool) -> None:
    held = pods()
    held.put(pod("web", 1), 1)
    assert asked(fieldSelector=selector).wanted(held.sorted()[0]) is matches


def test_escapes_in_a_field_selector() -> None:
    found = fields.parse(r"metadata.name=a\,b\=c\\d", ("metadata.name",), True)
    assert found.terms == (("metadata.name", True, r"a,b=c\d"),)


@pytest.mark.parametrize(
    ("path", "selector", "message"),
    [
        ("/api/v1/pods", "spec.foo=1", "field label not supported: spec.foo"),
        ("/api/v1/pods", "nonsense", "invalid selector: 'nonsense'; can't understand 'nonsense'"),
        ("/api/v1/pods", r"metadata.name=a\b", r"invalid field selector: invalid escape sequence"),
        ("/api/v1/pods", "metadata.name=a=b", "unescaped character in value"),
        ("/apis/apps/v1/deployments", "spec.replicas=1",
         '"spec.replicas" is not a known field selector: only "metadata.name", '
         '"metadata.namespace"'),
    ],
)  # fmt: skip
def test_a_field_selector_that_is_none(path: str, selector: str, message: str) -> None:
    with pytest.raises(Failure) as failed:
        asked(path, fieldSelector=selector)
    assert failed.value.code == 400
    assert message in failed.value.message


@pytest.mark.parametrize("selector", ["a=(", "a in b", "=", "a=b c", "!", "a==!!"])
def test_a_label_selector_that_is_none(selector: str) -> None:
    with pytest.raises(Failure, match="unable to parse requirement") as failed:
        asked(labelSelector=selector)
    assert failed.value.code == 400


def test_options_of_a_watch() -> None:
    found = asked(
        watch="1", resourceVersion="7", allowWatchBookmarks="true", timeoutSeconds="9", limit="5"
    )
    assert (found.watch, found.version, found.bookmarks, found.seconds) == (True, 7, True, 9)
    assert found.initial is None


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ({"resourceVersion": "x"}, 400, 'parsing "x": invalid syntax'),
        ({"resourceVersion": "-1"}, 400, "invalid syntax"),
        ({"resourceVersion": "9" * 30}, 400, "invalid syntax"),
        ({"resourceVersion": "\N{ARABIC-INDIC DIGIT ONE}"}, 400, "invalid syntax"),
        ({"limit": "many"}, 400, "ParseInt"),
        ({"limit": "9" * 400}, 400, "ParseInt"),
        ({"watch": "perhaps"}, 400, "ParseBool"),
        ({"continue": "!"}, 400, "continue key is not valid"),
        ({"continue": "e30"}, 400, "continue key is not valid"),  # {}
        ({"continue": "W1tbW1tb"}, 400, "continue key is not valid"),
        ({"continue": "bnVsbA"}, 400, "continue key is not valid"),  # null
        ({"resourceVersionMatch": "Exact"}, 422, "unless resourceVersion is provided"),
        ({"resourceVersionMatch": "Exact", "resourceVersion": "0"}, 422, "forbidden for"),
        ({"resourceVersionMatch": "Foo", "resourceVersion": "1"}, 422, "supported values"),
        ({"sendInitialEvents": "true"}, 422, "sendInitialEvents is forbidden for list"),
        ({"watch": "1", "sendInitialEvents": "true"}, 422, "requires setting"),
        ({"watch": "1", "resourceVersionMatch": "NotOlderThan"}, 422, "forbidden for watch"),
    ],
)
def test_parameters_that_make_no_sense(query: dict[str, str], code: int, message: str) -> None:
    with pytest.raises(Failure) as failed:
        asked(**query)
    assert failed.value.code == code
    assert message in failed.value.message
