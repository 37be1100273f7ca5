"""The process of an ingress controller's pod: watches the API, keeps a real proxy up to date.

``python3 -m testbed.ingresscontroller --controller=nginx --apiserver-host=http://10.96.0.1:443``
is what the images of ingress-nginx and of HAProxy's controller are here
(:mod:`testbed.images.catalogue`)::

    API ──list, watch──▶ watching ─▶ State ─▶ routing, files (testbed.ingress, pure)
                                                │
                        status, port 10254 ◀── sync: test, start, reload ─▶ nginx or HAProxy

- Changes are put together: a reload begins at the earliest :data:`~testbed.ingresscontroller.sync.
  INTERVAL` seconds after the one before began (ingress-nginx: ``--sync-rate-limit``).
- Files that the proxy's own test refuses are taken back, and that is logged; what runs goes on.
- A reload is done when the proxy answers with the new digest and no old process accepts
  connections any more (:mod:`~testbed.ingresscontroller.proxy`).
- When the API is away, the proxy goes on with what it has, and all is listed again afterwards.
- When the proxy ends, so does this process, and the kubelet starts both again.
- ``/healthz`` on port 10254 is ingress-nginx's; ``/served`` answers when what the API had at some
  versions is served, so that whoever changes something can wait for it.
"""
