"""Local equivalents of container images.

There is no image registry here and no container file system: a container's process is a program of
this machine. :mod:`testbed.images.catalogue` says which one an image stands for, and the other
modules are the programs that had to be written: Kubernetes' ``agnhost`` and the start of nginx.
"""
