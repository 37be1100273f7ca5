"""What makes Services work on nodes: proxy modes, and what is common to them. Pure.

The way is ``ProxyView`` (what there is) → ``Categorized`` (what of it a node uses) → a fragment per
port of a Service (what the node needs for it) → steps (what is loaded). See
:mod:`testbed.proxy.contract`.
"""
