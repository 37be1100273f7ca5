"""The CNI modes: one module each, with the instance ``mode`` (contract: ``testbed.plan.contract``)."""
