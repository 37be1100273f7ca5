"""Node ports of a Service: which it holds, asks for, and is given.

As ``initNodePorts``, ``updateNodePorts`` and ``allocHealthCheckNodePort`` in
``pkg/registry/core/service/storage/alloc.go``. A new Service that has one port number in two
protocols gets one node port for both; a port that is added later gets its own.
"""

from __future__ import annotations

from testbed.cluster.vips import NodePorts, Refused
from testbed.objects.serviceform import needs_health_check, needs_node_ports
from testbed.objects.source import Findings, Manifest


def held(spec: Manifest) -> set[int]:
    """The node ports that a specification has or asks for, the health check's among them."""
    if not spec or not needs_node_ports(spec):
        return set()
    found = {port["nodePort"] for port in spec.get("ports", ()) if "nodePort" in port}
    if needs_health_check(spec) and "healthCheckNodePort" in spec:
        found.add(spec["healthCheckNodePort"])
    return found


def claim(spec: Manifest, old: Manifest, pool: NodePorts, findings: Findings) -> None:
    """Takes the node ports that a Service asks for and does not have yet.

    Args:
        spec: The specification.
        old: As it was; empty if there was none.
        pool: What is free; what the Service keeps is not.
        findings: Takes what cannot be had.
    """
    if not needs_node_ports(spec):
        return
    mine, seen = held(old), set()
    for index, port in enumerate(spec.get("ports", ())):
        wish = (0 if old else port["port"], port.get("nodePort"))
        if wish[1] in {None, *mine} or wish in seen:
            continue
        seen.add(wish)
        try:
            pool.claim(port["nodePort"])
        except Refused as error:
            findings.invalid(("spec", "ports", index, "nodePort"), port["nodePort"], str(error))
    check = spec.get("healthCheckNodePort")
    if check is not None and check not in mine and needs_health_check(spec):
        try:
            pool.claim(check)
        except Refused as error:
            rule = f"failed to allocate requested HealthCheck NodePort {check}: {error}"
            findings.add(("spec", "healthCheckNodePort"), rule)


def take(spec: Manifest, old: Manifest, pool: NodePorts, findings: Findings) -> None:
    """Gives node ports to the ports that need one, and to the health check.

    Args:
        spec: The specification; filled in.
        old: As it was; empty if there was none.
        pool: What is free.
        findings: Takes that nothing is.
    """
    ports = spec.get("ports", [])
    shared = {} if old else {p["port"]: p["nodePort"] for p in reversed(ports) if "nodePort" in p}
    try:
        if needs_node_ports(spec) and spec.get("allocateLoadBalancerNodePorts", True):
            for port in (port for port in ports if "nodePort" not in port):
                port["nodePort"] = shared.get(port["port"]) or pool.take()
                if not old:
                    shared[port["port"]] = port["nodePort"]
        if needs_health_check(spec) and "healthCheckNodePort" not in spec:
            spec["healthCheckNodePort"] = pool.take()
    except Refused as error:
        findings.add(("spec", "ports"), f"failed to allocate a nodePort: {error}")
