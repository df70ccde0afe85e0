"""The file that an export writes: new, and whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from hwsim.errors import ResultsError, UsageError


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Give a stream whose content becomes the file ``path`` when all has gone well; otherwise nothing is left.

    Raises:
        UsageError: the path exists.
        ResultsError: it cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already; choose another --out, nothing is overwritten")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as stream:
            yield stream
        os.replace(part, path)
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
