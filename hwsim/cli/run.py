"""hwsim run: simulate a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from hwsim.cli.output import echo, echo_json
from hwsim.errors import RunInterrupted, UsageError

DEFAULT_TRACE = "digits-mlp"
SIGNALLED = 128
"""A program that ends on a signal has this exit code plus the signal's number."""
BESIDE_RESUME = {"interrupted", "checkpoint", "data", "as_json", "quiet"}
"""What may be given beside --resume."""


@click.command("run", short_help="Train a network on a simulated chip.")
@click.argument("trace", default=DEFAULT_TRACE)
@click.option(
    "--chip", metavar="CHIP", help="Chip, by name or file (hwsim chips). Default: the trace's or the bundled one."
)
@click.option(
    "--device", metavar="DEVICE", help="Device of the crossbars (hwsim devices). Default: the trace's or the chip's."
)
@click.option("--algorithm", metavar="ALGORITHM", help="Training algorithm (hwsim algorithms). Default: the trace's.")
@click.option(
    "--set", "settings", metavar="PATH=VALUE", multiple=True, help="Change one parameter, such as tile.rows=128."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same bits.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs to train. Default: the trace's.")
@click.option("--steps", type=click.IntRange(min=1), help="Mini-batches to train, in place of --epochs.")
@click.option(
    "--data", metavar="DIR", type=click.Path(path_type=Path), help="Folder of data files. Default: $HWSIM_DATA."
)
@click.option(
    "--log", type=click.Choice(["none", "events", "pulses"]), help="Logs to keep. Default: events, none without timing."
)
@click.option(
    "--probe",
    "probes",
    metavar="TILE[:ROWS[:COLS]]",
    multiple=True,
    help="Devices whose pulses are kept, such as 0:3:0-15.",
)
@click.option(
    "--fidelity",
    type=click.Choice(["device", "activity"]),
    default="device",
    show_default=True,
    help="Every device, or statistics in place of data and devices: time and energy only.",
)
@click.option(
    "--statistics",
    metavar="RUN_OR_FILE",
    help="At activity fidelity: the run, file or name whose statistics stand for the data. Default: the trace's.",
)
@click.option("--timing/--no-timing", default=True, help="Without timing: no latency, no energy, the same weights.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads; the results do not depend on it.",
)
@click.option(
    "--out",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="New folder of the run. Default: runs/TRACE-ALGORITHM-NNN.",
)
@click.option(
    "--record",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="New Parquet file for the vectors of every step; hwsim run FILE replays them on any chip.",
)
@click.option(
    "--checkpoint",
    metavar="STEPS",
    type=click.IntRange(min=1),
    help="Steps between two checkpoints. Default: only when interrupted.",
)
@click.option(
    "--resume",
    "interrupted",
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Go on with the run in folder RUN from its last checkpoint.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress bar; print the run folder only.")
@click.pass_context
def command(
    ctx: click.Context,
    trace: str,
    settings: tuple[str, ...],
    probes: tuple[str, ...],
    interrupted: Path | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a network on a simulated chip and print how well, how long and at what energy.

    TRACE names a training trace (hwsim traces), a data file (.npz), a recorded trace (.parquet) or, with --fidelity
    activity, a network (hwsim networks, or a file .onnx); without one the small bundled trace runs.
    """
    if options["epochs"] is not None and options["steps"] is not None:
        raise UsageError("give either --epochs or --steps, not both")
    from hwsim.cli.progress import progress_bar

    if interrupted is not None:
        _check_alone(ctx)
    try:
        with progress_bar(show=not quiet) as progress:
            if interrupted is not None:
                from hwsim.run import resume

                run = resume(interrupted, data=options["data"], checkpoint=options["checkpoint"], progress=progress)
            else:
                from hwsim.run import simulate

                run = simulate(trace, set=list(settings), probe=probes, progress=progress, **options)
    except RunInterrupted as stop:
        echo(str(stop), err=True)
        ctx.exit(SIGNALLED + stop.signal_number)
    if as_json:
        from hwsim.cli.report import as_object

        echo_json(as_object(run))
    elif quiet:
        echo(str(run.path))
    else:
        from hwsim.results.text import report

        echo(report(run))


def _check_alone(ctx: click.Context) -> None:
    """Refuse what would change the configuration of a run that is resumed."""
    for parameter in ctx.command.params:
        given = ctx.get_parameter_source(str(parameter.name)) is ParameterSource.COMMANDLINE
        if given and parameter.name not in BESIDE_RESUME:
            name = parameter.opts[0] if isinstance(parameter, click.Option) else parameter.human_readable_name
            raise UsageError(f"--resume goes on with the configuration of the run itself: leave out {name}")
