"""Reader of ``.npz`` data: arrays ``x``, ``y`` and, optionally, ``x_test``, ``y_test``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import DataError
from hwsim.training.data.dataset import Samples

_NAMES = ("x", "y", "x_test", "y_test")


def read_npz(path: Path) -> tuple[Samples, Samples | None]:
    """Read the samples and, if the file has its own, the held-out samples.

    ``x`` holds real numbers (n, ...), flattened to (n, features); ``y`` whole numbers (n,) are classes, floating-point
    numbers (n,) or (n, outputs) are targets. Nothing is unpickled.

    Raises:
        DataError: the file cannot be read, or its arrays are missing, of a wrong type or shape, or do not fit together.
    """
    arrays, stored = _arrays(path)
    missing = [name for name in ("x", "y") if name not in arrays]
    if missing:
        raise DataError(f"{path}: no array called '{missing[0]}' (it has: {', '.join(stored) or 'none'})")
    if ("x_test" in arrays) != ("y_test" in arrays):
        raise DataError(f"{path}: x_test and y_test must be given together")
    samples = _samples(arrays["x"], arrays["y"], "", path)
    if "x_test" not in arrays:
        return samples, None
    test = _samples(arrays["x_test"], arrays["y_test"], "_test", path)
    if (samples.y.dtype.kind == "i") != (test.y.dtype.kind == "i"):
        raise DataError(f"{path}: one of 'y' and 'y_test' holds classes, the other real targets")
    for name, ours, theirs in (("x", samples.x, test.x), ("y", samples.y, test.y)):
        if ours.shape[1:] != theirs.shape[1:]:
            shapes = f"{ours.shape} and {theirs.shape}"
            raise DataError(f"{path}: '{name}' and '{name}_test' have different widths ({shapes})")
    return samples, test


def _arrays(path: Path) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """Return the arrays that are asked for, and the names of all arrays of the file."""
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from None
    with stream:
        try:
            stored = np.load(stream, allow_pickle=False)
        # zipfile, zlib and numpy raise some ten types of error for damaged files.
        except Exception:
            raise DataError(f"{path}: not a readable .npz file (truncated, damaged or another format)") from None
        if not isinstance(stored, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: holds a single array, not an .npz with x and y")
        return {name: _array(stored, name, path) for name in _NAMES if name in stored.files}, stored.files


def _array(stored: np.lib.npyio.NpzFile, name: str, path: Path) -> NDArray[Any]:
    try:
        array = stored[name]
    except Exception as error:
        reason = "it holds Python objects" if "allow_pickle" in str(error) else "truncated or damaged"
        raise DataError(f"{path}: cannot read array '{name}' ({reason})") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: '{name}' is no array")
    return array


def _samples(x: NDArray[Any], y: NDArray[Any], suffix: str, path: Path) -> Samples:
    x_name, y_name = f"'x{suffix}'", f"'y{suffix}'"
    if x.dtype.kind not in "biuf" or y.dtype.kind not in "biuf":
        wrong, dtype = (x_name, x.dtype) if x.dtype.kind not in "biuf" else (y_name, y.dtype)
        raise DataError(f"{path}: {wrong} must hold real numbers, got {dtype}")
    if x.ndim < 2 or not x.size:
        raise DataError(f"{path}: {x_name} must have shape (samples, features), both positive, got {x.shape}")
    if y.ndim == 0 or len(y) != len(x):
        length = len(y) if y.ndim else "a single"
        raise DataError(f"{path}: {x_name} has {len(x)} samples, but {y_name} has {length}")
    if y.dtype.kind == "f":
        if y.ndim > 2 or not y.size:
            raise DataError(f"{path}: {y_name} must have shape (samples, outputs), got {y.shape}")
        return Samples(x.reshape(len(x), -1), y.reshape(len(y), -1))
    if y.ndim != 1:
        raise DataError(f"{path}: {y_name} must hold one class for each sample, got {y.shape}; store targets as floats")
    if y.min() < 0 or y.max() > np.iinfo(np.int32).max:
        raise DataError(f"{path}: classes in {y_name} must be 0 or more (and below 2^31), got {y.min()}..{y.max()}")
    return Samples(x.reshape(len(x), -1), y.astype(np.int64))
