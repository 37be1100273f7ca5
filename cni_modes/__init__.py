"""The CNI modes: one module each, with the instance ``mode``; see ``testbed.plan.contract``."""
