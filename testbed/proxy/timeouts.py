"""How long nodes remember TCP connections: as kube-proxy has it, in every mode.

kube-proxy's defaults for ``conntrack.tcpEstablishedTimeout`` (24 hours) and
``conntrack.tcpCloseWaitTimeout`` (1 hour), where the kernel's are 5 days and 1 minute: what one end
has closed long ago is still translated.

Source: ``pkg/proxy/apis/config/v1alpha1/defaults.go``, ``cmd/kube-proxy/app/server_linux.go``
(``setupConntrack``), Kubernetes 1.34.
"""

from __future__ import annotations

from testbed.plan.model import Sysctl

CONNECTIONS = (
    Sysctl("net/netfilter/nf_conntrack_tcp_timeout_established", "86400"),
    Sysctl("net/netfilter/nf_conntrack_tcp_timeout_close_wait", "3600"),
)
"""The node's kernel parameters, in seconds."""
