"""What every component did with the time of a run: work, waiting while taken, rest; and queues and memories."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from hwsim.results.breakdown import tile_class

if TYPE_CHECKING:
    from hwsim.results.record import Record

MOST_SINGLE = 40
"""Of more components, those of equal class on all tiles share a line."""
TIMES = ("busy", "stalled", "idle")


def stations(run: Record) -> list[dict[str, Any]]:
    """Return which part of the run each component works, waits while taken and rests, busiest first.

    Components of a class are averaged where there are more than ``MOST_SINGLE``.
    """
    timed = {name: values for name, values in _parts(run).items() if all(time in values for time in TIMES)}
    groups: dict[str, list[dict[str, float]]] = defaultdict(list)
    for name, values in timed.items():
        groups[name if len(timed) <= MOST_SINGLE else tile_class(name)].append(values)
    rows = [_shares(name, members) for name, members in groups.items()]
    return sorted(rows, key=lambda row: (-row["busy"], row["name"]))


def _shares(name: str, members: list[dict[str, float]]) -> dict[str, Any]:
    whole = sum(each[time] for each in members for time in TIMES)
    parts = {time: sum(each[time] for each in members) / whole if whole else 0.0 for time in TIMES}
    return {"name": name, "n": len(members), **parts}


def queues(run: Record) -> list[dict[str, Any]]:
    """Return who waited for whom: requests, time waited (s), mean and longest queue of tiles and shared components.

    Those that made the others wait longest come first. Of more than ``MOST_SINGLE`` those for which nothing waited are
    left out.
    """
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "requests": values["requests"],
            "waiting": values["waiting"],
            "mean": values["mean_queue"],
            "longest": values["longest_queue"],
        }
        for name, values in _parts(run).items()
        if "requests" in values
    ]
    if len(rows) > MOST_SINGLE:
        rows = [row for row in rows if row["waiting"] > 0]
    return sorted(rows, key=lambda row: (-row["waiting"], -row["requests"], row["name"]))


def n_queues(run: Record) -> int:
    """Return how many parts of the chip have a queue."""
    return sum("requests" in values for values in _parts(run).values())


def memories(run: Record) -> list[dict[str, Any]]:
    """Return what buffers held and what buffers and interconnects moved, in bytes."""
    fields = ("capacity", "mean_occupancy", "peak_occupancy", "full_waits", "bytes_moved")
    rows = [
        {"name": name, **{field: values.get(field) for field in fields}}
        for name, values in _parts(run).items()
        if "bytes_moved" in values or "capacity" in values
    ]
    return sorted(rows, key=lambda row: row["name"])


def _parts(run: Record) -> dict[str, dict[str, float]]:
    """Return the statistics by component: name of the statistic to value."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for path, value in zip(run.stats["path"], run.stats["value"], strict=True):
        name, _, statistic = str(path).rpartition(".")
        found[name][statistic] = float(value)
    return {name: values for name, values in found.items() if not name.startswith(("chip", "phase.", "layer."))}
