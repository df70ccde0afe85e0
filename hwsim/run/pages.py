"""Columns of numbers coded as the pages of a Parquet file, for logs that grow by millions of rows a second.

A column whose values stay the same for many rows is a dictionary of its values and runs of places in it, which Parquet
has a form for: pyarrow finds both value by value, here the work is for each run and not for each row. Other whole
numbers take a few bits each where they are close to each other, as those of lines are, and are compressed with LZ4
elsewhere. Noise, on which nothing is gained, goes into the file from where it lies in memory.
Sources: the Parquet format's ``parquet.thrift`` (numbers of the fields) and ``Encodings.md`` (``PLAIN_DICTIONARY`` and
``RLE_DICTIONARY``, run length encoding).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from hwsim._kernels.runs import changes, pack
from hwsim.run.footer import BINARY, I32, I64, LIST, MAGIC, STRUCT, Field, RowGroup, struct_bytes, write_varint

SHORTEST = 8
"""Rows of a run, on average, from which on a column is coded in runs."""
WIDEST = 1 << 12
"""Different numbers, at most, of a column that is coded in a few bits each."""
PAGE_ROWS = 1 << 18
"""Rows of a page of values that stand one by one."""

DATA_PAGE, DICTIONARY_PAGE = 0, 2
PLAIN, RLE, RLE_DICTIONARY = 0, 3, 8
UNCOMPRESSED, LZ4_RAW = 0, 7
PHYSICAL = {("i", 4): (1, "<i4"), ("i", 8): (2, "<i8"), ("f", 4): (4, "<f4"), ("f", 8): (5, "<f8")}
"""Kind and bytes of a number to its physical type in Parquet (``INT32``, ``INT64``, ``FLOAT``, ``DOUBLE``), in NumPy"""

CHUNK_OFFSET, CHUNK_METADATA = 2, 3
"""Fields of a ``ColumnChunk``."""

Piece = bytes | memoryview
Pieces = Sequence[np.ndarray]
"""A column in pieces, none of them empty."""


@dataclass(frozen=True)
class PageCoding:
    """How the columns of a table of numbers are coded: ``bare`` ones stand as they are, others in runs or compressed.

    ``statistics`` names the columns of which each row group tells the least and greatest value, by which a query leaves
    it out.
    """

    bare: Sequence[str]
    statistics: Sequence[str]

    def encode(self, columns: Mapping[str, Pieces]) -> tuple[list[Piece], RowGroup]:
        """Return a row group of columns in order: its pages, and what a footer says of it where they begin a file."""
        pieces: list[Piece] = []
        chunks: list[list[Field]] = []
        at, plain = len(MAGIC), 0
        for name, values in columns.items():
            column = CodedColumn.of(name, values, name in self.bare, name in self.statistics)
            chunks.append(column.description(at))
            pieces += column.pieces
            at += len(column)
            plain += column.plain
        rows = sum(map(len, next(iter(columns.values()))))
        size = at - len(MAGIC)
        fields: list[Field] = [(1, LIST, (STRUCT, chunks)), (2, I64, plain), (3, I64, rows), (6, I64, size)]
        return pieces, RowGroup(struct_bytes(fields), rows, at)


@dataclass(frozen=True)
class CodedColumn:
    """A column of a row group: its pages in pieces, and what its description says of them.

    ``plain`` are the bytes of the pages before compression, ``dictionary`` those of the page of its dictionary, and
    ``bounds`` its least and greatest value, where the row group tells of them.
    """

    name: str
    rows: int
    pieces: Sequence[Piece]
    physical: int
    codec: int
    plain: int
    dictionary: int
    bounds: tuple[bytes, bytes] | None

    @classmethod
    def of(cls, name: str, values: Pieces, bare: bool, bounded: bool) -> CodedColumn:
        """Code a column, whose least and greatest value are told where it is ``bounded``."""
        physical, kind = PHYSICAL[values[0].dtype.kind, max(values[0].itemsize, 4)]
        n = sum(map(len, values))
        runs = None if bare else Runs.of(values, n)
        coded: Runs | Packed | None = runs
        bounds = None
        if bounded or not bare:
            least, greatest = _bounds(values if runs is None else [runs.values])
            if bounded:
                bounds = np.array(least, kind).tobytes(), np.array(greatest, kind).tobytes()
            if runs is None and not bare and int(greatest) - int(least) < WIDEST:
                coded = Packed(values, int(least), int(greatest))
        if coded is not None:
            dictionary, data = coded.pages(kind)
            size = len(dictionary) + len(data)
            return cls(name, n, [dictionary, data], physical, UNCOMPRESSED, size, len(dictionary), bounds)
        pieces: list[Piece] = []
        plain = 0
        for page in _pages(values):
            header, content, size = _plain_page(page, kind, compressed=not bare)
            pieces += [header, *content]
            plain += len(header) + size
        return cls(name, n, pieces, physical, UNCOMPRESSED if bare else LZ4_RAW, plain, 0, bounds)

    def __len__(self) -> int:
        """Bytes of its pages."""
        return sum(map(len, self.pieces))

    def description(self, at: int) -> list[Field]:
        """Return the ``ColumnChunk`` of pages that begin at a byte of the file."""
        metadata: list[Field] = [
            (1, I32, self.physical),
            (2, LIST, (I32, [PLAIN, RLE, *([RLE_DICTIONARY] if self.dictionary else [])])),
            (3, LIST, (BINARY, [self.name.encode()])),
            (4, I32, self.codec),
            (5, I64, self.rows),
            (6, I64, self.plain),
            (7, I64, len(self)),
            (9, I64, at + self.dictionary),
        ]
        if self.dictionary:
            metadata.append((11, I64, at))
        if self.bounds is not None:
            least, greatest = self.bounds
            metadata.append((12, STRUCT, [(3, I64, 0), (5, BINARY, greatest), (6, BINARY, least)]))
        return [(CHUNK_OFFSET, I64, 0), (CHUNK_METADATA, STRUCT, metadata)]


@dataclass(frozen=True)
class Runs:
    """A column as the value and the length of each of its runs."""

    values: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, pieces: Pieces, n: int) -> Runs | None:
        """Return the runs of a column of ``n`` rows; None where they are short."""
        most = n // SHORTEST
        begins: list[np.ndarray] = []
        values: list[np.ndarray] = []
        first = found = 0
        for piece in pieces:
            places = _changes(piece, most - found)
            if places is None:
                return None
            found += len(places)
            begins += [np.array([first]), places + first]
            values += [piece[:1], piece[places]]
            first += len(piece)
        begin, value = np.concatenate(begins), np.concatenate(values)
        # A run may go on in the next piece.
        new = np.flatnonzero(np.concatenate([[True], value[1:] != value[:-1]]))
        if len(new) > most:
            return None
        return cls(value[new], np.diff(begin[new], append=n))

    def pages(self, kind: str) -> tuple[bytes, bytes]:
        """Return the page of the dictionary, of numbers of a ``kind``, and that of the rows."""
        known, places = _known(self.values)
        bits = _bits(len(known))
        content = bytes([bits]) + _run_bytes(self.lengths, places, -(-bits // 8))
        data = _header(DATA_PAGE, len(content), int(self.lengths.sum()), RLE_DICTIONARY)
        return _dictionary(known, kind), data + content


@dataclass(frozen=True)
class Packed:
    """A column of numbers from ``least`` to ``greatest``, each of which takes as many bits as that needs."""

    values: Pieces
    least: int
    greatest: int

    def pages(self, kind: str) -> tuple[bytes, bytes]:
        """Return the page of the dictionary, all numbers there could be of a ``kind``, and that of the rows."""
        known = np.arange(self.least, self.greatest + 1)
        bits = _bits(len(known))
        values = np.concatenate(self.values)
        groups = -(-len(values) // 8)
        content = bytearray([bits])
        write_varint(content, groups << 1 | 1)
        content += pack(values, self.least, bits).data
        return _dictionary(known, kind), _header(DATA_PAGE, len(content), len(values), RLE_DICTIONARY) + content


def _bits(numbers: int) -> int:
    """Return the bits of a place among so many numbers."""
    return max((numbers - 1).bit_length(), 1)


def _dictionary(known: np.ndarray, kind: str) -> bytes:
    """Return the page of a dictionary."""
    header = _header(DICTIONARY_PAGE, len(known) * np.dtype(kind).itemsize, len(known), PLAIN)
    return header + known.astype(kind).tobytes()


def _changes(piece: np.ndarray, most: int) -> np.ndarray | None:
    """Return where the values of a piece change; None where that is more than ``most`` times."""
    if piece.strides == (0,):  # one number for all rows
        return np.zeros(0, np.int64)
    return changes(np.ascontiguousarray(piece), most)


def _known(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the values that there are, in order, and the place of each value among them."""
    least, greatest = int(values.min()), int(values.max())
    if greatest - least >= 4 * len(values):
        known, places = np.unique(values, return_inverse=True)
        return known, places
    offsets = values.astype(np.int64) - least
    found = np.zeros(greatest - least + 1, bool)
    found[offsets] = True
    places = np.cumsum(found) - 1
    return np.flatnonzero(found) + least, places[offsets]


def _bounds(pieces: Pieces) -> tuple[Any, Any]:
    return min(piece.min() for piece in pieces), max(piece.max() for piece in pieces)


def _pages(pieces: Pieces) -> Iterator[list[np.ndarray]]:
    """Put pieces together to pages, cut where a page ends."""
    page: list[np.ndarray] = []
    room = PAGE_ROWS
    for piece in pieces:
        while len(piece):
            page.append(piece[:room])
            piece, room = piece[room:], room - len(page[-1])
            if not room:
                yield page
                page, room = [], PAGE_ROWS
    if page:
        yield page


def _plain_page(page: list[np.ndarray], kind: str, *, compressed: bool) -> tuple[bytes, list[Piece], int]:
    """Return the header and the content of a page of values, and the bytes of the content before compression."""
    rows = sum(map(len, page))
    size = rows * np.dtype(kind).itemsize
    if not compressed:
        content: list[Piece] = [np.ascontiguousarray(piece, kind).data.cast("B") for piece in page]
        return _header(DATA_PAGE, size, rows, PLAIN), content, size
    values = np.concatenate(page, dtype=kind)
    packed = memoryview(pa.compress(values, codec="lz4_raw", asbytes=False)).cast("B")
    return _header(DATA_PAGE, size, rows, PLAIN, len(packed)), [packed], size


def _header(kind: int, size: int, values: int, encoding: int, packed: int | None = None) -> bytes:
    """Return the ``PageHeader`` of a page of ``size`` bytes, which compression made ``packed``."""
    number, described = 7, [(1, I32, values), (2, I32, encoding)]
    if kind == DATA_PAGE:
        number, described = 5, [*described, (3, I32, RLE), (4, I32, RLE)]
    packed = size if packed is None else packed
    return struct_bytes([(1, I32, kind), (2, I32, size), (3, I32, packed), (number, STRUCT, described)])


def _run_bytes(lengths: np.ndarray, places: np.ndarray, width: int) -> bytes:
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
