"""Writes the rows of a query to stdout: as a table, as comma-separated values, or as one JSON object."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from hwsim.cli.output import echo, echo_table, plain
from hwsim.results.queries import Rows

SHOWN = 50
"""Rows of a table unless a limit is given; CSV and JSON have all."""


def write_rows(answer: Rows, head: Mapping[str, Any], *, limit: int | None, as_csv: bool, as_json: bool) -> None:
    """Write at most ``limit`` rows; of a table that has no limit the first ``SHOWN``.

    ``head`` is what the JSON object says before its columns and rows.
    """
    shown = limit if limit is not None or as_csv or as_json else SHOWN
    rows = islice(answer.rows, shown)
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(answer.columns)
        writer.writerows(rows)
    elif as_json:
        _write_json(head, answer.columns, rows)
    else:
        _write_table(answer.columns, list(rows))
        if next(answer.rows, None) is not None:
            echo(f"the first {shown} rows; --limit N shows more, --csv and --json all", err=True)


def _write_json(head: Mapping[str, Any], columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    """Write one object row by row, so that a long log needs no memory."""
    write = sys.stdout.write
    first = "".join(f"{json.dumps(name)}: {json.dumps(plain(value))}, " for name, value in head.items())
    write(f'{{{first}"columns": {json.dumps(list(columns))}, "rows": [')
    for index, row in enumerate(rows):
        record = plain(dict(zip(columns, row, strict=True)))
        write(("," if index else "") + "\n  " + json.dumps(record, ensure_ascii=False, allow_nan=False))
    write("\n]}\n")


def _write_table(columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    numeric = [i for i in range(len(columns)) if rows and all(isinstance(row[i], int | float | None) for row in rows)]
    echo_table(columns, [[_text(value) for value in row] for row in rows], right=numeric)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
