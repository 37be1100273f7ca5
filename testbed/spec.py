"""What a lab is asked to be: the options of ``up``, ``plan`` and ``bench``, checked and resolved.

Pure: nothing here needs root or touches the kernel, so every mistake in the input is found before
anything is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from testbed import cluster as clusters
from testbed import defaults
from testbed.cluster import Cluster, Options, loadbalancers
from testbed.cluster.discovery import discover
from testbed.cluster.proxyview import proxy_view
from testbed.dns import addon, internet
from testbed.dns import options as dns_options
from testbed.errors import InputError, Where, unknown
from testbed.images.catalogue import resolve as resolve_image
from testbed.ingress import addon as ingress
from testbed.ingress import options as ingress_options
from testbed.objects import Container, Deployment, Object, Pod
from testbed.plan import build, egressgateway, sdn
from testbed.plan.contract import CniMode, modes
from testbed.plan.model import PYTHON, Plan
from testbed.proxy.contract import ProxyMode, RunsProgram, Step
from testbed.proxy.contract import modes as proxies
from testbed.proxy.program import NodeProgram, proxy_node
from testbed.topology import load, settings
from testbed.topology.model import Topology


@dataclass(frozen=True)
class Spec:
    """A lab to be.

    Attributes:
        cni: Name of the CNI mode.
        proxy: Name of the proxy mode.
        mode: The CNI mode.
        cluster: The cluster with its pods.
    """

    cni: str
    proxy: str
    mode: CniMode
    cluster: Cluster

    @property
    def topology(self) -> Topology:
        """The underlay."""
        return self.cluster.topology

    @cached_property
    def plan(self) -> Plan:
        """What must exist.

        Raises:
            InputError: The mode cannot carry the cluster.
        """
        added = addon.plan(self.cluster, self.proxied) + self._proxy_plan()
        return build.build(self.cluster, self.mode) + added

    def _proxy_plan(self) -> Plan:
        """The programs of a proxy mode that has such."""
        mode, cluster = self.proxy_mode, self.cluster
        if not isinstance(mode, RunsProgram):
            return Plan()
        known = {n.namespace: proxy_node(cluster, n, cluster.options.proxy) for n in cluster.nodes}
        return Plan({name: mode.runs(node) for name, node in known.items()})

    @property
    def proxied(self) -> bool:
        """Whether pods reach Services."""
        return bool(self.proxy_mode.needs)

    @property
    def components(self) -> tuple[str, ...]:
        """The real components that it needs (:mod:`testbed.go`)."""
        dns = (self.cluster.options.dns,) if addon.wanted(self.cluster) else ()
        mode = self.proxy_mode
        return (*dns, mode.component) if isinstance(mode, RunsProgram) else dns

    @property
    def programs_given(self) -> dict[str, str]:
        """Component → path, of those that were named."""
        path = self.cluster.options.coredns
        return {dns_options.COREDNS: path} if path else {}

    @property
    def proxy_mode(self) -> ProxyMode:
        """The proxy mode."""
        return proxies.get(self.proxy)

    def programs(self) -> dict[str, NodeProgram]:
        """Namespace of each node → its proxy's program, with nothing loaded yet.

        Empty if a daemon of the plan does that.
        """
        mode, cluster = self.proxy_mode, self.cluster
        if isinstance(mode, RunsProgram):
            return {}
        settings = cluster.options.proxy
        return {
            node.namespace: NodeProgram(mode, proxy_node(cluster, node, settings))
            for node in cluster.nodes
        }

    def proxy_steps(self) -> dict[str, tuple[Step, ...]]:
        """Namespace of each node → what its proxy loads once all pods are ready."""
        view = proxy_view(discover(self.cluster))
        found = {name: program.update(view)[0] for name, program in self.programs().items()}
        return {name: steps for name, steps in found.items() if steps}

    @property
    def needs(self) -> tuple[str, ...]:
        """The features that the plan needs of the machine."""
        datapath = self.cluster.options.datapath
        components = (name for name in self.components if name not in self.programs_given)
        controller = ingress.controller(self.cluster).needs if ingress.wanted(self.cluster) else ()
        modes = (*self.mode.needs, *self.proxy_mode.needs, *components, *controller)
        modes += egressgateway.NEEDS if self.cluster.egress_policies else ()
        return tuple(dict.fromkeys((*modes, *needs(self.plan, self.topology, datapath))))

    def with_cluster(self, cluster: Cluster) -> Spec:
        """The same lab with another desired state."""
        return replace(self, cluster=cluster)


def needs(plan: Plan, topology: Topology, datapath: str) -> tuple[str, ...]:
    """The features that a plan needs of the machine, apart from those of its CNI mode."""
    parts = plan.namespaces.values()
    impairments = (need for part in parts for item in part.impairments for need in item.needs)
    built = {PYTHON, *dns_options.MODES}
    daemons = (d.name for part in parts for d in part.daemons if d.argv[0] not in built)
    return tuple(dict.fromkeys((*daemons, *sdn.needs(topology, datapath), *impairments)))


def resolve(
    topology: str = defaults.TOPOLOGY,
    objects: Iterable[Object] = (),
    cni: str = defaults.CNI,
    proxy: str = defaults.PROXY,
    chosen: Mapping[str, str] | None = None,
) -> Spec:
    """The lab that these options ask for.

    Args:
        topology: A name, or the path of a ``.py`` or ``.yaml`` file.
        objects: What shall run on it.
        cni: Name of the CNI mode.
        proxy: Name of the proxy mode.
        chosen: ``--set`` keys and values.

    Raises:
        InputError: Something is unknown, invalid or does not fit together.
    """
    mode = modes.get(cni, Where("--cni"))
    proxy_mode = proxies.get(proxy, Where("--proxy"))
    own, options = _split(mode, proxy_mode, dict(chosen or {}))
    proxy_mode.check(options.proxy)
    underlay = load.load(topology, own)
    cluster = clusters.new(underlay, options)
    if proxy_mode.needs or addon.wanted(cluster):
        cluster = clusters.with_api(cluster)
    if not proxy_mode.needs:
        ingress_options.refuse_without_proxy(options.ingress)
    given = tuple(objects)
    cluster = apply(cluster, ingress.objects(cluster, given))  # first: in L2 the first node's rack
    cluster = apply(apply(cluster, addon.objects(cluster)), given)
    spec = Spec(cni, proxy, mode, cluster)
    mode.check(cluster)
    return spec


def apply(cluster: Cluster, objects: Sequence[Object]) -> Cluster:
    """The cluster with these objects, whose images are known.

    Raises:
        InputError: An image is unknown, or the cluster refuses an object.
    """
    for item in objects:
        _check_images(item)
    return clusters.apply(cluster, objects)


def parse_settings(texts: Iterable[str]) -> dict[str, str]:
    """``KEY=VALUE`` texts as a mapping.

    Raises:
        InputError: A text has no ``=``, or a key is given twice.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise InputError(f"{text!r} is not KEY=VALUE", where=Where("--set"))
        if key in found:
            raise InputError(f"{key} is given twice", where=Where("--set"))
        found[key] = value
    return found


def _split(
    mode: CniMode, proxy: ProxyMode, chosen: dict[str, str]
) -> tuple[dict[str, str], Options]:
    """The topology's settings, and the cluster's with the modes'."""
    own_of_mode = {key: chosen.pop(key, default) for key, default in mode.settings.items()}
    own_of_proxy = {key: chosen.pop(key, default) for key, default in proxy.settings.items()}
    topologys, clusters_ = settings.split_settings(chosen)
    return topologys, _options(clusters_, own_of_mode, own_of_proxy)


def _options(
    chosen: dict[str, str], own_of_mode: Mapping[str, str], own_of_proxy: Mapping[str, str]
) -> Options:
    mask, bfd = chosen.pop("node_cidr_mask_size", "24"), chosen.pop("bfd", "false")
    if not mask.isdecimal():
        where = Where("--set", field="node_cidr_mask_size")
        raise InputError(f"{mask!r} is no prefix length", where=where)
    if bfd not in ("true", "false"):
        raise InputError(f"{bfd!r} is neither true nor false", where=Where("--set", field="bfd"))
    if chosen.get("datapath", sdn.AUTO) not in sdn.DATAPATHS:
        where = Where("--set", field="datapath")
        raise unknown("datapath", chosen["datapath"], sdn.DATAPATHS, where)
    if chosen.get("lb", "none") not in loadbalancers.PROTOCOLS:
        where = Where("--set", field="lb")
        raise unknown("protocol", chosen["lb"], loadbalancers.PROTOCOLS, where)
    dns_options.check(chosen)
    ingress_options.check(chosen)
    if "coredns" in chosen:
        chosen["coredns"] = dns_options.program(chosen["coredns"])
    if "internet" in chosen:
        chosen["internet"] = internet.read(chosen["internet"])
    return Options(
        **chosen,
        node_cidr_mask_size=int(mask),
        bfd=bfd == "true",
        mode=own_of_mode,
        proxy=own_of_proxy,
    )


def _check_images(item: Object) -> None:
    if isinstance(item, Pod):
        spec, base = item.spec, "spec"
    elif isinstance(item, Deployment):
        spec, base = item.template.spec, "spec.template.spec"
    else:
        return
    for field, containers in (
        ("initContainers", spec.init_containers),
        ("containers", spec.containers),
    ):
        for position, container in enumerate(containers):
            source = item.source
            where = Where(
                source.file, source.document, source.line, f"{base}.{field}[{position}].image"
            )
            program(container, where)


def program(container: Container, where: Where) -> list[str] | None:
    """What a container runs, before variables are expanded; None for no process.

    Raises:
        InputError: It has no command, and its image is not in the catalogue.
    """
    return resolve_image(container.image, container.command, container.args, where)
