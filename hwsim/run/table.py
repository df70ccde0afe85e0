"""Tables of a run folder: columns with units in, row groups of a Parquet file out, with bounded memory.

Rows wait in memory until there are enough of them for a row group: an eighth of the rows that are in the file already,
but no fewer than the table's least and no more than ``MOST_ROWS``. So a run that is killed loses at most an eighth of
its rows (or the least), and a long log has row groups of a good size. Where row groups end depends on the rows alone,
not on the clock: the same rows make the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hwsim.run.footer import read_footer
from hwsim.run.growing import GrowingParquet
from hwsim.run.runs import RunColumn, with_columns

Columns = Mapping[str, tuple[str, str, str]]
"""Name of a column to its type, unit and description; the type ``name`` is text out of a few words."""

MOST_ROWS = 1 << 20
LEAST_ROWS = 8192
SHARE = 8
"""A row group has at least this part of the rows before it."""


@dataclass(frozen=True)
class Coding:
    """How columns are coded.

    Columns with few values are dictionaries, ``delta`` columns grow, ``runs`` columns are whole numbers that often stay
    the same for many rows; the others stand as they are. All are compressed as ``compression`` says but runs and those
    that are ``bare``: noise, on which nothing is gained. ``statistics`` names the columns of which each row group tells
    the least and greatest value, by which a query leaves it out; None: all of them.
    A delta column whose values come in long runs is coded as a dictionary, which is smaller and faster to read.
    """

    dictionary: Sequence[str] = ()
    delta: Sequence[str] = ()
    runs: Sequence[str] = ()
    bare: Sequence[str] = ()
    compression: str = "zstd"
    statistics: Sequence[str] | None = None

    def options(self, columns: Mapping[str, pa.ChunkedArray]) -> dict[str, Any]:
        """Return the options of the Parquet writer for a row group."""
        runs = [name for name in self.delta if _has_runs(columns[name])]
        delta = [name for name in self.delta if name not in runs]
        return {
            "compression": {name: "none" if name in self.bare else self.compression for name in columns},
            "use_dictionary": [*self.dictionary, *runs],
            "column_encoding": dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
            "write_statistics": True if self.statistics is None else list(self.statistics),
        }


def _has_runs(column: pa.ChunkedArray) -> bool:
    changes = sum(int(np.count_nonzero(np.diff(chunk.to_numpy()))) for chunk in column.chunks)
    return changes + column.num_chunks < len(column) / 8


@dataclass
class Waiting:
    """Rows that wait for their row group: pieces of each column, in order."""

    rows: int = 0
    pieces: dict[str, list[pa.Array]] = field(default_factory=dict)


class TableWriter:
    """A table that grows.

    Args:
        path: its file, made at once.
        columns: its columns.
        metadata: of the file.
        coding: how columns are coded.
        least: rows of a row group, at least.
        groups: row groups of the file to keep; None: the file is new.
        footer: the footer of the file to go on with, as :meth:`checkpoint` has it; None: as ``groups`` says.
    """

    def __init__(
        self,
        path: Path,
        columns: Columns,
        metadata: Mapping[str, str],
        *,
        coding: Coding | None = None,
        least: int = LEAST_ROWS,
        groups: int | None = None,
        footer: bytes | None = None,
    ) -> None:
        self._columns = columns
        self._coding = coding or Coding(dictionary=[name for name, (kind, _, _) in columns.items() if kind == "name"])
        self._least = least
        fields = [
            pa.field(name, _arrow_type(kind), nullable=False, metadata={"unit": unit, "description": text})
            for name, (kind, unit, text) in columns.items()
        ]
        self._schema = pa.schema(fields, metadata={key: str(value) for key, value in metadata.items()})
        self._waiting = Waiting(pieces={name: [] for name in columns})
        empty = self._encode(self._schema.empty_table())
        self._fields = read_footer(empty).fields
        if footer is not None:
            self._file = GrowingParquet.cut_back(path, footer)
        elif groups is None:
            self._file = GrowingParquet(path, empty)
        else:
            self._file = GrowingParquet.reopen(path, groups)
        self._written = self._file.rows

    @property
    def rows(self) -> int:
        """Rows so far, those that wait included."""
        return self._written + self._waiting.rows

    def write(self, columns: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> None:
        """Append rows, which are not copied: the arrays must stay as they are.

        ``names`` are what the name columns are indices into.
        """
        for name, (kind, _, _) in self._columns.items():
            self._waiting.pieces[name].append(_arrow(columns[name], kind, names))
        self._waiting.rows += len(next(iter(columns.values())))
        while self._waiting.rows >= (size := self._group_size()):
            self._write_group(size)

    def _group_size(self) -> int:
        return min(max(self._written // SHARE, self._least), MOST_ROWS)

    def _write_group(self, size: int) -> None:
        arrays = {name: pa.chunked_array(pieces) for name, pieces in self._waiting.pieces.items()}
        group = {name: array.slice(0, size).unify_dictionaries() for name, array in arrays.items()}
        self._file.append(self._encode(pa.table(group, schema=self._schema)))
        self._written += size
        self._waiting.rows -= size
        self._waiting.pieces = {name: array.slice(size).chunks for name, array in arrays.items()}

    def _encode(self, table: pa.Table) -> memoryview:
        """Return a Parquet file of these rows as one row group."""
        coded = {name: RunColumn.of(name, table[name].to_numpy()) for name in self._coding.runs if len(table)}
        runs = {name: column for name, column in coded.items() if column is not None}
        file = self._encode_others(table.drop_columns([*runs]))
        return with_columns(file, runs, table.column_names, self._fields) if runs else file

    def _encode_others(self, table: pa.Table) -> memoryview:
        """Return a Parquet file of these rows, all of it by pyarrow."""
        sink = pa.BufferOutputStream()
        options = self._coding.options(dict(zip(table.column_names, table.columns, strict=True)))
        with pq.ParquetWriter(sink, table.schema, **options) as writer:
            if len(table):
                writer.write_table(table, row_group_size=len(table))
        return memoryview(sink.getvalue()).cast("B")

    def state(self) -> dict[str, Any]:
        """Return where the table is: row groups of the file, and the rows that wait as one Arrow table.

        A writer with these ``groups`` that :meth:`restore` has given the waiting rows goes on to the same bytes.
        """
        arrays = {name: pa.chunked_array(pieces, _arrow_type(self._columns[name][0])).unify_dictionaries()
                  for name, pieces in self._waiting.pieces.items()}  # fmt: skip
        return {"groups": self._file.groups, "waiting": pa.table(arrays, schema=self._schema)}

    def restore(self, waiting: pa.Table) -> None:
        """Take over the waiting rows of :meth:`state`."""
        self._waiting = Waiting(len(waiting), {name: waiting[name].chunks for name in self._columns})

    def checkpoint(self) -> dict[str, Any]:
        """Return where the table is as plain data, once all that is in the file has reached the disk: the footer, and
        the pieces that wait (where a group is put together of other pieces, it may be coded another way)."""
        self._file.sync()
        columns = {}
        for name, pieces in self._waiting.pieces.items():
            if self._columns[name][0] == "name":
                columns[name] = [[piece.indices.to_numpy(), piece.dictionary.to_pylist()] for piece in pieces]
            else:
                columns[name] = [[piece.to_numpy(zero_copy_only=False), []] for piece in pieces]
        return {"footer": np.frombuffer(self._file.state, np.uint8), "waiting": columns}

    def take_up(self, waiting: Mapping[str, Any]) -> None:
        """Take over the waiting pieces of :meth:`checkpoint`."""
        pieces = {
            name: [_arrow(values, self._columns[name][0], names) for values, names in waiting[name]]
            for name in self._columns
        }
        rows = sum(len(piece) for piece in next(iter(pieces.values())))
        self._waiting = Waiting(rows, pieces)

    def close(self) -> None:
        """Write the rows that wait, and close the file."""
        if self._waiting.rows:
            self._write_group(self._waiting.rows)
        self._file.close()


def _arrow_type(kind: str) -> pa.DataType:
    return pa.dictionary(pa.int32(), pa.string()) if kind == "name" else pa.type_for_alias(kind)


def _arrow(values: Any, kind: str, names: Sequence[str]) -> pa.Array:
    if kind == "name":
        return pa.DictionaryArray.from_arrays(pa.array(values, pa.int32()), pa.array(names, pa.string()))
    return pa.array(values, _arrow_type(kind))
