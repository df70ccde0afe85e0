"""Columns of whole numbers in long runs of the same value, coded as the pages of a Parquet file.

Parquet codes such a column as a dictionary of its values and runs of places in it. pyarrow finds both value by value;
here NumPy looks for the ends of the runs, and the rest is work for each run and not for each row, which makes the pulse
log half as expensive.
Sources: the Parquet format's ``parquet.thrift`` (numbers of the fields) and ``Encodings.md`` (``PLAIN_DICTIONARY`` and
``RLE_DICTIONARY``, run length encoding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwsim.run.footer import (
    BINARY,
    GROUP_COLUMNS,
    I32,
    I64,
    LIST,
    STRUCT,
    Field,
    Footer,
    RowGroup,
    footer_start,
    read_footer,
    read_struct,
    struct_bytes,
)

SHORTEST = 8
"""Rows of a run, on average, from which on a column is coded here."""

DATA_PAGE, DICTIONARY_PAGE = 0, 2
PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
UNCOMPRESSED = 0
PHYSICAL = {4: (1, "<i4"), 8: (2, "<i8")}
"""Bytes of a number to its physical type in Parquet, ``INT32`` or ``INT64``, and in NumPy."""

CHUNK_OFFSET, CHUNK_METADATA = 2, 3
"""Fields of a ``ColumnChunk``."""
GROUP_SIZES = (2, 6)
"""Fields of a ``RowGroup``: bytes of its pages before and after compression."""


@dataclass(frozen=True)
class RunColumn:
    """A column of a row group: the pages of its dictionary and of its rows, and what its description says of them."""

    name: str
    rows: int
    dictionary: bytes
    data: bytes
    physical: int
    least: bytes
    greatest: bytes

    @classmethod
    def of(cls, name: str, values: np.ndarray) -> RunColumn | None:
        """Code a column of whole numbers; None where its runs are short."""
        n = len(values)
        ends = np.flatnonzero(values[1:] != values[:-1]) + 1
        if (len(ends) + 1) * SHORTEST > n:
            return None
        begins = np.concatenate([[0], ends])
        known, places = np.unique(values[begins], return_inverse=True)
        physical, kind = PHYSICAL[max(values.itemsize, 4)]
        plain = known.astype(kind)
        bits = max(int(len(known) - 1).bit_length(), 1)
        runs = bytes([bits]) + _runs(np.diff(begins, append=n), places, -(-bits // 8))
        return cls(
            name,
            n,
            _page(DICTIONARY_PAGE, 7, [(1, I32, len(known)), (2, I32, PLAIN)], plain.tobytes()),
            _page(DATA_PAGE, 5, [(1, I32, n), (2, I32, RLE_DICTIONARY), (3, I32, RLE), (4, I32, RLE)], runs),
            physical,
            plain[0].tobytes(),
            plain[-1].tobytes(),
        )

    def __len__(self) -> int:
        """Bytes of its pages."""
        return len(self.dictionary) + len(self.data)

    def description(self, at: int) -> list[Field]:
        """Return the ``ColumnChunk`` of pages that begin at a byte of the file."""
        statistics: list[Field] = [(3, I64, 0), (5, BINARY, self.greatest), (6, BINARY, self.least)]
        metadata: list[Field] = [
            (1, I32, self.physical),
            (2, LIST, (I32, [PLAIN, RLE, RLE_DICTIONARY])),
            (3, LIST, (BINARY, [self.name.encode()])),
            (4, I32, UNCOMPRESSED),
            (5, I64, self.rows),
            (6, I64, len(self)),
            (7, I64, len(self)),
            (9, I64, at + len(self.dictionary)),
            (11, I64, at),
            (12, STRUCT, statistics),
        ]
        return [(CHUNK_OFFSET, I64, 0), (CHUNK_METADATA, STRUCT, metadata)]


def with_columns(
    file: memoryview, columns: Mapping[str, RunColumn], names: Sequence[str], fields: Sequence[Field]
) -> memoryview:
    """Return the bytes of a Parquet file of one row group with further columns.

    Args:
        file: the file of the other columns, in the order of ``names``.
        columns: what goes in, by name.
        names: all columns in order.
        fields: the footer of a file of all columns, without row groups.
    """
    end = footer_start(file)
    group = read_footer(file).groups[0]
    description, _ = read_struct(memoryview(group.description), 0)
    others = iter(next(value for number, _, value in description if number == GROUP_COLUMNS)[1])
    chunks: list[list[Field]] = []
    pages: list[bytes | memoryview] = [file[:end]]
    at = end
    for name in names:
        column = columns.get(name)
        if column is None:
            chunks.append(next(others))
            continue
        chunks.append(column.description(at))
        pages += [column.dictionary, column.data]
        at += len(column)
    whole = []
    for number, kind, value in description:
        if number == GROUP_COLUMNS:
            value = (STRUCT, chunks)
        elif number in GROUP_SIZES:
            value += at - end
        whole.append((number, kind, value))
    footer = Footer(fields, [RowGroup(struct_bytes(whole), group.rows, at)])
    return memoryview(b"".join([*pages, footer.encode()]))


def _page(kind: int, header: int, described: list[Field], content: bytes) -> bytes:
    """Return a page: its ``PageHeader``, whose field ``header`` describes it, and its content."""
    fields: list[Field] = [(1, I32, kind), (2, I32, len(content)), (3, I32, len(content)), (header, STRUCT, described)]
    return struct_bytes(fields) + content


def _runs(lengths: np.ndarray, places: np.ndarray, width: int) -> bytes:
    """Return runs as Parquet has them: twice the length in groups of seven bits, and the place in ``width`` bytes."""
    doubled = lengths.astype(np.uint64) << np.uint64(1)
    groups = -(-int(doubled.max()).bit_length() // 7)
    table = np.empty((len(lengths), groups + width), np.uint8)
    used = np.ones(table.shape, bool)
    for k in range(groups):
        rest = doubled >> np.uint64(7 * k)
        table[:, k] = (rest & np.uint64(0x7F)) | np.where(rest > 0x7F, np.uint64(0x80), np.uint64(0))
        used[:, k] = (rest > 0) | (k == 0)
    for k in range(width):
        table[:, groups + k] = (places >> (8 * k)) & 0xFF
    return table[used].tobytes()
