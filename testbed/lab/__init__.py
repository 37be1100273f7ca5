"""A running lab: its state, what makes it so and keeps it so, and the way in from outside.

A lab is a supervisor with namespaces of its own (:mod:`testbed.kernel.sandbox`) and, in them, a
daemon (:mod:`testbed.lab.daemon`) with a :class:`~testbed.lab.lab.Lab`, which carries plans out
(:mod:`testbed.kernel`), runs pods (:mod:`testbed.kubelet`) and answers on the control socket.
Commands reach it through :mod:`testbed.lab.client`.
"""
