"""The relay of proxy mode ``userspace``: a process on each node that copies what clients send.

It is started by the lab daemon in the node's network namespace (:mod:`testbed.lab.relay`), and told
by lines of JSON on a socket what there is; it answers each with an empty line when it knows.
"""
