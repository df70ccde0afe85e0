"""hwsim sweep: many variations of one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hwsim.cli.output import echo, echo_json
from hwsim.errors import UsageError


@click.command("sweep", short_help="Run many variations of one run and compare them.")
@click.argument("source", metavar="[SWEEP.yaml | TRACE]", required=False)
@click.option(
    "--vary",
    metavar="PATH=A,B,C",
    multiple=True,
    help="Vary a parameter, or trace, chip, device, algorithm: values, or with --samples a range LOW..HIGH[:log].",
)
@click.option("--seeds", type=click.IntRange(min=1), help="Run each point with the seeds 0 to N-1.")
@click.option("--samples", type=click.IntRange(min=1), help="Draw so many points in place of the grid.")
@click.option("--chip", metavar="CHIP", help="Chip of every run.")
@click.option("--device", metavar="DEVICE", help="Device of every run.")
@click.option("--algorithm", metavar="ALGORITHM", help="Training algorithm of every run.")
@click.option("--set", "settings", metavar="PATH=VALUE", multiple=True, help="Change one parameter of every run.")
@click.option("--epochs", type=click.IntRange(min=1), help="Epochs to train.")
@click.option("--steps", type=click.IntRange(min=1), help="Mini-batches to train, in place of --epochs.")
@click.option("--data", metavar="DIR", type=click.Path(path_type=Path), help="Folder of data files.")
@click.option("--log", type=click.Choice(["none", "events"]), help="Logs to keep.  [default: none]")
@click.option("--fidelity", type=click.Choice(["device", "activity"]), help="As in hwsim run.")
@click.option("--no-timing", is_flag=True, help="Only the numbers: no latency, no energy.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Processes. Default: one for each processor.")
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Run on the workers of this Dask scheduler.")
@click.option(
    "--out", metavar="DIR", type=click.Path(path_type=Path), help="New folder. Default: runs/sweep-TRACE-NNN."
)
@click.option("--resume", metavar="DIR", type=click.Path(path_type=Path), help="Go on with the sweep in this folder.")
@click.option("--print", "only_print", is_flag=True, help="Print one command line for each run, and run nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--quiet", is_flag=True, help="No progress bar; print the sweep's folder only.")
def command(
    source: str | None, resume: Path | None, only_print: bool, as_json: bool, quiet: bool, **options: Any
) -> int:
    """Run many variations of one training run, side by side, and compare them.

    SWEEP.yaml describes what all runs share and what varies; or name a TRACE and say what varies with --vary. Exit code
    1 if a point failed; the others are kept.
    """
    from hwsim.cli.progress import points_bar
    from hwsim.sweeps import resume_sweep, sweep

    how = {name: options.pop(name) for name in ("jobs", "scheduler")}
    if resume is not None:
        given = [name for name, value in options.items() if value not in (None, (), False)]
        if source or given or only_print:
            raise UsageError(
                "--resume takes the description from the folder: leave out " + ", ".join(given or [source or "--print"])
            )
        with points_bar(show=not quiet) as progress:
            result = resume_sweep(resume, progress=progress, **how)
        return _show(result, as_json=as_json, quiet=quiet)
    out = options.pop("out")
    description = _description(source, options)
    if only_print:
        _print(description, out)
        return 0
    with points_bar(show=not quiet) as progress:
        result = sweep(description, out=out, progress=progress, **how)
    return _show(result, as_json=as_json, quiet=quiet)


def _description(source: str | None, options: dict[str, Any]) -> Any:
    from hwsim.spec.load import parse_value
    from hwsim.sweeps.spec import load_sweep, make_sweep, read_vary

    if source is not None and source.endswith((".yaml", ".yml")) and _is_sweep(Path(source)):
        given = [name for name, value in options.items() if value not in (None, (), False)]
        if given:
            raise UsageError(
                f"{source} describes the whole sweep; leave out {', '.join('--' + name for name in given)}"
            )
        return load_sweep(source)
    settings = {}
    for text in options.pop("settings"):
        path, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"cannot read --set {text}: expected path=value, such as tile.rows=128")
        settings[path] = parse_value(value)
    options["timing"] = not options.pop("no_timing")
    options["vary"] = read_vary(options.pop("vary"))
    data = options.pop("data")
    chosen = {name: value for name, value in options.items() if value is not None}
    if data is not None:
        chosen["data"] = str(data.resolve())
    return make_sweep({"trace": source, **chosen, "settings": settings} if source else {**chosen, "settings": settings})


def _is_sweep(path: Path) -> bool:
    from hwsim.spec.load import load_document

    return load_document(path).data.get("kind") == "sweep"


def _print(description: Any, out: Path | None) -> None:
    from hwsim.sweeps.points import command as command_line
    from hwsim.sweeps.points import points

    place = out or Path("runs") / "sweep"
    for point in points(description):
        echo(command_line(description, point, str(place / point.name)))


def _show(result: Any, *, as_json: bool, quiet: bool) -> int:
    from hwsim.results.sweep_text import sweep_text

    failed = result.failed
    if as_json:
        rows = result.table.astype(object).where(result.table.notna(), None).to_dict("records")
        effects = [
            {"parameter": each.parameter, "outcome": each.outcome, "share": each.share} for each in result.sensitivity()
        ]
        echo_json({"path": str(result.path), "state": result.state, "points": rows, "sensitivity": effects})
    elif quiet:
        echo(str(result.path))
    else:
        echo(sweep_text(result))
    if failed:
        echo(
            f"error: {len(failed)} of {len(result.table)} points failed; "
            f"hwsim sweep --resume {result.path} tries them again",
            err=True,
        )
    return 1 if failed else 0
