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

from hwsim.run.growing import GrowingParquet
from hwsim.run.pages import PageCoding

Columns = Mapping[str, tuple[str, str, str]]
"""Name of a column to its type, unit and description; the type ``name`` is text out of a few words."""

MOST_ROWS = 1 << 20
LEAST_ROWS = 8192
SHARE = 8
"""A row group has at least this part of the rows before it."""


@dataclass(frozen=True)
class Coding:
    """How pyarrow codes columns.

    Columns with few values are dictionaries, ``delta`` columns grow; the others stand as they are. All are compressed.
    A delta column whose values come in long runs is coded as a dictionary, which is smaller and faster to read. Of
    names no least and greatest value is told: they are in every row group, and finding those took a third of the time.
    """

    dictionary: Sequence[str] = ()
    delta: Sequence[str] = ()

    def options(self, columns: Mapping[str, pa.ChunkedArray]) -> dict[str, Any]:
        """Return the options of the Parquet writer for a row group."""
        runs = [name for name in self.delta if _has_runs(columns[name])]
        delta = [name for name in self.delta if name not in runs]
        return {
            "compression": "zstd",
            "use_dictionary": [*self.dictionary, *runs],
            "column_encoding": dict.fromkeys(delta, "DELTA_BINARY_PACKED"),
            "write_statistics": [name for name, column in columns.items() if not pa.types.is_dictionary(column.type)],
        }


def _has_runs(column: pa.ChunkedArray) -> bool:
    changes = sum(int(np.count_nonzero(np.diff(chunk.to_numpy()))) for chunk in column.chunks)
    return changes + column.num_chunks < len(column) / 8


@dataclass
class Waiting:
    """Rows that wait for their row group: pieces of each column, in order."""

    rows: int = 0
    pieces: dict[str, list[Any]] = field(default_factory=dict)

    def take(self, size: int) -> dict[str, list[Any]]:
        """Take the first rows out."""
        taken = {}
        for name, pieces in self.pieces.items():
            taken[name], self.pieces[name] = _split(pieces, size)
        self.rows -= size
        return taken


def _split(pieces: list[Any], size: int) -> tuple[list[Any], list[Any]]:
    """Cut a column behind its first ``size`` rows."""
    first, k = [], 0
    while size and size >= len(pieces[k]):
        first.append(pieces[k])
        size -= len(pieces[k])
        k += 1
    rest = pieces[k:]
    if size:
        first.append(rest[0][:size])
        rest[0] = rest[0][size:]
    return first, rest


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
        coding: Coding | PageCoding | None = None,
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
        empty = self._encode(Coding(), self._schema.empty_table())
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
        n = len(next(iter(columns.values())))
        if not n:
            return
        for name in self._columns:
            self._waiting.pieces[name].append(self._piece(name, columns[name], names))
        self._waiting.rows += n
        while self._waiting.rows >= (size := self._group_size()):
            self._write_group(size)

    def _piece(self, name: str, values: Any, names: Sequence[str]) -> Any:
        """Return rows of a column as its coding takes them."""
        kind = self._columns[name][0]
        return np.asarray(values, kind) if isinstance(self._coding, PageCoding) else _arrow(values, kind, names)

    def _group_size(self) -> int:
        return min(max(self._written // SHARE, self._least), MOST_ROWS)

    def _write_group(self, size: int) -> None:
        pieces = self._waiting.take(size)
        self._written += size
        if isinstance(self._coding, PageCoding):
            pages, group = self._coding.encode(pieces)
            self._file.append_groups(pages, [group])
            return
        columns = {name: pa.chunked_array(own).unify_dictionaries() for name, own in pieces.items()}
        self._file.append(self._encode(self._coding, pa.table(columns, schema=self._schema)))

    @staticmethod
    def _encode(coding: Coding, table: pa.Table) -> memoryview:
        """Return a Parquet file of these rows as one row group."""
        sink = pa.BufferOutputStream()
        options = coding.options(dict(zip(table.column_names, table.columns, strict=True)))
        with pq.ParquetWriter(sink, table.schema, **options) as writer:
            if len(table):
                writer.write_table(table, row_group_size=len(table))
        return memoryview(sink.getvalue()).cast("B")

    def state(self) -> dict[str, Any]:
        """Return where the table is: row groups of the file, and the rows that wait as one Arrow table.

        A writer with these ``groups`` that :meth:`restore` has given the waiting rows goes on to the same bytes.
        """
        kinds = {name: _arrow_type(kind) for name, (kind, _, _) in self._columns.items()}
        arrays = {name: pa.chunked_array([pa.array(piece, kinds[name]) for piece in pieces], kinds[name])
                  for name, pieces in self._waiting.pieces.items()}  # fmt: skip
        arrays = {name: array.unify_dictionaries() for name, array in arrays.items()}
        return {"groups": self._file.groups, "waiting": pa.table(arrays, schema=self._schema)}

    def restore(self, waiting: pa.Table) -> None:
        """Take over the waiting rows of :meth:`state`."""
        pieces: dict[str, list[Any]] = {name: waiting[name].chunks for name in self._columns}
        if isinstance(self._coding, PageCoding):
            pieces = {name: [piece.to_numpy() for piece in own] for name, own in pieces.items()}
        self._waiting = Waiting(len(waiting), pieces)

    def checkpoint(self) -> dict[str, Any]:
        """Return where the table is as plain data, once all that is in the file has reached the disk: the footer, and
        the pieces that wait (where a group is put together of other pieces, it may be coded another way)."""
        self._file.sync()
        columns = {}
        for name, pieces in self._waiting.pieces.items():
            if isinstance(self._coding, PageCoding):
                columns[name] = [[np.ascontiguousarray(piece), []] for piece in pieces]
            elif self._columns[name][0] == "name":
                columns[name] = [[piece.indices.to_numpy(), piece.dictionary.to_pylist()] for piece in pieces]
            else:
                columns[name] = [[piece.to_numpy(zero_copy_only=False), []] for piece in pieces]
        return {"footer": np.frombuffer(self._file.state, np.uint8), "waiting": columns}

    def take_up(self, waiting: Mapping[str, Any]) -> None:
        """Take over the waiting pieces of :meth:`checkpoint`."""
        pieces = {name: [self._piece(name, values, names) for values, names in waiting[name]] for name in self._columns}
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
