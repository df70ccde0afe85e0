"""hwsim compare: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click

from hwsim.cli.output import echo, echo_json
from hwsim.errors import UsageError


@click.command("compare", short_help="Print runs side by side, or write them as a page.")
@click.argument("runs", metavar="RUN RUN...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--html", metavar="FILE", type=click.Path(path_type=Path), help="Write one self-contained HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(runs: tuple[Path, ...], html: Path | None, as_json: bool) -> None:
    """Print accuracy, loss, latency and energy of run folders side by side, in all, by phase and by component.

    The page has their curves in the same charts, against steps, simulated time and energy.
    """
    from hwsim.cli.report import as_object
    from hwsim.results import open_run, page
    from hwsim.results.compare import compare
    from hwsim.results.compare_page import compare_page

    if len(runs) < 2:
        raise UsageError("compare needs at least two run folders")
    opened = [open_run(run) for run in runs]
    if html is not None:
        page.check_file(html)
        page.write(html, compare_page(opened))
    if as_json:
        echo_json({"runs": [as_object(run) for run in opened]})
    elif html is not None:
        echo(f"wrote {html}")
    else:
        echo(compare(opened))
