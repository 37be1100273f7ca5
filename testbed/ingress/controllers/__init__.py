"""Ingress controllers: one module each (:mod:`testbed.ingress.contract`)."""
