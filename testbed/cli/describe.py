"""``testbed describe``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import click

from testbed.cli import ingresstext, servicedescription
from testbed.cli.kinds import Kind, find, missing

Json = Mapping[str, Any]
_WIDTH = 20  # of titles, with what they are indented by


@click.command()
@click.argument("kind")
@click.argument("name", required=False)
@click.option("-n", "--namespace", default="default", show_default=True)
@click.pass_obj
def command(lab: str, kind: str, name: str | None, namespace: str) -> None:
    """Show an object in detail, for people; all objects of the kind without NAME."""
    from testbed.lab.client import Lab

    if "/" in kind and name is None:
        kind, _, name = kind.partition("/")
    wanted = find(kind)
    running = Lab(lab)
    items = running.objects(wanted.plural, namespace if wanted.namespaced else None)
    found = [i for i in items if name is None or i["metadata"]["name"] == name]
    if name is not None and not found:
        raise missing(wanted, name)
    others = running.objects(_OTHERS[wanted.plural]) if wanted.plural in _OTHERS else []
    click.echo("\n\n".join("\n".join(_lines(wanted, item, others)) for item in found))


def _lines(kind: Kind, item: Json, others: list[dict[str, Any]]) -> Iterator[str]:
    if kind.plural in _WHOLE:
        yield from _WHOLE[kind.plural](item, others)
        return
    meta = item["metadata"]
    yield _field("Name", meta["name"])
    if kind.namespaced:
        yield _field("Namespace", meta["namespace"])
    yield from _map("Labels", meta.get("labels", {}))
    yield from _map("Annotations", meta.get("annotations", {}))
    yield _field("Created", meta["creationTimestamp"])
    if kind.plural in _DETAILS:
        yield from _DETAILS[kind.plural](item, others)


def _field(title: str, value: Any, indent: int = 0) -> str:
    return f"{'  ' * indent}{title + ':':<{_WIDTH - 2 * indent}}{value}"


def _map(title: str, values: Json) -> Iterator[str]:
    texts = [f"{key}={value}" for key, value in values.items()] or ["<none>"]
    yield _field(title, texts[0])
    for text in texts[1:]:
        yield " " * _WIDTH + text


def _pod(item: Json, _: list[dict[str, Any]]) -> Iterator[str]:
    status = item["status"]
    yield _field("Node", f"{item['spec']['nodeName']}/{status['hostIP']}")
    yield _field("Status", status["phase"])
    if "reason" in status:
        yield _field("Reason", status["reason"])
    yield _field("IP", status["podIP"])
    for owner in item["metadata"].get("ownerReferences", ()):
        yield _field("Controlled By", f"{owner['kind']}/{owner['name']}")
    by_name = {state["name"]: state for state in status["containerStatuses"]}
    yield "Containers:"
    for container in item["spec"]["containers"]:
        yield from _container(container, by_name.get(container["name"], {}))
    yield from _conditions(status)


def _container(container: Json, state: Json) -> Iterator[str]:
    yield f"  {container['name']}:"
    yield _field("Image", container["image"], 2)
    command_line = [*container.get("command", ()), *container.get("args", ())]
    if command_line:
        yield _field("Command", " ".join(command_line), 2)
    ports = ", ".join(f"{p['containerPort']}/{p['protocol']}" for p in container.get("ports", ()))
    if ports:
        yield _field("Ports", ports, 2)
    for title, key in (("State", "state"), ("Last State", "lastState")):
        for kind, detail in state.get(key, {}).items():
            yield _field(title, kind.capitalize(), 2)
            for name in ("reason", "message", "exitCode", "startedAt", "finishedAt"):
                if name in detail:
                    yield _field(name[0].upper() + name[1:], detail[name], 3)
    yield _field("Ready", state.get("ready", False), 2)
    yield _field("Restarts", state.get("restartCount", 0), 2)


def _conditions(status: Json) -> Iterator[str]:
    yield "Conditions:"
    for condition in status["conditions"]:
        yield _field(condition["type"], condition["status"], 1)


def _node(item: Json, pods: list[dict[str, Any]]) -> Iterator[str]:
    for address in item["status"]["addresses"]:
        yield _field(address["type"], address["address"])
    yield _field("PodCIDR", item["spec"]["podCIDR"])
    yield _field("Kernel", item["status"]["nodeInfo"]["kernelVersion"])
    yield from _conditions(item["status"])
    own = [pod for pod in pods if pod["spec"]["nodeName"] == item["metadata"]["name"]]
    yield from _pod_list(own)


def _pod_list(pods: list[dict[str, Any]]) -> Iterator[str]:
    yield _field("Pods", len(pods))
    for pod in pods:
        meta, status = pod["metadata"], pod["status"]
        yield f"  {meta['namespace']}/{meta['name']}  {status['podIP']}  {status['phase']}"


def _deployment(item: Json, pods: list[dict[str, Any]]) -> Iterator[str]:
    status, spec = item["status"], item["spec"]
    yield from _map("Selector", spec["selector"].get("matchLabels", {}))
    yield _field(
        "Replicas",
        f"{spec['replicas']} desired | {status['replicas']} total | "
        f"{status['availableReplicas']} available | {status['unavailableReplicas']} unavailable",
    )
    meta = item["metadata"]
    own = [
        pod
        for pod in pods
        if pod["metadata"]["namespace"] == meta["namespace"]
        and any(o["name"] == meta["name"] for o in pod["metadata"].get("ownerReferences", ()))
    ]
    yield from _conditions(status)
    yield from _pod_list(own)


def _namespace(item: Json, _: list[dict[str, Any]]) -> Iterator[str]:
    yield _field("Status", item["status"]["phase"])


def _ingress(item: Json, _: list[dict[str, Any]]) -> Iterator[str]:
    yield _field("Address", ingresstext.address(item))
    yield _field("Ingress Class", item["spec"].get("ingressClassName", "<none>"))
    yield from ingresstext.rules(item["spec"])


_DETAILS = {
    "pods": _pod,
    "nodes": _node,
    "deployments": _deployment,
    "namespaces": _namespace,
    "ingresses": _ingress,
}
_WHOLE: Mapping[str, Callable[[Json, list[dict[str, Any]]], Iterable[str]]] = {
    "services": servicedescription.service,
    "endpoints": servicedescription.endpoints,
    "endpointslices": servicedescription.endpoint_slice,
}
"""Kind → what kubectl prints of it, all of it."""

_OTHERS = {"nodes": "pods", "deployments": "pods", "services": "endpointslices"}
"""Kind → the kind of the objects that are shown with it."""
