"""Writes the logs of a run for other programs: Perfetto, wave viewers, spreadsheets."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.errors import UsageError, unknown
from hwsim.results.export.target import new_file
from hwsim.results.export.window import Window

if TYPE_CHECKING:
    from hwsim.results.run import Run

FORMATS = {"perfetto": ".perfetto-trace", "vcd": ".vcd", "csv": ".csv"}
"""What a run can be exported to, and the end of the file's name; ``hwsim.results.export.<name>`` writes it."""

Progress = Callable[[int, int], None]
"""Called with the rows written so far and all that there are."""


def export(
    run: Run,
    to: str,
    file: Path | str | None = None,
    *,
    window: str | Window = "",
    table: str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the logs of a run as ``to`` (a name of ``FORMATS``) and return the new file.

    Args:
        run: the run.
        to: ``perfetto``, ``vcd`` or ``csv``.
        file: a file that does not exist; None: the name of the run folder in the current folder.
        window: the time to write, ``FROM:TO`` with units, such as ``10us:20us``; either may be left out.
        table: with ``csv``: the log to write; None: ``events``.
        progress: called now and then with (rows written, rows in all).

    Raises:
        UsageError: another format or window, a table without ``csv``, or the file exists.
        ResultsError: the run kept no such log, or it is damaged; or the file cannot be written.
    """
    if to not in FORMATS:
        raise UsageError(unknown("export format", to, FORMATS))
    if table is not None and to != "csv":
        raise UsageError(f"only csv writes one table; {to} takes what it needs from all logs")
    chosen = window if isinstance(window, Window) else Window.parse(window)
    path = Path(file) if file is not None else Path(run.path.resolve().name + FORMATS[to])
    writer = import_module(f"hwsim.results.export.{to}")
    options = {} if table is None else {"table": table}
    with new_file(path) as stream:
        writer.write(run, stream, chosen, progress or _ignore, **options)
    return path


def _ignore(done: int, total: int) -> None:
    """Show no progress."""
