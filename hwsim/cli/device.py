"""hwsim device: the life of one device."""

from __future__ import annotations

import re
from pathlib import Path

import click

from hwsim.cli.rows import SHOWN, write_rows
from hwsim.errors import UsageError

KINDS = ("pulse", "reset", "read")


class _PlaceCommand(click.Command):
    """A command whose arguments are numbers: of a negative one it says that, and not that there is no such option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments."""
        ctx.ignore_unknown_options = any(re.fullmatch(r"-\d+", arg) for arg in args)
        return super().parse_args(ctx, args)


@click.command("device", cls=_PlaceCommand, short_help="Print the life of one device: every pulse, reset and read.")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("tile", type=click.IntRange(min=0))
@click.argument("row", type=click.IntRange(min=0))
@click.argument("col", type=click.IntRange(min=0))
@click.option("--array", type=click.IntRange(min=0), metavar="N", help="Only this array of the tile. Default: all.")
@click.option("--only", type=click.Choice(KINDS), help="Only one kind of rows.")
@click.option("--from", "start", metavar="TIME", help="Only rows that start at TIME or later, such as 10us.")
@click.option("--to", "end", metavar="TIME", help="Only rows that start before TIME.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"At most N rows. Default: {SHOWN} in a table, all otherwise.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    run: Path, tile: int, row: int, col: int, array: int | None, only: str | None, start: str | None, end: str | None,
    limit: int | None, as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """Print the life of the device at ROW and COL of TILE in the run folder RUN, in order of time.

    Each pulse, reset and read has its cause (operation, layer, step, sample), the weight and the conductance before and
    after, and its energy. The run must have logged the device: --log pulses --probe TILE[:ROWS[:COLS]].
    """
    if as_csv and as_json:
        raise UsageError("give either --csv or --json, not both")
    from hwsim.results import open_run
    from hwsim.results.device import Place, life

    opened = open_run(run)
    place = Place(tile, row, col, array)
    with life(opened.path, opened.config, place, start=start, end=end, only=only) as answer:
        head = {"path": str(opened.path), "tile": tile, "row": row, "col": col}
        write_rows(answer, head, limit=limit, as_csv=as_csv, as_json=as_json)
