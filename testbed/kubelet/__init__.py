"""The kubelets' part: pods' processes, restarts, probes and readiness, in one event loop.

:class:`~testbed.kubelet.kubelet.Kubelet` has the pods of all nodes, each with its
:mod:`~testbed.kubelet.containers`; :mod:`~testbed.kubelet.probing` asks what their probes ask, and
:mod:`~testbed.kubelet.readiness` (pure) says what follows from the answers.
"""
