"""A Parquet file that grows by row groups, and that every Parquet reader can open at any moment.

Form of the file: ``PAR1``, the pages of every row group right behind each other, the footer, its length, ``PAR1`` - an
ordinary Parquet file. A row group goes in in three steps, after each of which the file ends in a footer that is true:

1. the old footer is written once more, behind the place where the new one will end;
2. the pages of the group are written over the old footer's first copy, and the new footer behind them;
3. the file is cut to the end of the new footer.

So a reader finds every row group up to the last one that was finished, also after the process was killed. The one
moment at which the file does not end in a footer is within the write of step 1, some microseconds; who finds such a
file takes the last footer in it (``hwsim.results.logs`` does). What was behind the last footer is cut away by the next
group, and by :meth:`GrowingParquet.close`.

To go back to an earlier state, :meth:`GrowingParquet.reopen` cuts the file to a number of row groups; row groups that
are written then stand where they would have stood, so the file comes out the same, byte for byte.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path

from hwsim.run.footer import MAGIC, Footer, RowGroup, footer_start, moved, read_footer


class GrowingParquet:
    """A Parquet file to which row groups are appended.

    Args:
        path: the file; one that exists is written over.
        empty: the bytes of a Parquet file without rows, which gives schema and metadata.
    """

    def __init__(self, path: Path, empty: bytes | memoryview) -> None:
        footer = Footer(read_footer(empty).fields, [])
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(MAGIC + footer.encode())
        os.replace(part, path)
        self._take(path, footer)

    @property
    def state(self) -> bytes:
        """The footer as it is now, which :meth:`cut_back` takes."""
        return self._footer.encode()

    def sync(self) -> None:
        """Let everything that has been written reach the disk."""
        os.fsync(self._handle)

    @classmethod
    def cut_back(cls, path: Path, state: bytes) -> GrowingParquet:
        """Go on with a file as it was when ``state`` was its footer, whatever has been written behind its row groups.

        Raises:
            ValueError: the file ends before they do.
        """
        footer = read_footer(MAGIC + state)
        end = footer.groups[-1].end if footer.groups else len(MAGIC)
        if path.stat().st_size < end:
            raise ValueError(f"{path} has {path.stat().st_size} bytes, expected {end} or more")
        os.truncate(path, end)
        file = cls.__new__(cls)
        file._take(path, footer)
        file._replace([], footer)
        return file

    @classmethod
    def reopen(cls, path: Path, groups: int) -> GrowingParquet:
        """Go on with a file as it was when it had ``groups`` row groups.

        Raises:
            ValueError: the file has fewer, or is no Parquet file.
        """
        with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
            footer = read_footer(memoryview(content))
        if len(footer.groups) < groups:
            raise ValueError(f"{path} has {len(footer.groups)} row groups, expected {groups} or more")
        file = cls.__new__(cls)
        file._take(path, Footer(footer.fields, footer.groups[:groups]))
        file._replace([], file._footer)
        return file

    def _take(self, path: Path, footer: Footer) -> None:
        self._footer = footer
        self._end = footer.groups[-1].end if footer.groups else len(MAGIC)
        self._handle = os.open(path, os.O_RDWR)

    @property
    def rows(self) -> int:
        """How many rows the file has."""
        return self._footer.rows

    @property
    def groups(self) -> int:
        """How many row groups the file has."""
        return len(self._footer.groups)

    def append(self, file: memoryview) -> None:
        """Append the row groups of a Parquet file of the same schema, given as its bytes."""
        self.append_groups([file[len(MAGIC) : footer_start(file)]], read_footer(file).groups)

    def append_groups(self, pages: Sequence[memoryview | bytes], groups: Sequence[RowGroup]) -> None:
        """Append row groups whose pages are given in pieces, and which are described as those that begin a file."""
        distance = self._end - len(MAGIC)
        own = [moved(group, distance) for group in groups]
        self._replace(pages, Footer(self._footer.fields, [*self._footer.groups, *own]))
        self._end += sum(map(len, pages))

    def _replace(self, pages: Sequence[memoryview | bytes], footer: Footer) -> None:
        """Put pages behind those of the row groups, and another footer behind them."""
        tail = footer.encode()
        behind = self._end + sum(map(len, pages))
        end = behind + len(tail)
        size = os.fstat(self._handle).st_size
        self._write(self._footer.encode(), max(end, size))
        at = self._end
        for piece in pages:
            self._write(piece, at)
            at += len(piece)
        self._write(tail, behind)
        os.ftruncate(self._handle, end)
        self._footer = footer

    def _write(self, data: memoryview | bytes, at: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._handle, view, at)
            view, at = view[written:], at + written

    def close(self) -> None:
        """Close the file, which is complete as it stands."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
