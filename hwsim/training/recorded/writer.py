"""Writes a recorded trace, step by step, with bounded memory."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from hwsim.errors import DataError, RunError, UsageError
from hwsim.training.recorded.schema import KIND, NUMBERS, SCHEMA_VERSION, VECTORS, WEIGHT, schema

GROUP_BYTES = 16 * 2**20
"""Bytes of vectors that are collected for a row group."""


@dataclass(frozen=True)
class Call:
    """What one call of a layer saw: a row of ``x`` and ``d`` (rows, words) a sample, on a grid of height x width.

    ``vectors`` is how many vectors a row stands for. ``sampled``: there is one row, of some whole vectors that were
    kept of all samples.
    """

    x: np.ndarray
    d: np.ndarray
    height: int
    width: int
    vectors: int
    sampled: bool = False


class RecordWriter:
    """Writes a recorded trace to ``path``; the file appears under its name when it is closed.

    Raises:
        UsageError: the file exists, or its folder does not.
    """

    def __init__(self, path: Path | str, *, name: str, description: str, source: str) -> None:
        self.path = Path(path)
        if self.path.exists():
            raise UsageError(f"{self.path} exists already; choose another name, nothing is overwritten")
        if not self.path.parent.is_dir():
            raise UsageError(f"there is no folder {self.path.parent} to write {self.path.name} into")
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._about = {"name": name, "description": description, "source": source}
        metadata = {"hwsim.schema": str(SCHEMA_VERSION), "hwsim.kind": KIND, "hwsim.version": version("hwsim")}
        self._writer: pq.ParquetWriter | None = pq.ParquetWriter(
            self._part, schema(metadata), compression="lz4", use_dictionary=["kind", "layer"],
            write_statistics=False,
        )  # fmt: skip
        self._pending: list[pa.RecordBatch] = []
        # Arrow compresses without holding the interpreter, so a training loop goes on meanwhile.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hwsim recorder")
        self._written: Future[None] | None = None
        self._bytes = 0
        self.steps = self.samples = self.batch_size = 0

    def weights(self, layer: str, weights: np.ndarray) -> None:
        """Write the (rows, cols) weights of a layer before training."""
        _check_finite(weights, f"the weights of layer '{layer}' hold NaN or infinity before training")
        nothing = np.empty((len(weights), 0), np.float32)
        self._add(WEIGHT, -1, layer, 0, 0, 0.0, Call(weights, nothing, 0, 0, 0))

    def step(self, calls: Mapping[str, tuple[float, Sequence[Call]]], samples: int) -> None:
        """Write one step of ``samples`` samples: learning rate and calls of every layer that was updated, by name.

        Raises:
            DataError: a vector holds a number that is not finite; nothing of the step is written.
        """
        for layer, (_, each) in calls.items():
            for call in each:
                for what, values in (("inputs", call.x), ("errors", call.d)):
                    _check_finite(
                        values,
                        f"the {what} of layer '{layer}' hold NaN or infinity in step {self.steps}: the training has "
                        "diverged, or gradients are scaled for half precision; what came before is recorded",
                    )
        for layer, (rate, each) in calls.items():
            for number, call in enumerate(each):
                self._add(VECTORS, self.steps, layer, number, samples, rate, call)
        self.steps += 1
        self.samples += samples
        self.batch_size = max(self.batch_size, samples)

    def _add(self, kind: str, step: int, layer: str, number: int, samples: int, rate: float, call: Call) -> None:
        """Add the rows of a call, in parts that each fit a row group."""
        row_bytes = call.x[:1].nbytes + call.d[:1].nbytes
        size = max(GROUP_BYTES // max(row_bytes, 1), 1)
        for start in range(0, len(call.x), size):
            part = replace(call, x=call.x[start : start + size], d=call.d[start : start + size])
            self._pending.append(_batch(kind, step, layer, number, samples, rate, part, start))
            self._bytes += part.x.nbytes + part.d.nbytes
            if self._bytes >= GROUP_BYTES:
                self._flush()

    def _flush(self) -> None:
        """Hand a row group to the thread, when it is done with the one before."""
        self._wait()
        if self._pending and self._writer is not None:
            self._written = self._thread.submit(_write, self._writer, self._pending)
        self._pending, self._bytes = [], 0

    def _wait(self) -> None:
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def close(self, layers: Sequence[Mapping[str, Any]], sampled: int | None = None) -> Path:
        """Finish the file; ``layers`` are the fields of every ``RecordedLayer``. Returns its path.

        Raises:
            RunError: it cannot be written; nothing of it is left.
        """
        try:
            self._finish(layers, sampled)
        except OSError as error:
            self.discard()
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise RunError(f"cannot write {self.path}: {reason}") from error
        return self.path

    def _finish(self, layers: Sequence[Mapping[str, Any]], sampled: int | None) -> None:
        assert self._writer is not None
        self._flush()
        self._wait()
        about = self._about | {
            "layers": [dict(layer) for layer in layers], "steps": self.steps, "samples": self.samples,
            "batch_size": self.batch_size, "sampled": sampled,
        }  # fmt: skip
        self._writer.add_key_value_metadata({"hwsim.trace": json.dumps(about)})
        self._end()
        os.replace(self._part, self.path)

    def discard(self) -> None:
        """Leave nothing behind."""
        with suppress(OSError):  # there may be no room for the end of a file that is taken away
            self._end()
        self._part.unlink(missing_ok=True)

    def _end(self) -> None:
        self._thread.shutdown()
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()


def _write(writer: pq.ParquetWriter, batches: list[pa.RecordBatch]) -> None:
    table = pa.Table.from_batches(batches).unify_dictionaries().combine_chunks()
    writer.write_table(table.replace_schema_metadata(writer.schema.metadata), len(table))


def _check_finite(values: np.ndarray, message: str) -> None:
    if not np.isfinite(values).all():
        raise DataError(message)


def _batch(
    kind: str, step: int, layer: str, number: int, samples: int, rate: float, call: Call, first: int
) -> pa.RecordBatch:
    n = len(call.x)

    def same(value: Any, dtype: pa.DataType) -> pa.Array:
        return pa.array(np.full(n, value), dtype)

    def name(value: str) -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value], pa.string()))

    sample = np.full(n, -1) if call.sampled else np.arange(first, first + n)
    columns = [
        name(kind), same(step, pa.int32()), name(layer), same(number, pa.int32()), pa.array(sample, pa.int32()),
        same(call.height, pa.int32()), same(call.width, pa.int32()), same(samples, pa.int32()),
        same(call.vectors, pa.int64()), same(rate, pa.float64()), _lists(call.x), _lists(call.d),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=schema())


def _lists(values: np.ndarray) -> pa.ListArray:
    values = np.ascontiguousarray(values, np.float32)
    n, words = values.shape
    offsets = pa.array(np.arange(n + 1, dtype=np.int32) * words)
    return pa.ListArray.from_arrays(offsets, pa.array(values.reshape(-1)), type=NUMBERS)
