"""Reads a recorded trace, and refuses what does not keep to its schema. Nothing in the file is executed or followed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hwsim.errors import DataError, SpecError
from hwsim.foreign import memory_limit
from hwsim.spec.load import Document, build
from hwsim.spec.recorded import RecordedLayer, RecordedTraceSpec
from hwsim.training.recorded.patches import patches, unfolded_bytes
from hwsim.training.recorded.schema import COLUMNS, KIND, SCHEMA_VERSION, VECTORS, WEIGHT

ABOUT = ("name", "description", "source", "layers", "steps", "samples", "batch_size", "sampled")
"""What the metadata say of the trace."""


@dataclass
class Stream:
    """The vectors of one layer in one step, for its ``samples`` in order.

    ``x`` (n, cols) and ``d`` (n, rows) are those that were kept, ``vectors`` how many there were. ``words`` is how many
    numbers went into the layer, and how many came out.
    """

    layer: RecordedLayer
    learning_rate: float
    x: np.ndarray
    d: np.ndarray
    vectors: int
    words: tuple[int, int]


@dataclass
class RecordedStep:
    """One training step: the stream of every layer that was updated, by name, and the samples of the mini-batch."""

    number: int
    streams: dict[str, Stream]
    samples: int

    def __len__(self) -> int:
        return self.samples


@dataclass
class _Rows:
    """The rows of one layer in one step, as they are read; ``x`` and ``d`` are the numbers of each."""

    rate: float
    samples: int
    grids: list[tuple[int, int]] = field(default_factory=list)
    vectors: list[int] = field(default_factory=list)
    x: list[np.ndarray] = field(default_factory=list)
    d: list[np.ndarray] = field(default_factory=list)


class RecordedFile:
    """A recorded trace in a Parquet file.

    Raises:
        DataError: the file is missing, foreign, damaged or of another version, or its description is wrong.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._limit = memory_limit()
        with self._open() as parquet:
            self.about = self._described(parquet)
        try:
            self.spec = build(RecordedTraceSpec, Document(dict(self.about)))
        except SpecError as error:
            raise self._wrong(f"its description is wrong: {error.problems[0]}") from None
        self._layers = {layer.name: layer for layer in self.spec.layers}

    def _wrong(self, message: str) -> DataError:
        return DataError(f"{self.path}: {message}")

    def _open(self) -> pq.ParquetFile:
        if not self.path.is_file():
            raise DataError(f"no such file: {self.path}")
        try:
            return pq.ParquetFile(self.path)
        except (pa.ArrowException, OSError, MemoryError, ValueError):
            raise self._wrong("not a readable Parquet file (truncated, damaged or another format)") from None

    def _described(self, parquet: pq.ParquetFile) -> dict[str, Any]:
        metadata = parquet.metadata.metadata or {}
        if metadata.get(b"hwsim.kind") != KIND.encode():
            raise self._wrong(
                "not a recorded trace: its metadata do not say so; hwsim.torch.capture or hwsim run --record write them"
            )
        version = metadata.get(b"hwsim.schema", b"?").decode(errors="replace")
        if version != str(SCHEMA_VERSION):
            raise self._wrong(f"it has schema version {version}; this hwsim reads version {SCHEMA_VERSION}")
        try:
            found = parquet.schema_arrow
        except (pa.ArrowException, OSError, ValueError):
            raise self._wrong("its schema is damaged") from None
        for name, (dtype, _) in COLUMNS.items():
            if name not in found.names:
                raise self._wrong(f"it lacks the column '{name}'")
            if not _same_type(found.field(name).type, dtype):
                raise self._wrong(f"column '{name}' should be {dtype}, but is {found.field(name).type}")
        try:
            about = json.loads(metadata.get(b"hwsim.trace", b""))
        except (ValueError, RecursionError):
            raise self._wrong(
                "its metadata hold no description (hwsim.trace): the recording was not finished"
            ) from None
        if not isinstance(about, dict) or set(about) != set(ABOUT):
            raise self._wrong(f"its description (hwsim.trace) must hold {', '.join(ABOUT)}")
        return about

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def check(self) -> None:
        """Read the whole file.

        Raises:
            DataError: anything in it is wrong.
        """
        if self.spec.sampled is None:
            self.weights()
        samples = sum(len(step) for step in self.steps())
        if samples != self.spec.samples:
            raise self._wrong(f"it should hold {self.spec.samples} samples, but holds {samples}")

    def weights(self) -> dict[str, np.ndarray]:
        """Return the (rows, cols) weights of every layer before training.

        Raises:
            DataError: they are wrong or too large.
        """
        needed = sum(4 * layer.matrix[0] * layer.matrix[1] for layer in self.spec.layers)
        if needed > self._limit:
            raise self._wrong(
                f"its weights take {needed / 2**30:.1f} GiB, more than half of this machine's memory "
                f"({self._limit / 2**30:.1f} GiB); use --fidelity activity, which keeps none"
            )
        found: dict[str, list[np.ndarray]] = {name: [] for name in self._layers}
        for kind, step, layer, row in self._rows():
            if kind != WEIGHT:
                break
            if step != -1 or row["sample"] != len(found[layer]) or len(row["d"]):
                raise self._wrong(f"the weights of layer '{layer}' are out of order")
            if len(row["x"]) != self._layers[layer].matrix[1]:
                raise self._wrong(f"a row of the weights of layer '{layer}' has {len(row['x'])} numbers")
            found[layer].append(row["x"])
        for name, rows in found.items():
            if len(rows) != self._layers[name].matrix[0]:
                raise self._wrong(
                    f"layer '{name}' has {self._layers[name].matrix[0]} rows of weights, {len(rows)} given"
                )
        return {name: np.array(rows, np.float32) for name, rows in found.items()}

    def steps(self) -> Iterator[RecordedStep]:
        """Yield every step in order; memory holds one of them and one row group.

        Raises:
            DataError: anything in it is wrong or too large.
        """
        number, taken, rows = 0, 0, dict[str, _Rows]()
        for kind, step, layer, row in self._rows():
            if kind == WEIGHT and number == 0 and not rows:
                continue
            if kind != VECTORS:
                raise self._wrong(f"weights come after vectors (kind '{kind}')" if kind == WEIGHT else f"kind '{kind}'")
            if step == number + 1 and rows:
                yield self._step(number, rows)
                number, taken, rows = step, 0, {}
            if step != number:
                raise self._wrong(f"step {step} comes after step {number}" if rows else f"it begins with step {step}")
            self._take(rows, layer, step, row)
            taken += self._size(layer, row)
            if taken > self._limit:
                raise self._wrong(
                    f"step {step} takes more than half of this machine's memory ({self._limit / 2**30:.1f} GiB) as "
                    "vectors; record smaller mini-batches, or some vectors of each: capture(..., vectors=64)"
                )
        if rows:
            yield self._step(number, rows)
            number += 1
        if number != self.spec.steps:
            raise self._wrong(f"it should hold {self.spec.steps} steps, but holds {number}")

    def _rows(self) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
        """Yield kind, step and layer of each row, and its other numbers by column."""
        with self._open() as parquet:
            for index in range(parquet.num_row_groups):
                yield from self._row_group(parquet, index)

    def _row_group(self, parquet: pq.ParquetFile, index: int) -> Iterator[tuple[str, int, str, dict[str, Any]]]:
        group = parquet.metadata.row_group(index)
        # The count of values, not of bytes: a few bytes can stand for any number of equal values.
        size = sum(8 * group.column(column).num_values for column in range(group.num_columns))
        if size > self._limit or group.total_byte_size > self._limit:
            raise self._wrong(
                f"row group {index} takes {size / 2**30:.1f} GiB, more than half of this machine's memory "
                f"({self._limit / 2**30:.1f} GiB)"
            )
        try:
            table = parquet.read_row_group(index, columns=list(COLUMNS))
            table.validate(full=True)
        except (pa.ArrowException, OSError, MemoryError, ValueError):
            raise self._wrong(f"row group {index} is damaged") from None
        names = {name: self._texts(table[name]) for name in ("kind", "layer")}
        whole = {name: self._numbers(table[name], name) for name in COLUMNS if name not in ("kind", "layer", "x", "d")}
        lists = {name: self._lists(table[name], name) for name in ("x", "d")}
        for row in range(len(table)):
            layer = names["layer"][row]
            if layer not in self._layers and names["kind"][row] == WEIGHT:
                continue  # A layer that was never called has weights, but no place in the network.
            if layer not in self._layers:
                raise self._wrong(f"row group {index} names layer {layer!r}, which is not described")
            values: dict[str, Any] = {name: column[row] for name, column in whole.items()}
            for name, (offsets, numbers) in lists.items():
                values[name] = numbers[offsets[row] : offsets[row + 1]]
            yield names["kind"][row], int(whole["step"][row]), layer, values

    def _texts(self, column: pa.ChunkedArray) -> list[Any]:
        if column.null_count:
            raise self._wrong("a name is missing")
        return column.to_pylist()

    def _numbers(self, column: pa.ChunkedArray, name: str) -> np.ndarray:
        if column.null_count:
            raise self._wrong(f"column '{name}' has rows without a number")
        return column.to_numpy()

    def _lists(self, column: pa.ChunkedArray, name: str) -> tuple[np.ndarray, np.ndarray]:
        array = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        values = array.flatten()
        if array.null_count or values.null_count:
            raise self._wrong(f"column '{name}' has rows without numbers")
        numbers = values.to_numpy(zero_copy_only=False)
        if not np.isfinite(numbers).all():
            raise self._wrong(f"column '{name}' holds NaN or infinity")
        offsets = array.offsets.to_numpy()
        return offsets - offsets[0], numbers

    def _size(self, layer: str, row: dict[str, Any]) -> int:
        """Return the bytes of the row's vectors."""
        stored = 4 * (len(row["x"]) + len(row["d"]))
        if self.spec.sampled is not None:
            return stored
        return max(stored, unfolded_bytes(self._layers[layer], 1, int(row["height"]), int(row["width"])))

    def _take(self, rows: dict[str, _Rows], name: str, step: int, row: dict[str, Any]) -> None:
        """Add a row to those of its layer, after a check against the layer's shape."""
        layer, height, width = self._layers[name], int(row["height"]), int(row["width"])
        rate, vectors = float(row["learning_rate"]), int(row["vectors"])
        where = f"step {step}, layer '{name}'"
        own = rows.setdefault(name, _Rows(rate, int(row["samples"])))
        if not np.isfinite(rate) or rate < 0 or rate != own.rate:
            raise self._wrong(f"{where}: the learning rate must be one number of 0 or more, got {rate}")
        if not 1 <= row["samples"] <= self.spec.batch_size or row["samples"] != own.samples:
            raise self._wrong(f"{where}: samples must be one number of 1 to {self.spec.batch_size}")
        try:
            if min(height, width) < 1:
                raise ValueError(f"a grid of {height} x {width}")
            positions = int(np.prod(layer.grid(height, width))) * layer.groups
        except ValueError as error:
            raise self._wrong(f"{where}: {error}") from None
        x, d, (matrix_rows, matrix_cols) = row["x"], row["d"], layer.matrix
        if self.spec.sampled is None:
            wanted = layer.inputs * height * width, layer.outputs * positions // layer.groups, positions
            given: tuple[int, int, int] = len(x), len(d), vectors
        else:
            kept = len(x) // matrix_cols
            wanted = kept * matrix_cols, kept * matrix_rows, max(vectors, 1)
            given = len(x), len(d), vectors
            if not 1 <= kept <= min(self.spec.sampled, vectors):
                raise self._wrong(f"{where}: {kept} of {vectors} vectors were kept, {self.spec.sampled} at most")
        if given != wanted:
            raise self._wrong(
                f"{where}: a row holds {given[0]} inputs, {given[1]} errors and {given[2]} vectors, but on a grid of "
                f"{height} x {width} there are {wanted[0]}, {wanted[1]} and {wanted[2]}"
            )
        own.grids.append((height, width))
        own.vectors.append(vectors)
        own.x.append(x)
        own.d.append(d)

    def _step(self, number: int, rows: dict[str, _Rows]) -> RecordedStep:
        streams = {
            layer.name: self._stream(layer, rows[layer.name]) for layer in self.spec.layers if layer.name in rows
        }
        return RecordedStep(number, streams, next(iter(rows.values())).samples)

    def _stream(self, layer: RecordedLayer, rows: _Rows) -> Stream:
        """Join the rows of a layer; those on grids of one size are cut into patches together."""
        parts = []
        start, n = 0, len(rows.x)
        for stop in range(1, n + 1):
            if stop == n or rows.grids[stop] != rows.grids[start]:
                parts.append(self._vectors(layer, rows, start, stop))
                start = stop
        x, d = (
            np.concatenate([part[index] for part in parts]) if len(parts) > 1 else parts[0][index] for index in (0, 1)
        )
        words = sum(map(len, rows.x)), sum(map(len, rows.d))
        return Stream(layer, rows.rate, x, d, sum(rows.vectors), words)

    def _vectors(self, layer: RecordedLayer, rows: _Rows, start: int, stop: int) -> tuple[np.ndarray, ...]:
        if self.spec.sampled is not None:
            x, d = np.concatenate(rows.x[start:stop]), np.concatenate(rows.d[start:stop])
            return x.reshape(-1, layer.matrix[1]), d.reshape(-1, layer.matrix[0])
        x, d = np.stack(rows.x[start:stop]), np.stack(rows.d[start:stop])
        return patches(layer, x, d, *rows.grids[start])


def _same_type(found: pa.DataType, wanted: pa.DataType) -> bool:
    if pa.types.is_dictionary(wanted):
        return pa.types.is_string(found.value_type if pa.types.is_dictionary(found) else found)
    if pa.types.is_list(wanted):
        return pa.types.is_list(found) and found.value_type == wanted.value_type
    return found == wanted
