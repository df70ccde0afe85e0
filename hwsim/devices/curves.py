"""Reads measured pulse responses: a table of nodes for each device, from CSV or Parquet."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim import library
from hwsim.foreign import too_large

COLUMNS = ("device", "weight", "up", "down")


@dataclass(frozen=True)
class Curves:
    """Pulse responses of n devices, each (n, nodes): ``weight`` rising along a row, mean steps ``up`` and ``down``.

    Between two nodes a step is linear in the weight; the first and last nodes are the device's bounds.
    """

    weight: NDArray[np.float64]
    up: NDArray[np.float64]
    down: NDArray[np.float64]

    def mean_step(self) -> float:
        """Return the mean over devices and directions at w = 0, or at the bound nearest to it."""
        total = 0.0
        for weight, up, down in zip(self.weight, self.up, self.down, strict=True):
            total += float(np.interp(0.0, weight, up) + np.interp(0.0, weight, down)) / 2
        return total / len(self.weight)


def read_curves(name: str) -> Curves:
    """Read a CSV (``.csv``, lines of ``#`` at its top are comments) or Parquet (``.parquet``) file.

    Columns: ``device`` (whole numbers; the rows of a device stand together, devices are counted in order of
    appearance), ``weight`` (rising within a device), ``up`` and ``down`` (mean weight change of one pulse at this
    weight, both counted positive). ``name`` is a path, or the bare name of bundled curves.

    Raises:
        ValueError: no such file, or a wrong value, with file and line (CSV) or row (Parquet).
    """
    path = _find(name)
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


def _find(name: str) -> Path:
    if name.endswith((".csv", ".parquet")):
        path = Path(name)
        if os.path.isfile(path):
            return path
        raise ValueError(f"no such file: {path}")
    for folder in library.folders("curves"):
        path = folder / f"{name}.csv"
        if os.path.isfile(path):
            return path
    raise ValueError(f"no curves are called '{name}'; give the path of a .csv or .parquet file")


@lru_cache(maxsize=16)
def _read(path: Path, _stamp: int, _size: int) -> Curves:
    table, place = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: column '{missing[0]}' is missing (columns: {', '.join(COLUMNS)})")
    values = {column: _numbers(path, table[column], column, place) for column in COLUMNS}
    if not len(values["device"]):
        raise ValueError(f"{path}: holds no nodes")
    _check(path, values, place)
    return _tables(path, values, place)


def _csv(path: Path) -> tuple[Any, str]:
    import pandas as pd

    try:
        with path.open(encoding="utf-8") as lines:
            comments = sum(1 for _ in takewhile(lambda line: line.startswith("#"), lines))
        # Text, so that a wrong value can be shown as it stands.
        table = pd.read_csv(path, skiprows=comments, dtype=str, skip_blank_lines=False, skipinitialspace=True)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise ValueError(f"{path}: not readable as CSV: {error}") from error
    table.index = pd.RangeIndex(comments + 2, comments + 2 + len(table))
    return table, ":{}"


def _parquet(path: Path) -> tuple[Any, str]:
    import pandas as pd
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path) as file:  # Arrow opens it: its threads must hold no object of Python
            if reason := too_large(file):
                raise ValueError(reason)
            table = file.read().to_pandas(use_threads=False)
    except (OSError, ValueError, ArrowException) as error:
        raise ValueError(f"{path}: not readable as Parquet: {error}") from error
    table.index = pd.RangeIndex(len(table))
    return table, ": row {}"


def _numbers(path: Path, column: Any, name: str, place: str) -> Any:
    import pandas as pd

    values = pd.to_numeric(column, errors="coerce").astype(float)
    wrong = values.index[~np.isfinite(values)]
    if len(wrong):
        where = f"{path}{place.format(wrong[0])}"
        raise ValueError(f"{where}: {name} must be a finite number, got '{column.loc[wrong[0]]}'")
    return values


def _check(path: Path, values: dict[str, Any], place: str) -> None:
    device = values["device"]
    _refuse(path, device, place, (device < 0) | (device % 1 != 0), "device must be a whole number from 0 on")
    for name in ("up", "down"):
        _refuse(path, values[name], place, values[name] < 0, f"{name} must not be negative")
    starts = device.to_numpy()[1:] != device.to_numpy()[:-1]
    first = np.concatenate([[True], starts])
    _refuse(
        path,
        device,
        place,
        first & device.where(first).duplicated().to_numpy(),
        "the rows of a device must stand together",
    )
    rising = np.concatenate([[True], starts | (np.diff(values["weight"]) > 0)])
    _refuse(path, values["weight"], place, ~rising, "the weights of a device must rise from row to row")


def _refuse(path: Path, values: Any, place: str, wrong: Any, message: str) -> None:
    found = values.index[np.asarray(wrong)]
    if len(found):
        raise ValueError(f"{path}{place.format(found[0])}: {message}, got {values.loc[found[0]]:g}")


def _tables(path: Path, values: dict[str, Any], place: str) -> Curves:
    device = values["device"].to_numpy()
    begins = np.flatnonzero(np.concatenate([[True], device[1:] != device[:-1]]))
    lengths = np.diff([*begins, len(device)])
    if lengths.min() < 2:
        lonely = begins[np.argmin(lengths)]
        where = f"{path}{place.format(values['device'].index[lonely])}"
        raise ValueError(f"{where}: device {device[lonely]:g} needs at least two nodes")
    nodes = int(lengths.max())
    columns = [np.empty((len(begins), nodes)) for _ in range(3)]
    for number, (begin, length) in enumerate(zip(begins, lengths, strict=True)):
        part = slice(begin, begin + length)
        weight = _fill(values["weight"].to_numpy()[part], nodes)
        columns[0][number] = weight
        for column, name in zip(columns[1:], ("up", "down"), strict=True):
            column[number] = np.interp(weight, values["weight"].to_numpy()[part], values[name].to_numpy()[part])
    return Curves(*columns)


def _fill(weight: NDArray[np.float64], nodes: int) -> NDArray[np.float64]:
    """Divide the last gap so that there are ``nodes`` of them; a line divided is the same line."""
    return np.concatenate([weight[:-1], np.linspace(weight[-2], weight[-1], nodes - len(weight) + 2)[1:]])
