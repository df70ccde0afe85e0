"""hwsim events: rows of a run's logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from hwsim.cli.output import echo_json, echo_table
from hwsim.cli.rows import SHOWN, write_rows
from hwsim.errors import UsageError


@click.command("events", short_help="Print rows of a run's logs, or query them with SQL.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--pulses", is_flag=True, help="The pulse log in place of the event log.")
@click.option("--where", metavar="EXPR", help="SQL condition, such as \"component like 'tile0.%' and step = 3\".")
@click.option("--from", "start", metavar="TIME", help="Only rows that start at TIME or later, such as 10us.")
@click.option("--to", "end", metavar="TIME", help="Only rows that start before TIME.")
@click.option("--sql", metavar="QUERY", help="One SELECT over the views events, pulses and metrics.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    help="Stop a query that works for so long; 0: never.",
)
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
    run: Path, pulses: bool, where: str | None, start: str | None, end: str | None, sql: str | None, timeout: float,
    describe: bool, limit: int | None, as_csv: bool, as_json: bool,
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
    if describe:
        _describe(name, queries.columns(folder, name), as_json)
        return
    query = sql if sql is not None else queries.select(name, where=where, start=start, end=end)
    with queries.query(folder, query, seconds=timeout or None) as answer:
        write_rows(answer, {"path": str(folder)}, limit=limit, as_csv=as_csv, as_json=as_json)


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
