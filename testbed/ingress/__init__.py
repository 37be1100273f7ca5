"""Ingress: from API objects to the configuration of a real proxy. Pure.

The way of the data::

    State ─▶ classes ─▶ routing ─▶ Routing ─▶ controllers/NAME.py ─▶ files
    objects  whose?     merge      checked    quoting                nginx.conf, haproxy.cfg …

:class:`~testbed.ingress.model.State` has the objects, :func:`~testbed.ingress.routing.routing`
makes of them a :class:`~testbed.ingress.model.Routing`, in which every value is of a checked type
(:mod:`~testbed.ingress.annotations`, :mod:`~testbed.ingress.paths`, :mod:`~testbed.ingress.tls`).
A controller (:mod:`~testbed.ingress.contract`) writes it down in its proxy's language, and quotes
(:mod:`~testbed.ingress.quoting`) even so. What is refused is a
:class:`~testbed.ingress.model.Problem` with the name of its Ingress; the others are untouched.
"""
