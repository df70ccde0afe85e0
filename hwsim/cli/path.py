"""hwsim path: the critical path of a training step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hwsim.cli.output import echo, echo_json, echo_table
from hwsim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd

MOST_LINKS = 12


@click.command("path", short_help="Print the critical path of a training step.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--step", type=click.IntRange(min=0), help="The training step; the last one if not given.")
@click.option("--all", "whole", is_flag=True, help="Print every link in time order, not the sums alone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON array with every link.")
def command(run: Path, step: int | None, whole: bool, as_json: bool) -> None:
    """Print what the duration of a training step consists of.

    The critical path is the chain of actions of which each waits for the one before; its links add up to the duration
    of the step.
    """
    from hwsim.results import open_run

    path = open_run(run).critical_path(step)
    if as_json:
        echo_json(path.to_dict("records"))
        return
    total = int(path.path_ps.sum())
    echo(f"{len(path)} actions in {format_quantity(total * 1e-12, 's')}")
    if whole:
        names = ["operation", "layer", "component", "action"]
        rows = [[_time(row["t_ps"]), _time(row["path_ps"]), *(str(row[name]) for name in names)]
                for row in path.to_dict("records")]  # fmt: skip
        echo_table(["starts", "lasts", *names], rows, right=(0, 1))
        return
    for by in ("phase", "component"):
        echo("")
        _echo_sums(path, by, total)


def _echo_sums(path: pd.DataFrame, by: str, total: int) -> None:
    sums = path.groupby(by).path_ps.agg(["sum", "size"]).sort_values("sum", ascending=False)
    shown = sums.head(MOST_LINKS)
    # On a chip whose parts take no time the path has no length.
    share = 100 / total if total else 0.0
    rows = [[str(name), str(row["size"]), _time(row["sum"]), f"{share * row['sum']:.1f}"]
            for name, row in shown.iterrows()]  # fmt: skip
    rest = sums.iloc[MOST_LINKS:]
    if len(rest):
        rows.append([f"other ({len(rest)})", str(rest["size"].sum()), _time(rest["sum"].sum()),
                     f"{share * rest['sum'].sum():.1f}"])  # fmt: skip
    echo_table([by, "actions", "time", "%"], rows, right=(1, 2, 3))


def _time(picoseconds: float) -> str:
    return format_quantity(float(picoseconds) * 1e-12, "s")
