"""The structure of kinds that are not Kubernetes' own but come as CustomResourceDefinitions.

In the form in which :mod:`testbed.objects.schema` has Kubernetes' own kinds, and strict like them.
What a cluster's own definition has by patterns is checked by the kind's module, for its words.

Source: cilium ``pkg/k8s/apis/cilium.io/client/crds/v2/ciliumegressgatewaypolicies.yaml``, and
``egressGateways`` from its successor in Cilium 1.18.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_META = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1."
_SELECTOR: Json = {"$ref": f"{_META}LabelSelector"}
_TEXT: Json = {"type": "string"}


def _mapping(properties: Json, *required: str) -> Json:
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def _list(items: Json) -> Json:
    return {"type": "array", "items": items}


def _kind(group: str, version: str, kind: str, spec: Json) -> dict[str, Json]:
    """The definitions of a kind and of its list."""
    names = {"apiVersion": {"enum": [f"{group}/{version}"]}, "kind": _TEXT}
    gvk = {"group": group, "version": version}
    one = _mapping({**names, "metadata": {"$ref": f"{_META}ObjectMeta"}, "spec": spec}, "spec")
    many = _mapping({**names, "metadata": {"$ref": f"{_META}ListMeta"}})
    return {
        f"{group}.{version}.{kind}": {
            **one,
            "x-kubernetes-group-version-kind": [{**gvk, "kind": kind}],
        },
        f"{group}.{version}.{kind}List": {
            **many,
            "x-kubernetes-group-version-kind": [{**gvk, "kind": f"{kind}List"}],
        },
    }


_GATEWAY = _mapping(
    {"nodeSelector": _SELECTOR, "egressIP": _TEXT, "interface": _TEXT}, "nodeSelector"
)
_RULE = _mapping(
    {"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR, "nodeSelector": _SELECTOR}
)

DEFINITIONS: dict[str, Json] = _kind(
    "cilium.io",
    "v2",
    "CiliumEgressGatewayPolicy",
    _mapping(
        {
            "selectors": _list(_RULE),
            "destinationCIDRs": _list(_TEXT),
            "excludedCIDRs": _list(_TEXT),
            "egressGateway": _GATEWAY,
            "egressGateways": _list(_GATEWAY),
        },
        "selectors",
        "destinationCIDRs",
        "egressGateway",
    ),
)
"""Name → definition."""
