"""The conformance suites: one module each (contract: ``testbed.conformance.contract``)."""
