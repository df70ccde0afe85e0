"""The pulses of probed devices in a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.results import queries
from hwsim.results.embed import packed
from hwsim.results.folder import read_batches

if TYPE_CHECKING:
    from hwsim.results.record import Record

MOST_PULSES = 150_000
"""Of more pulses than this a page has every k-th of the devices with the most."""

PLACE = ("tile", "array", "device", "row", "col")
COLUMNS = {"t_ps": np.float64, "step": np.int32, "sample": np.int32, "polarity": np.int8, "dw": np.float32,
           "w": np.float32}  # fmt: skip


def pulse_histories(run: Record) -> dict[str, Any] | None:
    """Return the logged pulses of every probed device as plain data; None if the run logged no pulses.

    A page has about ``MOST_PULSES``. Of more, devices with few pulses keep all of theirs; of those with many it has
    every k-th, and the last.

    Raises:
        ResultsError: ``pulses.parquet`` is damaged.
    """
    path = run.path / "pulses.parquet"
    if not path.is_file():
        return None
    keys = ", ".join(f'"{name}"' for name in PLACE)
    totals = queries.frame(run.path, f"SELECT {keys}, count(*) AS total FROM pulses GROUP BY {keys} ORDER BY {keys}")
    devices, total = totals[list(PLACE)].to_numpy().astype(np.int64), totals["total"].to_numpy().astype(np.int64)
    every = -(-total // _most_each(total))
    blocks = list(_thinned(path, devices, total, every)) if len(devices) else []
    found = {name: np.concatenate([block[name] for block in blocks] or [np.empty(0)]) for name in ("code", *COLUMNS)}
    order = np.argsort(found["code"], kind="stable")
    kept = np.bincount(found["code"].astype(np.int64), minlength=len(devices))
    return {
        "total": int(total.sum()),
        "shown": len(order),
        "devices": [[*(int(part) for part in device), int(n)] for device, n in zip(devices, kept, strict=True)],
        "totals": [int(n) for n in total],
        "every": [int(k) for k in every],
        "columns": {name: packed(found[name][order].astype(dtype)) for name, dtype in COLUMNS.items()},
    }


def _most_each(total: np.ndarray) -> int:
    """Return how many pulses each device may keep so that all together keep at most about ``MOST_PULSES``."""
    ordered = np.sort(total)
    # Were the cap the total of device i, those before it would keep all they have, and the others the cap.
    kept = ordered.cumsum() - ordered + ordered * np.arange(len(ordered), 0, -1)
    fitting = np.searchsorted(kept, MOST_PULSES, side="right")
    if fitting == len(ordered):
        return int(ordered[-1]) if len(ordered) else 1
    whole = int(ordered[:fitting].sum())
    return max((MOST_PULSES - whole) // (len(ordered) - int(fitting)), 1)


def _thinned(path: Path, devices: np.ndarray, total: np.ndarray, every: np.ndarray) -> Iterator[dict[str, np.ndarray]]:
    """Yield the pulses that are kept, a block of the log at a time; ``code`` is a line of ``devices``."""
    spans = tuple(int(length) for length in devices.max(axis=0) + 1)
    known = np.ravel_multi_index(tuple(devices.T), spans)
    order = np.argsort(known)
    seen = np.zeros(len(devices), np.int64)
    for batch in read_batches(path, [*PLACE, *COLUMNS]):
        columns = {name: batch.column(name).to_numpy() for name in (*PLACE, *COLUMNS)}
        flat = np.ravel_multi_index(tuple(columns[name].astype(np.int64) for name in PLACE), spans)
        code = order[np.searchsorted(known[order], flat)]
        nth = _occurrence(code) + seen[code]
        seen += np.bincount(code, minlength=len(seen))
        keep = (nth % every[code] == 0) | (nth == total[code] - 1)
        yield {"code": code[keep], **{name: columns[name][keep] for name in COLUMNS}}


def _occurrence(code: np.ndarray) -> np.ndarray:
    """Return how often each number has stood in the array before, at each place of it."""
    order = np.argsort(code, kind="stable")
    sorted_code = code[order]
    first = np.r_[True, sorted_code[1:] != sorted_code[:-1]] if len(code) else np.empty(0, bool)
    place = np.arange(len(code))
    found = np.empty(len(code), np.int64)
    found[order] = place - np.maximum.accumulate(np.where(first, place, 0))
    return found
