"""The logs of a run folder as DuckDB views: whole files, and what is readable of a file whose writer was killed.

A log is an ordinary Parquet file, which DuckDB reads itself. Of one that was left amid a flush everything before its
last footer is read (``hwsim.results.unfinished``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwsim.errors import ResultsError
from hwsim.foreign import too_large
from hwsim.results.folder import SCHEMA, damaged, parquet
from hwsim.results.unfinished import ends_in_footer

REQUIRED = {
    "events": {"t_ps", "dur_ps", "component", "action", "operation", "step", "count", "energy_J"},
    "pulses": {"t_ps", "tile", "array", "row", "col", "polarity", "dw", "w"},
    "gauges": {"t_ps", "component", "gauge", "value"},
    "lines": {"t_ps", "dur_ps", "tile", "array", "device", "axis", "line", "sign", "phase"},
    "line_reads": {"t_ps", "tile", "array", "device", "axis", "line"},
}
"""Columns without which a file is no such log."""


def make_view(connection: Any, name: str, path: Path) -> None:
    """Make a log known to a DuckDB connection that :func:`allow` gave access to it.

    Raises:
        ResultsError: the log is damaged, of another schema version, or no log of hwsim.
    """
    import duckdb

    if ends_in_footer(path):
        quoted = _quoted(path)
        try:
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet({quoted})")
        except (duckdb.Error, UnicodeDecodeError):
            raise damaged(path) from None
    else:
        connection.execute("SET threads = 1")  # no thread of DuckDB may hold the rows, which are an object of Python
        connection.register(name, recovered(path))
    found = {row[0] for row in connection.execute(f"DESCRIBE {name}").fetchall()}
    _check(path, name, found, metadata(connection, path))


def metadata(connection: Any, path: Path) -> dict[str, str]:
    """Return the metadata of a log to which the connection has access.

    Raises:
        ResultsError: the log is damaged.
    """
    import duckdb

    if not ends_in_footer(path):
        found = recovered(path).schema.metadata or {}
        return {key.decode(): value.decode() for key, value in found.items()}
    try:
        rows = connection.execute(f"SELECT key, value FROM parquet_kv_metadata({_quoted(path)})").fetchall()
        return {bytes(key).decode(): bytes(value).decode() for key, value in rows}
    except (duckdb.Error, UnicodeDecodeError):
        raise damaged(path) from None


def _quoted(path: Path) -> str:
    return "'" + str(path.absolute()).replace("'", "''") + "'"


def allow(connection: Any, paths: list[Path]) -> None:
    """Take every access to files from a DuckDB connection but that to these, and lock the door."""
    connection.execute(f"SET allowed_paths = [{', '.join(map(_quoted, paths))}]")
    connection.execute("SET enable_external_access = false")


def recovered(path: Path) -> Any:
    """Return the rows before the last footer of a file that does not end in one, as an Arrow data set.

    Raises:
        ResultsError: it holds no footer, or more than fits into memory.
    """
    import pyarrow as pa
    import pyarrow.dataset as ds

    with parquet(path) as file:
        if reason := too_large(file):
            raise ResultsError(f"{path} is not read: {reason}")
        table: pa.Table = file.read(use_threads=False)
    return ds.dataset(table)


def _check(path: Path, name: str, columns: set[str], described: Mapping[str, str]) -> None:
    schema = described.get("hwsim.schema")
    if schema is not None and schema != str(SCHEMA):
        raise ResultsError(f"{path} has schema version {schema!r}; this hwsim reads version {SCHEMA}")
    missing = sorted(REQUIRED.get(name, set()) - columns)
    if missing:
        raise ResultsError(f"{path} is no {name} log of hwsim: it has no column {', '.join(missing)}")
