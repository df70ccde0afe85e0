"""Footers of Parquet files: their row groups as pieces that can be moved to another place and another file.

pyarrow writes whole files only. A row group that it wrote into memory becomes a part of a larger file when the byte
offsets in its description are shifted to where its pages stand there. The description is Thrift data in the compact
protocol; this module reads and writes as much of it as that takes.
Sources: the Parquet format's ``parquet.thrift`` (numbers of the fields) and ``README`` (a file is ``PAR1``, pages,
footer, its length, ``PAR1``); the Thrift project's ``thrift-compact-protocol.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAGIC = b"PAR1"
TAIL_BYTES = 8
"""Length of the footer (four bytes, little endian) and ``MAGIC``."""

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)

Field = tuple[int, int, Any]
"""Number, type and value; a list is (type of its elements, values), a struct a list of fields."""

NUM_ROWS, ROW_GROUPS = 3, 4
"""Fields of the ``FileMetaData``."""
GROUP_COLUMNS, GROUP_ROWS, GROUP_OFFSET, GROUP_ORDINAL = 1, 3, 5, 7
"""Fields of a ``RowGroup``; the last one is optional and left out, as it tells the place among all groups."""
CHUNK_OFFSETS, CHUNK_METADATA = (2, 4, 6), 3
"""Fields of a ``ColumnChunk``: where it and its indexes begin; the ``ColumnMetaData``."""
PAGE_OFFSETS = (9, 10, 11, 14)
"""Fields of the ``ColumnMetaData``: data pages, index page, dictionary page, bloom filter."""


@dataclass(frozen=True)
class RowGroup:
    """A row group: its description as it stands in the footer, how many rows it has, where its pages end."""

    description: bytes
    rows: int
    end: int


@dataclass(frozen=True)
class Footer:
    """The fields of a footer without the row groups, and the row groups."""

    fields: Sequence[Field]
    groups: Sequence[RowGroup]

    @property
    def rows(self) -> int:
        """Rows of all groups."""
        return sum(group.rows for group in self.groups)

    def encode(self) -> bytes:
        """Return the end of a file: footer, its length and the magic bytes."""
        out = bytearray()
        before = 0
        for number, kind, value in self.fields:
            if number == ROW_GROUPS:
                _write_header(out, number, LIST, before)
                _write_list_header(out, STRUCT, len(self.groups))
                out += b"".join(group.description for group in self.groups)
            else:
                _write_field(out, (number, kind, self.rows if number == NUM_ROWS else value), before)
            before = number
        out.append(0)
        return bytes(out) + len(out).to_bytes(4, "little") + MAGIC


def read_footer(file: bytes | memoryview) -> Footer:
    """Return the footer of the bytes of a Parquet file.

    Raises:
        ValueError: the bytes do not end in a footer.
    """
    view = memoryview(file).cast("B")
    start = footer_start(view)
    try:
        fields, _ = read_struct(view, start)
        by_number = {number: value for number, _, value in fields}
        groups = [_group(group) for group in by_number[ROW_GROUPS][1]]
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("the footer cannot be read") from error
    return Footer(fields, groups)


def footer_start(view: memoryview) -> int:
    """Return where the footer of a file begins.

    Raises:
        ValueError: the bytes do not end in a footer.
    """
    length = int.from_bytes(view[-TAIL_BYTES:-4], "little")
    start = len(view) - TAIL_BYTES - length
    if len(view) < TAIL_BYTES + 4 or view[-4:] != MAGIC or start < len(MAGIC):
        raise ValueError("this does not end as a Parquet file does")
    return start


def moved(group: RowGroup, distance: int) -> RowGroup:
    """Return a row group whose pages stand ``distance`` bytes further on."""
    fields, _ = read_struct(memoryview(group.description), 0)
    return RowGroup(struct_bytes(_shift_group(fields, distance)), group.rows, group.end + distance)


def _group(fields: list[Field]) -> RowGroup:
    values = {number: value for number, _, value in fields}
    ends = [_chunk_end(chunk) for chunk in values[GROUP_COLUMNS][1]]
    return RowGroup(struct_bytes(fields), values[GROUP_ROWS], max(ends))


def _chunk_end(chunk: list[Field]) -> int:
    """Return where the pages of a column chunk end: its first page, and the bytes of all (field 7)."""
    metadata = {number: value for number, _, value in {n: v for n, _, v in chunk}[CHUNK_METADATA]}
    first = min(metadata[number] for number in PAGE_OFFSETS[:3] if number in metadata)
    return int(first + metadata[7])


def _shift_group(fields: list[Field], distance: int) -> list[Field]:
    def chunk_metadata(inner: list[Field]) -> list[Field]:
        return [(n, kind, value + distance if n in PAGE_OFFSETS else value) for n, kind, value in inner]

    def chunk(inner: list[Field]) -> list[Field]:
        found = []
        for number, kind, value in inner:
            if number == CHUNK_METADATA:
                value = chunk_metadata(value)
            elif number in CHUNK_OFFSETS and value:
                value = value + distance
            found.append((number, kind, value))
        return found

    found: list[Field] = []
    for number, kind, value in fields:
        if number == GROUP_COLUMNS:
            value = (value[0], [chunk(inner) for inner in value[1]])
        elif number == GROUP_ORDINAL:
            continue
        elif number == GROUP_OFFSET:
            value = value + distance
        found.append((number, kind, value))
    return found


# Thrift, compact protocol


def _read_varint(view: memoryview, at: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = view[at]
        at += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, at
        shift += 7


def _read_zigzag(view: memoryview, at: int) -> tuple[int, int]:
    value, at = _read_varint(view, at)
    return (value >> 1) ^ -(value & 1), at


def read_struct(view: memoryview, at: int) -> tuple[list[Field], int]:
    """Return the fields of the struct that begins at a byte, and where it ends."""
    fields: list[Field] = []
    number = 0
    while True:
        header = view[at]
        at += 1
        if header == 0:
            return fields, at
        kind = header & 0x0F
        if header >> 4:
            number += header >> 4
        else:
            number, at = _read_zigzag(view, at)
        if kind in (TRUE, FALSE):
            value: Any = kind == TRUE
        else:
            value, at = _read_value(view, at, kind)
        fields.append((number, kind, value))


def _read_value(view: memoryview, at: int, kind: int) -> tuple[Any, int]:
    if kind in (I16, I32, I64):
        return _read_zigzag(view, at)
    if kind == BINARY:
        length, at = _read_varint(view, at)
        if at + length > len(view):
            raise IndexError("a string ends behind the footer")
        return bytes(view[at : at + length]), at + length
    if kind == STRUCT:
        return read_struct(view, at)
    if kind in (LIST, SET):
        return _read_list(view, at)
    if kind in (TRUE, FALSE, BYTE):  # an element of a list takes a byte
        return view[at], at + 1
    if kind == DOUBLE:
        return bytes(view[at : at + 8]), at + 8
    raise ValueError(f"the footer holds a value of the unknown type {kind}")


def _read_list(view: memoryview, at: int) -> tuple[tuple[int, list[Any]], int]:
    header = view[at]
    at += 1
    kind, length = header & 0x0F, header >> 4
    if length == 15:
        length, at = _read_varint(view, at)
    values = []
    for _ in range(length):
        value, at = _read_value(view, at, kind)
        values.append(value)
    return (kind, values), at


def struct_bytes(fields: Sequence[Field]) -> bytes:
    """Return a struct as bytes."""
    out = bytearray()
    _write_struct(out, fields)
    return bytes(out)


def write_varint(out: bytearray, value: int) -> None:
    """Append a number in groups of seven bits, the lowest first; the highest bit of a byte says that more follow."""
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _write_struct(out: bytearray, fields: Sequence[Field]) -> None:
    before = 0
    for field in fields:
        _write_field(out, field, before)
        before = field[0]
    out.append(0)


def _write_header(out: bytearray, number: int, kind: int, before: int) -> None:
    if 0 < number - before < 16:
        out.append((number - before) << 4 | kind)
    else:
        out.append(kind)
        write_varint(out, number << 1)


def _write_field(out: bytearray, field: Field, before: int) -> None:
    number, kind, value = field
    if kind in (TRUE, FALSE):
        _write_header(out, number, TRUE if value else FALSE, before)
    else:
        _write_header(out, number, kind, before)
        _write_value(out, kind, value)


def _write_value(out: bytearray, kind: int, value: Any) -> None:
    if kind in (I16, I32, I64):
        write_varint(out, value << 1 if value >= 0 else (-value << 1) - 1)
    elif kind == BINARY:
        write_varint(out, len(value))
        out += value
    elif kind == STRUCT:
        _write_struct(out, value)
    elif kind in (LIST, SET):
        _write_list_header(out, value[0], len(value[1]))
        for element in value[1]:
            _write_value(out, value[0], element)
    elif kind == DOUBLE:
        out += value
    else:
        out.append(value)


def _write_list_header(out: bytearray, kind: int, length: int) -> None:
    if length < 15:
        out.append(length << 4 | kind)
    else:
        out.append(0xF0 | kind)
        write_varint(out, length)
