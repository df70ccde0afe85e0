"""The pulse log of a chip: the rows of all probed regions, handed on in order of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.engine.ledger import Origin
from hwsim.engine.station import Station

Rows = dict[str, np.ndarray]
"""Rows in columns by name."""

RowSink = Callable[[Rows], None]

ENOUGH_ROWS = 16384
"""Rows that are worth being put in order and handed on."""

AXES = {"column": 0, "row": 1}
"""Numbers of the axes in the log of line reads."""


class TimeOrder:
    """Rows that come in blocks, each in order of ``t_ps``, and go on in order of time.

    Args:
        sink: receives rows.
        sure: returns the time before which no further row will come, ps.
    """

    def __init__(self, sink: RowSink, sure: Callable[[], int]) -> None:
        self._sink = sink
        self._sure = sure
        self._parts: list[Rows] = []
        self._waiting = 0

    def add(self, rows: Rows) -> None:
        """Take a block of rows."""
        self._parts.append(rows)
        self._waiting += len(rows["t_ps"])
        if self._waiting >= ENOUGH_ROWS:
            self.flush(self._sure())

    def flush(self, until: int | None = None) -> None:
        """Hand on every row before the time ``until``, ps; None: every row."""
        ready, later = [], []
        for part in self._parts:
            cut = len(part["t_ps"]) if until is None else int(np.searchsorted(part["t_ps"], until))
            if cut:
                ready.append(_rows(part, slice(0, cut)))
            if cut < len(part["t_ps"]):
                later.append(_rows(part, slice(cut, None)))
        self._parts = later
        self._waiting = sum(len(part["t_ps"]) for part in later)
        for rows in _in_order(ready):
            self._sink(rows)

    def state(self) -> list[Rows]:
        """Return the rows that wait."""
        return [dict(part) for part in self._parts]

    def restore(self, state: Sequence[Rows]) -> None:
        """Continue from what ``state()`` returned."""
        self._parts = [dict(part) for part in state]
        self._waiting = sum(len(part["t_ps"]) for part in self._parts)


class PulseBook:
    """Collects the pulses of operations, which tell of them when they end, and the reads of single lines.

    An operation that holds a tile may still tell of pulses since it took the tile; rows before that are sure.

    Args:
        pulses: receives pulses in columns by name, in order of time.
        line_reads: the same for reads of single lines.
        now: returns the simulated time, ps.
    """

    def __init__(self, pulses: RowSink, line_reads: RowSink, now: Callable[[], int]) -> None:
        self._now = now
        self._pulses = TimeOrder(pulses, self._sure)
        self._line_reads = TimeOrder(line_reads, now)
        self.probed: Mapping[int, Station] = {}
        """The queues of the probed tiles, by tile."""
        self._told: dict[int, int] = {}

    def _sure(self) -> int:
        held = {tile: station.held_since for tile, station in self.probed.items()}
        since = [max(at, self._told.get(tile, 0)) for tile, at in held.items() if at is not None]
        return min([self._now(), *since])

    def tell(self, told: Mapping[int, int]) -> None:
        """Note that the operation which holds these tiles has told of all pulses on each until a time, ps."""
        self._told.update(told)

    def add(self, origin: Origin, place: tuple[int, int, int], pulses: Mapping[str, np.ndarray]) -> None:
        """Take the pulses on a plane of devices, in order of time.

        Args:
            origin: why they were given.
            place: tile, array, and number of the device in the unit cells.
            pulses: columns ``t_ps``, ``row``, ``col``, ``polarity``, ``dw``, ``w``, and ``sample``, counted from that
                of the origin.
        """
        n = len(pulses["t_ps"])
        if not n:
            return
        tile, array, device = (_same(number, n, np.int16) for number in place)
        self._pulses.add(
            {
                "t_ps": pulses["t_ps"],
                "step": _same(origin.step, n, np.int32),
                "sample": pulses["sample"] + origin.sample,
                "tile": tile,
                "array": array,
                **{name: pulses[name] for name in ("row", "col", "polarity", "dw", "w")},
                "device": device,
            }
        )

    def add_line_read(self, start: int, place: tuple[int, int, int | None], axis: str, line: int) -> None:
        """Take a read of one column or row, which starts at ``start`` ps.

        ``place`` is the tile, the array, and the device of the unit cells that was read, None for all of them.
        """
        tile, array, device = place
        if tile not in self.probed:
            return
        device = -1 if device is None else device
        values = {"t_ps": start, "tile": tile, "array": array, "device": device, "axis": AXES[axis], "line": line}
        self._line_reads.add({name: np.array([value]) for name, value in values.items()})

    def flush(self) -> None:
        """Hand on every row that waits; no operation is under way."""
        self._pulses.flush()
        self._line_reads.flush()

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return the rows that wait, and until when those of each tile are sure."""
        told = [[tile, time] for tile, time in self._told.items()]
        return {"pulses": self._pulses.state(), "line_reads": self._line_reads.state(), "told": told}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned."""
        self._pulses.restore(state["pulses"])
        self._line_reads.restore(state["line_reads"])
        self._told = {int(tile): int(time) for tile, time in state["told"]}


def _same(number: int, n: int, dtype: type) -> np.ndarray:
    """Return ``n`` times the same number, which takes no memory and is known as such where it is coded."""
    return np.broadcast_to(dtype(number), n)


def _rows(part: Rows, which: slice | np.ndarray) -> Rows:
    return {name: column[which] for name, column in part.items()}


def _in_order(parts: list[Rows]) -> list[Rows]:
    """Return the rows of parts, each in order of time, in order; rows of one time in that of the parts."""
    if len(parts) < 2:
        return parts
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    times = whole["t_ps"]
    if (times[1:] >= times[:-1]).all():
        return [whole]
    return [_rows(whole, np.argsort(times, kind="stable"))]
