"""The underlay: which hosts, switches and links a lab's fabric has.

A :class:`~testbed.topology.model.Topology` is pure data. It comes from a Mininet ``Topo`` class
(:mod:`~testbed.topology.convert`) or from YAML (:mod:`~testbed.topology.yamlform`), both found by
:func:`testbed.topology.load.load`.
"""
