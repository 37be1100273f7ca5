"""``testbed vm``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Run a command under a kernel that has every feature.")
@click.option(
    "--memory",
    default="4G",
    show_default=True,
    envvar="TESTBED_VM_MEMORY",
    help="Of the virtual machine.",
)
@click.option(
    "--cpus", metavar="N", envvar="TESTBED_VM_CPUS", help="Virtual CPUs [all that we may use]."
)
@click.option(
    "--kernel",
    metavar="PATH|VERSION",
    envvar="TESTBED_VM_KERNEL",
    help="An image, or a version [the newest with every feature].",
)
@click.option(
    "--writable",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A folder, further to the working directory, that it may write to (may be repeated).",
)
@click.argument("argv", nargs=-1, required=True, type=click.UNPROCESSED)
def command(
    memory: str,
    cpus: str | None,
    kernel: str | None,
    writable: tuple[Path, ...],
    argv: tuple[str, ...],
) -> int:
    """Run ARGV in a virtual machine with this machine's files and a kernel that has every feature.

    The working directory is writable; what ARGV writes elsewhere goes to memory and ends with it.
    Exit code, standard streams and Ctrl-C are those of ARGV. There is no network but its own.

    \b
    testbed vm -- testbed doctor
    testbed vm --cpus 4 -- sh -c 'modprobe ip_vs && testbed up && testbed conformance'
    """  # noqa: D301 - \b is click's
    from testbed.vm import plan, qemu, run

    run.refuse_inside()
    size = qemu.Size(qemu.mebibytes(memory), plan.cpus(cpus))
    return run.run(plan.make(kernel, size, (run.here(), *writable)), argv)
