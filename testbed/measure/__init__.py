"""Measuring: the runners and parsers of the tools, and campaigns of many samples.

A *scenario* (:mod:`scenarios`, contract in :mod:`testbed.measure.contract`) measures one cell of
its matrix once, by the runners here: :mod:`~testbed.measure.iperf3`,
:mod:`~testbed.measure.sockperf`, :mod:`~testbed.measure.tcp`, :mod:`~testbed.measure.probes`. A
*campaign* (:mod:`~testbed.measure.campaign`) is what of the matrix is measured how often; the
*schedule* (:mod:`~testbed.measure.schedule`) its order; the *journal*
(:mod:`~testbed.measure.journal`) what has been measured.
"""
