"""``testbed vm``: this machine under another kernel.

A guest is this machine's own file system, programs and user, under a kernel that has every feature
(:mod:`testbed.vm.kernels`). It lasts as long as one command. The way of a command::

    plan      what there is: kernel, QEMU, virtiofsd, folders          (testbed.vm.plan)
    box       processes and namespaces that end with ours              (testbed.vm.box)
    initramfs by virtme-ng: modules, the root by virtio-fs             (testbed.vm.initramfs)
    init      a root that programs can write to, in memory             (testbed.vm.init)
    guest     process 1 of the guest: runs the command                 (testbed.vm.guest)
    machine   streams, signals and exit code, between it and us        (testbed.vm.machine)

The figures behind it are in docs/vm.md.
"""
