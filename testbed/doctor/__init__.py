"""What this machine has and can do, by trying it; what the parts of this project need of it.

:mod:`~testbed.doctor.kernel` lists kernel features, :mod:`~testbed.doctor.features` programs;
:mod:`~testbed.doctor.probe` is the throw-away process in which the kernel's are tried, and
:mod:`~testbed.doctor.needs` asks the registries who needs what.
"""
