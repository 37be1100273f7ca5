"""The typed form of a pod's specification, shared by Pod and by Deployment's template.

Only what this lab acts on is typed; everything else that was written stays in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from testbed.objects.dnsconfig import DnsConfig
from testbed.objects.env import EnvVar
from testbed.objects.probe import Probe

Protocol = Literal["TCP", "UDP", "SCTP"]
RestartPolicy = Literal["Always", "OnFailure", "Never"]


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container declares: information, and the target of named ports.

    Attributes:
        name: Unique in the container; None if it has none.
        container_port: 1 to 65535.
        protocol: ``TCP``, ``UDP`` or ``SCTP``.
    """

    name: str | None
    container_port: int
    protocol: Protocol


@dataclass(frozen=True, slots=True)
class Container:
    """A container, or an init container.

    Attributes:
        name: Unique in the pod.
        image: As written.
        command: Replaces the image's entry point; empty where not given. Before expansion.
        args: Replaces the image's arguments; empty where not given. Before expansion.
        env: In the order of declaration.
        ports: Declared ports.
        working_dir: None for the image's own.
        restart_policy: ``Always`` on a sidecar among the init containers, else None.
        readiness_probe: What says whether it is ready; None if it is as soon as it has started.
        liveness_probe: What says whether it must be started again; None if only its end does.
        startup_probe: What says whether it has started; None if it has as soon as it runs.
    """

    name: str
    image: str
    command: tuple[str, ...]
    args: tuple[str, ...]
    env: tuple[EnvVar, ...]
    ports: tuple[ContainerPort, ...]
    working_dir: str | None
    restart_policy: str | None
    readiness_probe: Probe | None = None
    liveness_probe: Probe | None = None
    startup_probe: Probe | None = None

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> Container:
        """The container of a valid pod."""
        return cls(
            manifest["name"],
            manifest["image"],
            tuple(manifest.get("command", ())),
            tuple(manifest.get("args", ())),
            tuple(EnvVar.decode(variable) for variable in manifest.get("env", ())),
            tuple(
                ContainerPort(port.get("name") or None, port["containerPort"], port["protocol"])
                for port in manifest.get("ports", ())
            ),
            manifest.get("workingDir") or None,
            manifest.get("restartPolicy") or None,
            Probe.decode(manifest.get("readinessProbe")),
            Probe.decode(manifest.get("livenessProbe")),
            Probe.decode(manifest.get("startupProbe")),
        )


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What a pod runs, and where.

    Attributes:
        containers: At least one.
        init_containers: Run before them, in order.
        node_name: The node that was asked for; None leaves it to the scheduler.
        node_selector: Labels that the node must have.
        restart_policy: For all containers.
        hostname: None for the pod's name.
        subdomain: None for none.
        host_network: Whether it uses the node's network namespace.
        termination_grace_period_seconds: From SIGTERM to SIGKILL.
        dns_policy: ``ClusterFirst``, ``ClusterFirstWithHostNet``, ``Default`` or ``None``.
        dns_config: What its resolv.conf has besides.
    """

    containers: tuple[Container, ...]
    init_containers: tuple[Container, ...]
    node_name: str | None
    node_selector: Mapping[str, str]
    restart_policy: RestartPolicy
    hostname: str | None
    subdomain: str | None
    host_network: bool
    termination_grace_period_seconds: int
    dns_policy: str
    dns_config: DnsConfig

    @classmethod
    def decode(cls, manifest: Mapping[str, Any]) -> PodSpec:
        """The specification of a valid pod or template, with its defaults filled in."""
        return cls(
            tuple(Container.decode(one) for one in manifest["containers"]),
            tuple(Container.decode(one) for one in manifest.get("initContainers", ())),
            manifest.get("nodeName") or None,
            manifest.get("nodeSelector", {}),
            manifest["restartPolicy"],
            manifest.get("hostname") or None,
            manifest.get("subdomain") or None,
            manifest.get("hostNetwork", False),
            manifest["terminationGracePeriodSeconds"],
            manifest["dnsPolicy"],
            DnsConfig.decode(manifest.get("dnsConfig", {})),
        )
