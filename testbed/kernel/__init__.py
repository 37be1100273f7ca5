"""The one place that touches the kernel: namespaces, netlink, nftables, IPVS, sandbox, executor.

:mod:`~testbed.kernel.sandbox` makes the namespaces in which all of a lab lives.
:mod:`~testbed.kernel.executor` carries a plan out in them: a netlink batch
(:mod:`~testbed.kernel.batch`) for each network namespace (:mod:`~testbed.kernel.netns`).
:mod:`~testbed.kernel.nftnetlink` loads transactions of nftables, :mod:`~testbed.kernel.ipvs`
virtual servers. Nothing here knows of labs, pods or Services.
"""
