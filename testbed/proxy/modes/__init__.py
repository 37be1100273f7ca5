"""The proxy modes: one module each, with an instance in the attribute ``mode``."""
