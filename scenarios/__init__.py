"""The scenarios: one module each, with an instance in the attribute ``scenario``.

The contract is :class:`testbed.measure.contract.Scenario`. Campaign files for ``testbed bench`` lie
here too: ``default.yaml`` is the one that runs when none is named.
"""
