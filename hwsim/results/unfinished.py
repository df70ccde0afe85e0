"""Parquet files of a run folder whose writer was killed amid a flush: what is before their last footer is whole.

The simulator keeps a footer at the end of such a file at every moment but a few microseconds of each flush
(``hwsim.run.growing``); of a file that was left in such a moment everything before its last footer is read.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from hwsim.errors import ResultsError

MAGIC = b"PAR1"
SMALLEST = 12
"""Bytes of a Parquet file at least: twice the magic bytes, and the length of the footer."""


def ends_in_footer(path: Path) -> bool:
    """Return whether a file ends as a Parquet file does.

    Raises:
        ResultsError: it cannot be read.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            stream.seek(max(size - 8, 0))
            tail = stream.read()
    except OSError as error:
        raise ResultsError(f"cannot read {path}: {error.strerror or error}") from None
    return size >= SMALLEST and tail[-4:] == MAGIC and int.from_bytes(tail[:4], "little") <= size - SMALLEST


def whole_part(path: Path) -> Any | None:
    """Return the bytes up to the last footer of a file that does not end in one, as an Arrow buffer; None: no footer.

    Raises:
        OSError: the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if path.stat().st_size < SMALLEST:
        return None
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = len(content)
        while (found := content.rfind(MAGIC, len(MAGIC), end)) > 0:
            end = found + len(MAGIC)
            buffer = pa.memory_map(str(path)).read_buffer(end)
            try:
                pq.read_metadata(pa.BufferReader(buffer))
            except (pa.ArrowException, OSError, UnicodeDecodeError):
                end = found  # the four bytes stand there by chance
            else:
                return buffer
    return None
