"""The pulses of probed devices in a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.results import queries
from hwsim.results.embed import packed
from hwsim.results.folder import damaged

if TYPE_CHECKING:
    from hwsim.results.record import Record

MOST_PULSES = 150_000
"""Of more pulses than this a page has every k-th of each device."""

PLACE = ("tile", "array", "device", "row", "col")
COLUMNS = {"t_ps": np.float64, "step": np.int32, "sample": np.int32, "polarity": np.int8, "dw": np.float32,
           "w": np.float32}  # fmt: skip


def pulse_histories(run: Record) -> dict[str, Any] | None:
    """Return the logged pulses of every probed device as plain data; None if the run logged no pulses.

    A page has about ``MOST_PULSES``: of more, every k-th pulse of each device, and its first and last.

    Raises:
        ResultsError: ``pulses.parquet`` is damaged.
    """
    path = run.path / "pulses.parquet"
    if not path.is_file():
        return None
    keys = ", ".join(f'"{name}"' for name in PLACE)
    totals = queries.frame(run.path, f"SELECT {keys}, count(*) AS total FROM pulses GROUP BY {keys} ORDER BY {keys}")
    devices, total = totals[list(PLACE)].to_numpy().astype(np.int64), totals["total"].to_numpy().astype(np.int64)
    every = max(-(-int(total.sum()) // MOST_PULSES), 1)
    blocks = list(_thinned(path, devices, total, every)) if len(devices) else []
    found = {name: np.concatenate([block[name] for block in blocks] or [np.empty(0)]) for name in ("code", *COLUMNS)}
    order = np.argsort(found["code"], kind="stable")
    kept = np.bincount(found["code"].astype(np.int64), minlength=len(devices))
    return {
        "every": every,
        "total": int(total.sum()),
        "shown": len(order),
        "devices": [[*(int(part) for part in device), int(n)] for device, n in zip(devices, kept, strict=True)],
        "totals": [int(n) for n in total],
        "columns": {name: packed(found[name][order].astype(dtype)) for name, dtype in COLUMNS.items()},
    }


def _thinned(path: Path, devices: np.ndarray, total: np.ndarray, every: int) -> Iterator[dict[str, np.ndarray]]:
    """Yield the pulses that are kept, a block of the log at a time; ``code`` is the line of the device in ``devices``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    spans = tuple(int(length) for length in devices.max(axis=0) + 1)
    known = np.ravel_multi_index(tuple(devices.T), spans)
    order = np.argsort(known)
    seen = np.zeros(len(devices), np.int64)
    try:
        with pq.ParquetFile(path) as log:
            for batch in log.iter_batches(columns=[*PLACE, *COLUMNS]):
                columns = {name: batch.column(name).to_numpy() for name in (*PLACE, *COLUMNS)}
                flat = np.ravel_multi_index(tuple(columns[name].astype(np.int64) for name in PLACE), spans)
                code = order[np.searchsorted(known[order], flat)]
                nth = _occurrence(code) + seen[code]
                seen += np.bincount(code, minlength=len(seen))
                keep = (nth % every == 0) | (nth == total[code] - 1)
                yield {"code": code[keep], **{name: columns[name][keep] for name in COLUMNS}}
    except (pa.ArrowException, OSError):
        raise damaged(path) from None


def _occurrence(code: np.ndarray) -> np.ndarray:
    """Return how often each number has stood in the array before, at each place of it."""
    order = np.argsort(code, kind="stable")
    sorted_code = code[order]
    first = np.r_[True, sorted_code[1:] != sorted_code[:-1]] if len(code) else np.empty(0, bool)
    place = np.arange(len(code))
    found = np.empty(len(code), np.int64)
    found[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return found
