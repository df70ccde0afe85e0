"""A log as comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from hwsim.errors import UsageError, unknown
from hwsim.results import queries
from hwsim.results.export.rows import Reader, Selection
from hwsim.results.export.window import Window

if TYPE_CHECKING:
    from hwsim.results.run import Run

LOGS = ("events", "pulses", "gauges", "lines")
"""Logs with a time, in order of time."""


def write(
    run: Run, file: BinaryIO, window: Window, progress: Callable[[int, int], None], *, table: str = "events"
) -> None:
    """Write the rows of a log that start in the window, with a line of column names.

    Raises:
        UsageError: no such log.
        ResultsError: the run kept no such log, or it is damaged.
    """
    if table not in LOGS:
        raise UsageError(unknown("log", table, LOGS))
    names = tuple(queries.columns(run.path, table))
    rows = Selection(table, names, window, leakage="with")
    reader = Reader(run.path, [rows], progress)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(reader.rows(rows))
    text.flush()
    text.detach()
