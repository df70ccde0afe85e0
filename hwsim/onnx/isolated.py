"""Reads an ONNX file in a process of its own, so that a file on which the library aborts ends with a message."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from hwsim.errors import DataError, UsageError
from hwsim.spec.load import Document

PATIENCE = 600
"""Seconds; the largest files that Protobuf can hold take a minute."""


def network_of(path: str | Path) -> Document:
    """Return the network in an ONNX file, as a description of kind ``network``; see :mod:`hwsim.onnx.network`.

    Raises:
        UsageError: the package onnx is not installed.
        DataError: the file cannot be read, refers to other files, or has operators that are not supported.
    """
    if find_spec("onnx") is None:
        raise UsageError("reading ONNX files needs the package onnx: pip install 'hwsim[onnx]'")
    if not Path(path).is_file():
        raise DataError(f"no such file: {path}")
    try:
        child = subprocess.run(
            [sys.executable, "-m", "hwsim.onnx", str(path)], capture_output=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise DataError(f"{path}: the ONNX library has not read it in {PATIENCE} s") from None
    try:
        answer = json.loads(child.stdout)
    except ValueError:
        raise DataError(f"{path}: the ONNX library failed on it (damaged, or made to do so)") from None
    if "error" in answer:
        raise DataError(answer["error"])
    return Document(answer["document"])
