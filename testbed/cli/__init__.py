"""The command ``testbed``: one module per command, imported when it is called.

:func:`main` is the only place where errors become messages and exit codes.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import NoReturn

import click

from testbed.errors import InputError, LabError, TestbedError

COMMANDS = {
    "up": "Start a lab: nodes, pods and the network between them.",
    "down": "End a lab.",
    "ls": "List the labs that run.",
    "apply": "Make or change objects of a running lab.",
    "delete": "Delete objects of a running lab.",
    "get": "List objects.",
    "describe": "Show an object in detail.",
    "kubeconfig": "Print a kubeconfig, for kubectl and client libraries.",
    "exec": "Run a command in a pod, on a node or on an external host.",
    "logs": "Print what a pod's processes printed.",
    "fail": "Fail a link, a node or a daemon of a running lab.",
    "heal": "Undo what `fail` did.",
    "plan": "Print what `up` would do, as YAML or as shell commands.",
    "conformance": "Check the network model by real traffic.",
    "bench": "Measure a campaign and write its results.",
    "report": "Write the report of stored results again.",
    "compare": "Compare two results; exit code 1 if the new one is worse.",
    "doctor": "Show what this machine can do and lacks.",
    "vm": "Run a command under a kernel that has every feature.",
}
"""Name → one line for the help; the module of the same name has the command."""

ARGUMENTS = "testbed.arguments"
"""Where a context's ``meta`` has the command line: ``--vm`` of a command runs it again."""

_INTERRUPTED = 130
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class _Commands(click.Group):
    """Knows all commands by name, and imports one when it is wanted."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"testbed.cli.{cmd_name.replace('exec', 'exec_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from testbed.errors import unknown

            raise unknown("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 it is not so, 2 bad input, 3 the machine lacks something, "
    "4 a failure inside the lab.",
)
@click.option(
    "--lab", envvar="TESTBED_LAB", default="default", show_default=True, help="Which lab."
)
@click.version_option(package_name="k8s-net-testbed", prog_name="testbed")
@click.pass_context
def root(ctx: click.Context, lab: str) -> None:
    """Kubernetes cluster networking on one Linux machine, without Kubernetes.

    Mininet hosts are nodes, network namespaces are pods, and a CNI mode carries the traffic
    between them. Start a lab with `testbed up`, look into it with `testbed get pods -o wide` and
    `testbed exec`, measure modes against each other with `testbed bench`.
    """
    ctx.obj = lab


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits.

    Args:
        arguments: Instead of the process's own.
    """
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: list[str]) -> int:
    """Runs the command line; errors become one message on stderr and an exit code."""
    _find_programs_of_root()
    try:
        result = root.main(_lab_first(arguments), prog_name="testbed", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or Python complains at its end
        return 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        return InputError.exit_code
    except (Exception, KeyboardInterrupt) as error:
        return _fail(*_explain(error))


def _find_programs_of_root() -> None:
    """Has ip, iptables, modprobe found also in a shell of `su`, which keeps a user's PATH."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    missing = [folder for folder in _SBIN if folder not in path]
    os.environ["PATH"] = os.pathsep.join((*path, *missing))


def _explain(error: BaseException) -> tuple[str, int]:
    """The message and exit code of an error."""
    if isinstance(error, TestbedError):
        return str(error), error.exit_code
    if isinstance(error, click.ClickException):
        return error.format_message(), InputError.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return "interrupted", _INTERRUPTED
    traceback.print_exception(error)
    # 1, Python's own, would mean a regression or a failed check.
    return "internal error: this is a bug; its trace is above", LabError.exit_code


def _fail(message: str, code: int) -> int:
    click.echo(f"testbed: {message}", err=True)
    return code


def _lab_first(arguments: list[str]) -> list[str]:
    """Lets ``--lab NAME`` stand behind the verb too, as kubectl's ``--context`` may.

    What follows ``--`` belongs to somebody else.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    ours, rest, moved = arguments[:end], arguments[end:], []
    while "--lab" in ours[:-1]:
        position = ours.index("--lab")
        moved += ours[position : position + 2]
        del ours[position : position + 2]
    for word in [word for word in ours if word.startswith("--lab=")]:
        ours.remove(word)
        moved.append(word)
    return moved + ours + rest
