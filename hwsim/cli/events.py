"""hwsim events: rows of a run's logs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click

from hwsim.cli.output import echo_json, echo_table, plain
from hwsim.errors import UsageError

SHOWN = 50
"""Rows of a table unless a limit is given; CSV and JSON have all."""


@click.command("events", short_help="Print rows of a run's logs, or query them with SQL.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--pulses", is_flag=True, help="The pulse log in place of the event log.")
@click.option("--where", metavar="EXPR", help="SQL condition, such as \"component like 'tile0.%' and step = 3\".")
@click.option("--from", "start", metavar="TIME", help="Only rows that start at TIME or later, such as 10us.")
@click.option("--to", "end", metavar="TIME", help="Only rows that start before TIME.")
@click.option("--sql", metavar="QUERY", help="One SELECT over the views events, pulses and metrics.")
@click.option("--columns", "describe", is_flag=True, help="Print what each column means, with its unit.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(min=0),
    help=f"At most N rows. Default: {SHOWN} in a table, all otherwise.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    run: Path, pulses: bool, where: str | None, start: str | None, end: str | None, sql: str | None, describe: bool,
    limit: int | None, as_csv: bool, as_json: bool,
) -> None:  # fmt: skip
    """Print rows of the logs of the run folder RUN, in time order."""
    _check(
        sql,
        {"--pulses": pulses, "--where": where, "--from": start, "--to": end, "--columns": describe},
        as_csv and as_json,
    )
    from hwsim.results import open_run, queries

    folder = open_run(run).path
    name = "pulses" if pulses else "events"
    if sql is None:
        described = queries.columns(folder, name)
        if describe:
            _describe(name, described, as_json)
            return
    # One row more than a table shows, to know whether there are more.
    shown = limit if limit is not None or as_csv or as_json else SHOWN
    query = sql if sql is not None else queries.select(name, where=where, start=start, end=end)
    with queries.query(folder, query) as answer:
        rows = answer.rows if shown is None else islice(answer.rows, shown)
        if as_csv:
            _write_csv(answer.columns, rows)
        elif as_json:
            _write_json(folder, answer.columns, rows)
        else:
            _write_table(answer.columns, list(rows))
            if next(answer.rows, None) is not None:
                click.echo(f"the first {shown} rows; --limit N shows more, --csv and --json all", err=True)


def _check(sql: str | None, others: dict[str, Any], two_formats: bool) -> None:
    given = [name for name, value in others.items() if value not in (None, False)]
    if sql is not None and given:
        raise UsageError(f"--sql is a whole query; put {given[0]} into it")
    if two_formats:
        raise UsageError("give either --csv or --json, not both")


def _describe(name: str, described: dict[str, tuple[str, str]], as_json: bool) -> None:
    rows = [(column, unit, text) for column, (unit, text) in described.items()]
    if as_json:
        echo_json(
            {"table": name, "columns": [dict(zip(("name", "unit", "description"), row, strict=True)) for row in rows]}
        )
    else:
        echo_table(("column", "unit", "description"), rows)


def _write_csv(columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)


def _write_json(folder: Path, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    """Write one object row by row, so that a long log needs no memory."""
    write = sys.stdout.write
    write(f'{{"path": {json.dumps(str(folder))}, "columns": {json.dumps(list(columns))}, "rows": [')
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
