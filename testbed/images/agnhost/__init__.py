"""Kubernetes' test server and client ``agnhost``, for pods without images.

It runs alone inside a pod: ``python3 -I -S testbed/images/agnhost SUBCOMMAND …``, with the standard
library only, each subcommand importing just what it needs, so that a pod is ready after some 30 ms.

========================  =========================================================================
``netexec``               HTTP and UDP with many endpoints (:mod:`~testbed.images.agnhost.netexec`)
``serve-hostname``        the host name over HTTP, or TCP and UDP
``connect``               tries a connection and says why it fails
``grpc-health-checking``  the health service of gRPC, and HTTP to change what it says
``porter``                answers on the ports that environment variables name
``pause``                 does nothing until a signal
========================  =========================================================================

Flags are written as for the real one, ``--port 80`` or ``--port=80``, ``--tcp`` or ``--tcp=true``.
What differs: there are no certificates of its own, no TLS in ``grpc-health-checking``, SCTP is
there only in ``connect`` and ``porter``, and ``serve-hostname`` ends at once on SIGTERM, where the
real one waits a minute. All but ``grpc-health-checking`` need nothing but the standard library.

Source: kubernetes ``test/images/agnhost``, whose behaviour and messages these modules follow.
"""
