"""hwsim export: a run for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from hwsim.cli.output import echo, echo_json
from hwsim.cli.progress import rows_bar


@click.command("export", short_help="Write a run's logs for Perfetto, a wave viewer or a spreadsheet.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", metavar="FORMAT", required=True, help="perfetto, vcd or csv.")
@click.option(
    "--out", metavar="FILE", type=click.Path(path_type=Path), help="A new file. Default: the run's name, here."
)
@click.option(
    "--window", metavar="FROM:TO", default="", help="Only this time, such as 10us:20us; either may be left out."
)
@click.option("--table", metavar="LOG", help="With csv: events, pulses, gauges or lines. Default: events.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: the file, its format and bytes.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
def command(run: Path, to: str, out: Path | None, window: str, table: str | None, as_json: bool, quiet: bool) -> None:
    """Write the logs of the run folder RUN for other programs.

    perfetto: a timeline for https://ui.perfetto.dev - a track for every component, operations, power, queues, fill of
    memories. vcd: waves of the probed tiles for GTKWave - pulse trains on rows and columns, busy converters, state of
    the controller; the run needs --log pulses and --probe. csv: a log as it is.
    """
    from hwsim.results import open_run

    with rows_bar(show=not quiet) as progress:
        file = open_run(run).export(to, out, window=window, table=table, progress=progress)
    if as_json:
        echo_json({"file": str(file), "format": to, "bytes": file.stat().st_size})
    elif not quiet:
        echo(f"wrote {file}")
