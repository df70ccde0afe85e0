"""The group of all subcommands, and what happens to their errors."""

from __future__ import annotations

import errno
import importlib
import os
import platform
import sys
from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import Any

import click

from hwsim.errors import HwsimError, SpecError

COMMANDS = (
    "run", "sweep", "report", "compare", "events", "device", "path", "export", "devices", "chips", "components",
    "algorithms", "traces", "networks", "tables", "check", "reproduce",
)  # fmt: skip
"""Every subcommand: the module ``hwsim.cli.<name>`` holds it as ``command``."""

INTERRUPTED = 130
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a disk that is full, or whose owner has had his share of it."""


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is asked for, and turns every error into one message and exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all subcommands, in the order of the help page."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return a subcommand; None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        return importlib.import_module(f"hwsim.cli.{cmd_name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Find the subcommand, or name the nearest one."""
        from hwsim.errors import unknown

        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise click.UsageError(unknown("command", args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; in standalone mode every error ends in a message on stderr and an exit code."""
        standalone = extra.pop("standalone_mode", True)
        run: Callable[..., Any] = partial(super().main, *args, standalone_mode=False, **extra)
        if not standalone:
            return run()
        sys.exit(_guarded(run))


def _guarded(call: Callable[[], Any]) -> int:
    try:
        code = call()
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except HwsimError as error:
        _say(str(problem) for problem in error.problems) if isinstance(error, SpecError) else _say([str(error)])
        return error.exit_code
    except click.ClickException as error:
        _say([error.format_message()])
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"try '{error.ctx.command_path} --help'", err=True)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone; what is still buffered must not raise again when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except MemoryError as error:
        _say([f"not enough memory{f': {error}' if str(error) else ''}; take a smaller network, batch or chip"])
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            place = f" to write {error.filename}" if error.filename else ""
            _say([f"{os.strerror(error.errno)}{place}; make room, or put the output elsewhere"])
            return 1
        if os.environ.get("HWSIM_DEBUG"):
            raise
        text = " ".join(str(error).split())
        _say([f"this is a defect of hwsim: {type(error).__name__}: {text} (HWSIM_DEBUG=1 shows the traceback)"])
        return 1


def _say(messages: Any) -> None:
    from hwsim.foreign import visible

    prefix = "error:"
    if sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
        prefix = click.style(prefix, fg="red", bold=True)
    for message in messages:
        click.echo(f"{prefix} {visible(message)}", err=True)


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if not wanted or ctx.resilient_parsing:
        return
    for package in ("hwsim", "numpy", "simpy"):
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = "not installed"
        click.echo(f"{package} {version}")
        if package == "hwsim":
            click.echo(f"python {platform.python_version()}")
    ctx.exit()


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Print versions and leave."
)
@click.pass_context
def hwsim(ctx: click.Context) -> None:
    """Simulate, cycle by cycle, chips that train neural networks inside analog crossbar arrays.

    'hwsim run' trains the bundled trace on the bundled chip and prints accuracy, time and energy.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
