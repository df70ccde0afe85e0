"""hwsim reproduce: published experiments, run and held against what was published."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from hwsim.cli.describe import echo_overview, overview
from hwsim.cli.output import echo, echo_json
from hwsim.cli.progress import INTERVAL
from hwsim.errors import UsageError


@click.command("reproduce", short_help="Run a published experiment and hold it against the publication.")
@click.argument("name", default="list")
@click.option("--variant", metavar="NAME", help="Reading of the source, where its text and its code differ.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs of every run. Default: the experiment's.")
@click.option("--seeds", metavar="N|A,B,...", help="How many seeds (0, 1, ...), or which. Default: the experiment's.")
@click.option(
    "--fast", is_flag=True, help="Smoke version: a few epochs, one seed, some of the points; nothing is judged."
)
@click.option(
    "--data",
    metavar="DIR|FILE.npz",
    type=click.Path(path_type=Path),
    help="Folder of data files (default: $HWSIM_DATA); for the least-squares problems an .npz with x and y.",
)
@click.option(
    "--set", "settings", metavar="PATH=VALUE", multiple=True, help="Change one parameter of every run, as in hwsim run."
)
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that share the runs.")
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="New folder. Default: reproduced/NAME-NNN.")
@click.option("--resume", is_flag=True, help="Go on in --out, with the same options: runs that are complete are kept.")
@click.option("--finished", is_flag=True, help="Run nothing: say what the complete runs in --out show so far.")
@click.option(
    "--tables", metavar="DIR", type=click.Path(path_type=Path),
    help="Also write the tables and the figure of costs there, as pages of the documentation include them.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress bar; print the folder only.")
def command(
    name: str, variant: str | None, epochs: int | None, seeds: str | None, fast: bool, data: Path | None,
    settings: tuple[str, ...], jobs: int, out: Path | None, resume: bool, finished: bool, tables: Path | None,
    as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Run the published experiment NAME, print our numbers beside the published ones, and write figure, page and data.

    'hwsim reproduce list' shows the experiments. Statements that must hold are printed as pass or FAIL; the exit code
    says only whether the experiment ran.
    """
    if name == "list":
        _list(as_json)
        return
    for option, asked, what in (("--resume", resume, "goes on in"), ("--finished", finished, "reads")):
        if asked and out is None:
            raise UsageError(f"{option} {what} a folder: name it with --out")
    from hwsim.reproduce import Options, load_experiment, reproduce
    from hwsim.reproduce.tables import check_has_costs, write_tables

    if tables is not None:
        check_has_costs(name, load_experiment(name).targets)

    options = Options(
        seeds=_seeds(seeds), epochs=epochs, variant=variant, data=data, set=dict(_assignments(settings)), fast=fast,
        jobs=jobs,
    )  # fmt: skip
    with _progress(show=not quiet) as progress:
        found = reproduce(name, options, out, progress, resume=resume, only_finished=finished)
    if tables is not None:
        write_tables(found, tables)
    if as_json:
        from hwsim.reproduce.experiment import as_object

        echo_json(as_object(found))
    elif quiet:
        echo(str(found.folder))
    else:
        from hwsim.reproduce.text import report

        echo(report(found))


def _list(as_json: bool) -> None:
    from hwsim import library
    from hwsim.reproduce.plan import load_experiment

    def entry(name: str) -> dict[str, Any]:
        spec = load_experiment(name)
        return {
            "seeds": spec.seeds if not spec.chips else "", "epochs": spec.epochs or "",
            "data": "files" if spec.needs_data else "", "variants": ", ".join(spec.variants), "description": spec.title,
        }  # fmt: skip

    entries = overview(library.names("experiments"), entry)
    if as_json:
        echo_json({"experiments": entries})
    else:
        echo_overview(entries, ("seeds", "epochs", "data", "variants"), right=("seeds", "epochs"))


def _seeds(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    try:
        given = [int(part) for part in text.split(",")]
    except ValueError:
        given = [-1]
    if min(given) < 0 or given == [0] or len(set(given)) < len(given):
        raise UsageError(f"cannot read --seeds {text}: expected how many, such as 5, or different ones, such as 3,4")
    return tuple(range(given[0])) if len(given) == 1 else tuple(given)


def _assignments(settings: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    from hwsim.spec.load import parse_value

    for text in settings:
        path, equals, value = text.partition("=")
        if not equals or not path:
            raise UsageError(f"cannot read --set {text}: expected path=value, such as tile.rows=128")
        yield path.strip(), parse_value(value)


@contextmanager
def _progress(*, show: bool) -> Iterator[Any]:
    """Give a callable(done, total, title, part) that draws a progress bar on a terminal's stderr."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("runs"), TextColumn("{task.fields[done]}/{task.total}"), BarColumn(), TimeRemainingColumn(),
               TextColumn("{task.description}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("", total=None, done=0)
        last = 0.0

        def update(done: int, total: int, title: str, part: float) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= INTERVAL or part in (0.0, 1.0):
                last = now
                bar.update(task, completed=done + part, total=total, done=done, description=title, refresh=True)

        yield update
