"""hwsim report: the report of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hwsim.cli.output import echo, echo_json
from hwsim.errors import UsageError

if TYPE_CHECKING:
    from hwsim.results import Run


@click.command("report", short_help="Print the report of a run, or write it as a page.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write one self-contained HTML page.")
@click.option("--from", "start", metavar="TIME", help="The page names every action from TIME on, such as 10us.")
@click.option("--to", "end", metavar="TIME", help="... and before TIME.")
@click.option("--tile", "tiles", metavar="N", type=int, multiple=True, help="The page has the devices of tile N only.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    run: Path, html: Path | None, start: str | None, end: str | None, tiles: tuple[int, ...], as_json: bool
) -> None:
    """Print the report of the run folder RUN, or write it as an HTML page that needs no network."""
    from hwsim.results import open_run
    from hwsim.results.text import report

    for name, value in (("--from", start), ("--to", end), ("--tile", tiles or None)):
        if html is None and value is not None:
            raise UsageError(f"{name} is about the page; give --html FILE too")
    opened = open_run(run)
    if html is not None:
        opened.report(html, start=start, end=end, tiles=list(tiles) or None)
    if as_json:
        echo_json(as_object(opened))
    elif html is not None:
        echo(f"wrote {html}")
    else:
        echo(report(opened))


def as_object(run: Run) -> dict[str, Any]:
    """Return a run as one plain object: its folder and state, and everything in its summary."""
    shared = {"path": str(run.path), "state": run.state, "error": run.error, **run.names, "seed": run.info.get("seed")}
    return shared | (run.summary if run.has_summary else {})
