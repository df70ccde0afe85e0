"""hwsim compare: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from hwsim.cli.output import echo_json
from hwsim.errors import UsageError


@click.command("compare", short_help="Print runs side by side.")
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(runs: tuple[Path, ...], as_json: bool) -> None:
    """Print accuracy, loss, latency and energy of run folders side by side, in all and by phase."""
    from hwsim.cli.report import as_object
    from hwsim.results import open_run
    from hwsim.results.compare import compare

    if len(runs) < 2:
        raise UsageError("compare needs at least two run folders")
    opened = [open_run(run) for run in runs]
    if as_json:
        echo_json({"runs": [as_object(run) for run in opened]})
    else:
        click.echo(compare(opened))
