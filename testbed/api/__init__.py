"""The Kubernetes API of a lab: list, get and watch over HTTP, of everything that the lab holds.

Kubernetes' own programs (kubectl, client libraries, kube-proxy, CoreDNS) read a lab by it. It is
read-only; changes go by ``testbed apply``.

It is a process of its own beside the lab daemon, started at the first connection
(:mod:`testbed.lab.apiserver`), so that nothing that a client does costs the lab more than telling
what has changed. The way of the data::

    lab daemon                       this process
    Ledger: versions ──messages──▶ feed ─▶ store: objects and history ─▶ listing, watching ─▶ server

What decides is pure: :mod:`~testbed.api.store`, :mod:`~testbed.api.listing`,
:mod:`~testbed.api.watching`, :mod:`~testbed.api.query`, :mod:`~testbed.api.paths`,
:mod:`~testbed.api.accept`, :mod:`~testbed.api.discovery`, :mod:`~testbed.api.tables`. What touches
sockets is :mod:`~testbed.api.server`, :mod:`~testbed.api.guard` and :mod:`~testbed.api.feed`.

Semantics are those of kube-apiserver: ``k8s.io/apiserver/pkg/endpoints`` (handlers, discovery) and
``pkg/storage/cacher`` (the watch cache), as of Kubernetes 1.34.
"""
