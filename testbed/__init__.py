"""Kubernetes cluster networking on one Linux machine, emulated, explained and measured.

The way of the data is one direction, package by package::

    objects → cluster → plan → lab → measure (scenarios) → analysis

Everything left of :mod:`testbed.lab` is pure: no root, no kernel, no clock, no subprocess.
"""

__version__ = "0.1.0"
