"""The Open vSwitch underlay: its switches, and the OpenFlow controller that runs them.

``openvswitch`` says how the daemons and bridges are made, ``config`` what the controller is told of
the fabric. ``graph``, ``rules`` and ``core`` decide which rules each switch shall have; like the
first two they are pure. ``wire`` puts rules into OpenFlow messages and back, ``app`` is the os-ken
application around all that, ``control`` answers questions, ``python -m testbed.sdn`` runs it.
"""
