"""Conformance: whether a running lab keeps its promises, found out by real traffic.

A suite (:mod:`testbed.conformance.contract`) is one module of :mod:`testbed.conformance.suites`; it
gets a lab and yields checks. What suites share is here:

=============  ====================================================================
``targets``    pods, nodes and containers with their network namespaces
``temporary``  pods that a suite adds for its own time
``pairs``      who talks to whom: everybody to everybody, or a sample
``sockets``    sockets in any namespace, made without a process there
``rounds``     many exchanges at once: what was sent, seen and answered
``reachability``  groups of exchanges, one per check, all run in one round
``neighbours``    runs a round in waves that the kernel's neighbour table can hold
``tcp``        exchanges by TCP
``datagrams``  exchanges by UDP and by ICMP echo
``mtu``        packets of exactly the promised size, and of one byte more
=============  ====================================================================

A socket stays in the network namespace in which it was made. So the process that checks holds both
ends of each exchange, in one event loop, and can say where a packet got lost.
"""
