"""The timeline of a page: how busy each component is over the run, and every action of some windows of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.errors import UsageError
from hwsim.results import queries
from hwsim.results.breakdown import PHASES
from hwsim.results.embed import packed
from hwsim.results.folder import read_batches

if TYPE_CHECKING:
    import pandas as pd

    from hwsim.results.record import Record

BINS = 1200
"""Equal parts of the run in the overview."""
MOST_LANES = 300
"""Of more components the busiest are shown, and the page says so."""
MOST_ACTIONS = 24_000
"""Actions that a page names one by one."""
ORDER = ("controller", "digital", "buffer", "bus")
"""Lanes that come first; the rest follows by name, tiles by number."""


@dataclass(frozen=True)
class Window:
    """A part of the run whose actions are all in the page; ps."""

    name: str
    start: int
    end: int


def timeline(run: Record, start: str | int | None = None, end: str | int | None = None) -> dict[str, Any] | None:
    """Return the timeline of a run as plain data; None if the run kept no event log or nothing took time.

    ``start`` and ``end`` choose the window whose actions are named; by default the first, a middle and the last step.

    Raises:
        ResultsError: ``events.parquet`` is damaged.
        UsageError: a time is wrong.
    """
    path = run.path / "events.parquet"
    if not path.is_file():
        return None
    about = queries.frame(
        run.path,
        "SELECT component, sum(dur_ps) AS busy, max(t_ps + dur_ps) AS last, count(*) AS n FROM events "
        "WHERE operation <> 'static' GROUP BY component",
    )
    if not len(about) or not about["last"].max() > 0:
        return None
    length, n_actions = int(about["last"].max()), int(about["n"].sum())
    lanes = _lanes(about)
    actions, windows = _actions(run.path, _windows(run.path, n_actions, length, start, end), lanes)
    busy, phase = _overview(path, lanes, length)
    return {
        "length": length,
        "lanes": lanes,
        "other_lanes": len(about) - len(lanes),
        "total": n_actions,
        "phases": list(PHASES),
        "bins": BINS,
        "phases_used": _phases_used(busy, phase, actions["names"]),
        "busy": packed(busy),
        "phase": packed(phase),
        "complete": windows == [Window("whole run", 0, length)],
        "windows": [[window.name, window.start, window.end] for window in windows],
        **actions,
    }


def _phases_used(busy: np.ndarray, phase: np.ndarray, names: list[list[str]]) -> list[str]:
    found = {PHASES[index] for index in np.unique(phase[busy > 0]) if index < len(PHASES)} | {name[3] for name in names}
    return [name for name in PHASES if name in found]


def _lanes(about: pd.DataFrame) -> list[str]:
    busiest = about.sort_values(["busy", "component"], ascending=[False, True]).head(MOST_LANES)["component"]

    def place(name: str) -> tuple[Any, ...]:
        numbered = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
        return (ORDER.index(name) if name in ORDER else len(ORDER), name.startswith("tile"), numbered)

    return sorted((str(name) for name in busiest), key=place)


# The overview


def _overview(path: Path, lanes: list[str], length: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each lane and bin, which part of its time the component works (0 to 255) and its main phase."""
    width = length / BINS
    busy = np.zeros((len(PHASES) + 1, len(lanes) * BINS))
    for lane, phase, start, end in _intervals(path, lanes):
        for index in np.unique(phase):
            chosen = phase == index
            busy[index] += _spread(lane[chosen], start[chosen], end[chosen], width, len(lanes))
    part = np.rint(255 * np.minimum(busy.sum(axis=0) / width, 1.0))
    # What is there at all must not look like nothing.
    part[(part == 0) & (busy.sum(axis=0) > 0)] = 1
    return part.astype(np.uint8), busy.argmax(axis=0).astype(np.uint8)


def _intervals(path: Path, lanes: list[str]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield lane, phase, start and end of the actions, a block of the log at a time."""
    lane_of, phase_of = {name: i for i, name in enumerate(lanes)}, {name: i for i, name in enumerate(PHASES)}
    for batch in read_batches(path, ["t_ps", "dur_ps", "component", "phase"], names=("component", "phase")):
        lane = _coded(batch.column("component"), lane_of, -1)
        phase = _coded(batch.column("phase"), phase_of, len(PHASES))
        start, duration = (batch.column(name).to_numpy().astype(np.float64) for name in ("t_ps", "dur_ps"))
        keep = (lane >= 0) & (phase != phase_of["static"]) & (duration > 0)
        yield lane[keep], phase[keep], start[keep], (start + duration)[keep]


def _coded(names: Any, codes: Mapping[str, int], other: int) -> np.ndarray:
    import pyarrow as pa

    if not pa.types.is_dictionary(names.type):
        names = names.dictionary_encode()
    known = np.array([codes.get(str(name), other) for name in names.dictionary.to_pylist()], dtype=np.int64)
    return known[names.indices.to_numpy(zero_copy_only=False).astype(np.int64)]


def _spread(lane: np.ndarray, start: np.ndarray, end: np.ndarray, width: float, n_lanes: int) -> np.ndarray:
    """Return how much time of the intervals falls into each bin of each lane."""
    size = n_lanes * BINS
    first = np.minimum((start / width).astype(np.int64), BINS - 1)
    last = np.minimum((end / width).astype(np.int64), BINS - 1)
    base, several = lane * BINS, last > first
    head = np.where(several, (first + 1) * width - start, end - start)
    found: np.ndarray = np.bincount(base + first, head, size)
    if several.any():
        base, first, last = base[several], first[several], last[several]
        found = found + np.bincount(base + last, end[several] - last * width, size)
        # Bins in between are full: steps up after the first and down at the last add up along the lane.
        steps = np.bincount(base + first + 1, minlength=size) - np.bincount(base + last, minlength=size)
        found = found + width * steps.cumsum()
    return found


# The actions of some windows


def _windows(path: Path, n_actions: int, length: int, start: Any, end: Any) -> list[Window]:
    if start is not None or end is not None:
        first = 0 if start is None else queries.picoseconds(start)
        last = length if end is None else queries.picoseconds(end)
        if not 0 <= first < last or first >= length:
            raise UsageError(f"no time of the run is from {start or 0} to {end or 'its end'}: it lasts {length} ps")
        return [Window("the chosen part", first, min(last, length))]
    if n_actions <= MOST_ACTIONS:
        return [Window("whole run", 0, length)]
    steps = queries.frame(
        path, "SELECT min(step) AS first, max(step) AS last, count(*) AS n FROM events WHERE step >= 0"
    )
    first, last, n = (steps[name].to_numpy()[0] for name in ("first", "last", "n"))
    if not n:
        return [Window("start", 0, length)]
    first, last = int(first), int(last)
    together = max(min(int(MOST_ACTIONS / 4 * (last - first + 1) / n), last - first + 1), 1)
    found = []
    for step in sorted({first, (first + last + 1 - together) // 2, last + 1 - together}):
        until = step + together
        times = queries.frame(
            path, f"SELECT min(t_ps) AS a, max(t_ps + dur_ps) AS b FROM events WHERE step >= {step} AND step < {until}"
        )
        if times["a"].notna().all():
            name = f"step {step}" if together == 1 else f"steps {step} to {until - 1}"
            found.append(Window(name, int(times["a"].to_numpy()[0]), int(times["b"].to_numpy()[0])))
    return found


def _actions(path: Path, windows: list[Window], lanes: list[str]) -> tuple[dict[str, Any], list[Window]]:
    """Return every action of the windows as columns; a window with too many ends where they run out."""
    import pandas as pd

    lane_of = {name: i for i, name in enumerate(lanes)}
    most = MOST_ACTIONS // max(len(windows), 1)
    parts, shown = [], []
    for index, window in enumerate(windows):
        worked = "operation <> 'static'"
        sql = queries.select("events", where=worked, start=window.start, end=window.end, limit=most + 1)
        rows = queries.frame(path, sql)
        if len(rows) > most:
            window = Window(window.name + ", its beginning", window.start, int(rows["t_ps"].to_numpy()[-1]))
            rows = rows[rows["t_ps"] < window.end]
        shown.append(window)
        parts.append(rows.assign(window=index))
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[rows["component"].isin(lane_of)]
    texts = rows["operation"] + "\t" + rows["layer"].fillna("") + "\t" + rows["action"] + "\t" + rows["phase"]
    codes, names = pd.factorize(texts)
    columns: dict[str, np.ndarray] = {
        "t": rows["t_ps"].to_numpy().astype(np.float64),
        "duration": rows["dur_ps"].to_numpy().astype(np.float64),
        "lane": rows["component"].map(lane_of).to_numpy().astype(np.uint16),
        "name": codes.astype(np.uint16),
        "step": rows["step"].to_numpy().astype(np.int32),
        "count": rows["count"].to_numpy().astype(np.float64),
        "energy": rows["energy_J"].to_numpy().astype(np.float32),
        "window": rows["window"].to_numpy().astype(np.uint8),
    }
    named = [str(name).split("\t") for name in names]
    return {"names": named, "shown": len(rows), "actions": {k: packed(v) for k, v in columns.items()}}, shown
