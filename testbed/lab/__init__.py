"""The one place that touches the kernel: the sandbox, the fabric, the executor, the pods.

A lab is a supervisor with namespaces of its own (:mod:`testbed.lab.sandbox`) and, in them, a daemon
(:mod:`testbed.lab.daemon`) that makes the plan so and answers on the control socket. Commands reach
it through :mod:`testbed.lab.client`.
"""
