"""Kubernetes objects from YAML: read, checked, completed, typed.

:func:`load` reads files, folders and standard input, :func:`parse` a text, :func:`from_manifest` a
dictionary. An object is checked against Kubernetes' own schema and by the API server's own rules,
gets the API server's defaults, and becomes a frozen value: :class:`Namespace`, :class:`Pod`,
:class:`Deployment`, :class:`Service`, :class:`Endpoints`, :class:`EndpointSlice`,
:class:`Ingress`, :class:`IngressClass`, :class:`Secret` or :class:`EgressPolicy`. Its ``manifest``
is the completed object as Kubernetes JSON, without status. Whatever is wrong is an
:class:`testbed.errors.InputError` that names file, document, line and field. Nothing here needs
root, the network or a running lab.

The way of the data: :mod:`~testbed.objects.files` → :mod:`~testbed.objects.yamltext` →
:mod:`~testbed.objects.decode`, which asks :mod:`~testbed.objects.schema` and the kind's module in
the table :mod:`~testbed.objects.kinds`.
"""

from testbed.objects.decode import from_manifest
from testbed.objects.deployment import Deployment, PodTemplate
from testbed.objects.egresspolicy import EgressPolicy
from testbed.objects.endpoints import Endpoints, Subset
from testbed.objects.endpointslice import EndpointSlice, SliceEndpoint, SlicePort
from testbed.objects.env import EnvVar, environment, expand
from testbed.objects.files import load, parse
from testbed.objects.ingress import Ingress, IngressBackend, IngressPath, IngressRule, IngressTls
from testbed.objects.ingressclass import IngressClass
from testbed.objects.kind import Kind, Object
from testbed.objects.kinds import SERVED
from testbed.objects.labels import LabelSelector, Requirement, parse_selector
from testbed.objects.meta import ADDRESS_ANNOTATION, Metadata, requested_address
from testbed.objects.namespace import Namespace
from testbed.objects.pod import Pod
from testbed.objects.podspec import Container, ContainerPort, PodSpec
from testbed.objects.probe import Exec, Grpc, HttpGet, Probe, TcpSocket
from testbed.objects.secret import Secret
from testbed.objects.service import Service, ServicePort, ServiceSpec
from testbed.objects.source import Source
from testbed.objects.unserved import unserved_fields

__all__ = [
    "ADDRESS_ANNOTATION",
    "SERVED",
    "Container",
    "ContainerPort",
    "Deployment",
    "EgressPolicy",
    "EndpointSlice",
    "Endpoints",
    "EnvVar",
    "Exec",
    "Grpc",
    "HttpGet",
    "Ingress",
    "IngressBackend",
    "IngressClass",
    "IngressPath",
    "IngressRule",
    "IngressTls",
    "Kind",
    "LabelSelector",
    "Metadata",
    "Namespace",
    "Object",
    "Pod",
    "PodSpec",
    "PodTemplate",
    "Probe",
    "Requirement",
    "Secret",
    "Service",
    "ServicePort",
    "ServiceSpec",
    "SliceEndpoint",
    "SlicePort",
    "Source",
    "Subset",
    "TcpSocket",
    "environment",
    "expand",
    "from_manifest",
    "load",
    "parse",
    "parse_selector",
    "requested_address",
    "unserved_fields",
]
