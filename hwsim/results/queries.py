"""Queries over the logs of a run, with DuckDB, which reads of the Parquet files what a query needs.

The logs are views under the names ``events``, ``pulses`` and ``metrics``. DuckDB has access to no other file, to no
extension and not to its own settings, and runs nothing but a SELECT: a query sees these logs and changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.errors import ResultsError, UsageError, unknown
from hwsim.foreign import memory_limit
from hwsim.results import logs
from hwsim.results.folder import parquet
from hwsim.results.stoppable import Stoppable
from hwsim.units import parse_quantity, to_picoseconds

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("events", "pulses", "metrics", "gauges", "lines")
"""The logs of a run, each a view of the same name."""

OWN_TABLES = (*TABLES, "line_reads")
"""Logs that the project's own queries may use."""

Time = str | int
"""A simulated time: whole picoseconds, or text with a unit such as ``"10 us"``."""

CHUNK_ROWS = 8192

PLAIN = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR"}
"""Types of the columns of the logs: they go to pandas through Arrow, three times as fast as one by one."""


@dataclass(frozen=True)
class Rows:
    """The answer to a query: the names of its columns, and its rows as they are read."""

    columns: Sequence[str]
    rows: Iterator[tuple[Any, ...]]


def select(
    table: str,
    *,
    where: str | None = None,
    start: Time | None = None,
    end: Time | None = None,
    limit: int | None = None,
) -> str:
    """Return the SQL for rows of ``table`` (``events`` or ``pulses``), in the order of the log, which is time order.

    ``where`` is an SQL condition; ``start`` and ``end`` choose rows with start <= t_ps < end and are whole picoseconds
    or text with a unit, such as ``"10 us"``; ``limit`` bounds the number of rows.

    Raises:
        UsageError: a time or the limit is wrong, or ``where`` is no single condition.
    """
    conditions = window(start, end)
    if where is not None:
        # On a line of its own, so that a comment in the condition cannot swallow the bracket.
        conditions.append(f"({_condition(where)}\n)")
    sql = f"SELECT * FROM {table}"
    if conditions:
        sql += " WHERE " + " AND ".join(conditions)
    if limit is not None:
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
            raise UsageError(f"a limit must be a whole number that is not negative, got {limit!r}")
        sql += f" LIMIT {limit}"
    return sql


def window(start: Time | None, end: Time | None) -> list[str]:
    """Return the SQL conditions for rows with start <= t_ps < end.

    Raises:
        UsageError: a time is wrong, or the window ends before it starts.
    """
    first, last = (None if time is None else picoseconds(time) for time in (start, end))
    if first is not None and last is not None and last < first:
        raise UsageError(f"the window from {start} to {end} ends before it starts")
    bounds = ((">=", first), ("<", last))
    return [f"t_ps {sign} {time}" for sign, time in bounds if time is not None]


def _condition(where: str) -> str:
    import duckdb

    if not where.strip():
        raise UsageError("the condition of where is empty; give one such as \"action = 'convert' and tile = 0\"")
    try:
        duckdb.SQLExpression(_quoted_columns(where))
    except duckdb.Error as error:
        raise UsageError(f"where {where!r}: {_message(error)}") from None
    return where


def picoseconds(time: Time) -> int:
    """Return a time, whole picoseconds or text such as ``"10 us"``, as whole picoseconds.

    Raises:
        UsageError: the time is negative, has no unit or another unit.
    """
    try:
        if isinstance(time, str):
            return to_picoseconds(parse_quantity(time, "s"), rounding="up")
        if isinstance(time, bool) or not isinstance(time, int) or time < 0:
            raise ValueError(f"expected whole picoseconds or text with a unit, such as '10 us', got {time!r}")
    except ValueError as error:
        raise UsageError(f"a time in the log: {error}") from None
    return time


@contextmanager
def query(folder: Path, sql: str, *, seconds: float | None = None) -> Iterator[Rows]:
    """Run one SELECT over the logs of a run folder; the rows are read while the context is open.

    ``seconds``: how long DuckDB may work on it; None: as long as it takes.

    Raises:
        UsageError: the SQL is wrong, is no single SELECT, asks for anything but the logs, or takes too long.
        ResultsError: a log is damaged, or the run kept no such log.
    """
    sql = _quoted_columns(sql)
    _check_statement(sql)
    with answer(folder, sql, TABLES, seconds=seconds) as rows:
        yield rows


@contextmanager
def answer(
    folder: Path, sql: str, tables: Sequence[str] = OWN_TABLES, *, seconds: float | None = None
) -> Iterator[Rows]:
    """Run a SELECT of the project's own over some logs; as :func:`query`, which checks one that comes from outside."""
    import duckdb

    with _connect(folder, sql, tables) as connection, Stoppable(connection, seconds) as done:
        try:
            done(connection.execute, sql)
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise _refusal(error, folder) from None
        columns = [column[0] for column in connection.description]
        yield Rows(columns, _fetch(connection, done, folder))


def frame(folder: Path, sql: str, *, seconds: float | None = None) -> pd.DataFrame:
    """Run one SELECT over the logs of a run folder and return the whole answer; as :func:`query`."""
    import duckdb

    sql = _quoted_columns(sql)
    _check_statement(sql)
    with _connect(folder, sql, TABLES) as connection, Stoppable(connection, seconds) as done:
        try:
            found = connection.sql(sql)
            if {str(kind) for kind in found.types} <= PLAIN:
                return done(found.to_arrow_table).to_pandas(use_threads=False)
            return done(found.df)
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise _refusal(error, folder) from None


def _fetch(connection: Any, done: Stoppable, folder: Path) -> Iterator[tuple[Any, ...]]:
    import duckdb

    while True:
        try:
            chunk = done(connection.fetchmany, CHUNK_ROWS)
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise _refusal(error, folder) from None
        if not chunk:
            return
        yield from chunk


@contextmanager
def _connect(folder: Path, sql: str, tables: Sequence[str]) -> Iterator[Any]:
    import duckdb

    closed: dict[str, str | bool | int | float | list[str]] = {
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "python_enable_replacements": False,
        "temp_directory": "",
        "memory_limit": f"{memory_limit()}B",
    }
    connection = duckdb.connect(":memory:", config=closed)
    try:
        found = {name: folder / f"{name}.parquet" for name in tables if _mentions(sql, name)}
        found = {name: path for name, path in found.items() if path.is_file()}
        logs.allow(connection, list(found.values()))
        for name, path in found.items():
            logs.make_view(connection, name, path)
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def _mentions(sql: str, name: str) -> bool:
    """A log that the query does not name is left alone, so that a damaged one does not stop the others."""
    return re.search(rf"\b{name}\b", sql, re.IGNORECASE) is not None


def _check_statement(sql: str) -> None:
    import duckdb

    if ".parquet" in sql.lower():
        raise UsageError(f"query: a query sees the views {', '.join(TABLES)} and no files; leave out the .parquet")
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise UsageError(f"query: {_message(error)}") from None
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.EXPLAIN:
        # What is explained may be run (EXPLAIN ANALYZE), so it must be a SELECT too.
        _check_statement(re.sub(r"^\s*explain\b(\s+analyze\b)?", "", sql, count=1, flags=re.IGNORECASE))
    elif len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise UsageError(f"query: expected one SELECT over the views {', '.join(TABLES)}")


def _refusal(error: Exception, folder: Path) -> ResultsError | UsageError:
    """Turn an error of DuckDB into a message about the logs."""
    import duckdb

    message = _message(error)
    missing = re.search(r"Table with name (.+?) does not exist", message)
    if missing is not None:
        name = missing[1].lower()
        if name in TABLES:
            return ResultsError(f"the run {folder} kept no {name}{_how_to_log(name)}")
        return UsageError(f"query: {unknown('view', missing[1], TABLES)}")
    if isinstance(error, duckdb.PermissionException):
        return UsageError(f"query: a query sees the views {', '.join(TABLES)} and no files or settings ({message})")
    # DuckDB passes errors of its Parquet reader on without a class of their own.
    unreadable = isinstance(error, duckdb.IOException | UnicodeDecodeError) or type(error) is duckdb.Error
    if unreadable or re.search(r"Failed to read file|IOError|OSError|ArrowInvalid|TProtocol|know what type", message):
        return ResultsError(f"a log of {folder} is damaged: {message}")
    return UsageError(f"query: {message}")


_ARRAY_COLUMN = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*)|\b(array)\b(?!\s*[\[(])""", re.IGNORECASE)


def _quoted_columns(sql: str) -> str:
    """Quote the column ``array``, which is a word of SQL too: it stands before a bracket where it is meant as one."""
    return _ARRAY_COLUMN.sub(lambda match: match[1] or f'"{match[2]}"', sql)


def _how_to_log(name: str) -> str:
    return {
        "events": " (run with --log events to have them)",
        "pulses": " (run with --log pulses and --probe TILE[:ROWS[:COLS]] to have them)",
        "gauges": " (run with --log events to have them)",
        "lines": " (run with --log pulses and --probe TILE[:ROWS[:COLS]] to have them)",
    }.get(name, "")


def _message(error: Exception) -> str:
    """Return what DuckDB found wrong, without its prefix and its drawing of the query."""
    lines = [line.strip() for line in str(error).split("\n\nLINE ")[0].splitlines() if line.strip()]
    text = " ".join(lines)
    return re.sub(r"^[A-Za-z]+(?: [A-Za-z]+)? Error: ", "", text)


def check_log(folder: Path, table: str) -> None:
    """Refuse a log that is missing, damaged, of another schema version or of another kind.

    Raises:
        ResultsError: it is.
    """
    check_there(folder, table)
    with _connect(folder, f"SELECT 1 FROM {table}", (table,)):
        pass


def check_there(folder: Path, table: str) -> None:
    """Refuse a log that is missing.

    Raises:
        ResultsError: it is.
    """
    if not (folder / f"{table}.parquet").is_file():
        raise ResultsError(f"the run {folder} kept no {table}{_how_to_log(table)}")


def metadata(folder: Path, table: str) -> dict[str, str]:
    """Return the metadata of a log: schema version, seed and hash of the configuration, and what is its own.

    Raises:
        ResultsError: the log is missing or damaged.
    """
    check_there(folder, table)
    with _connect(folder, table, (table,)) as connection:
        return logs.metadata(connection, folder / f"{table}.parquet")


def columns(folder: Path, table: str) -> dict[str, tuple[str, str]]:
    """Return the unit and the description of every column of a log, by name.

    Raises:
        ResultsError: the run kept no such log, or it is damaged.
    """
    check_log(folder, table)
    described = {}
    with parquet(folder / f"{table}.parquet") as file:
        for field in file.schema_arrow:
            metadata = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
            described[field.name] = (metadata.get("unit", ""), metadata.get("description", ""))
    return described
