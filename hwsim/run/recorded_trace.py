"""The description of a recorded trace, from its Parquet file."""

from __future__ import annotations

from pathlib import Path

from hwsim.spec.load import Document
from hwsim.training.recorded import RecordedFile

RECORDED_TRACE, PYTORCH_TRACE = "recorded", "pytorch"
"""The kinds of traces whose vectors come from a file, and from a PyTorch program as it trains."""


def recorded_trace_document(path: str | Path) -> Document:
    """Return the trace that a Parquet file holds; the whole file is read and checked.

    Raises:
        DataError: the file is missing, foreign, damaged or wrong.
    """
    file = RecordedFile(path)
    file.check()
    return Document({"kind": RECORDED_TRACE, **file.about, "file": str(path), "digest": file.digest()})
