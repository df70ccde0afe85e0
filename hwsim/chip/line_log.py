"""The log of lines: when the rows and columns of probed regions fire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.chip.tile import Tile
from hwsim.devices import UpdateResult
from hwsim.engine.ledger import Origin

LINE_COLUMNS: dict[str, tuple[str, str, str]] = {
    # name: (dtype, unit, description)
    "t_ps": ("int64", "ps", "simulated time at which the pulse on the line starts"),
    "dur_ps": ("int64", "ps", "how long the line is driven"),
    "step": ("int32", "1", "training step"),
    "sample": ("int64", "1", "sample whose update it belongs to, counted over the run; -1 for none"),
    "tile": ("int16", "1", "tile"),
    "array": ("int16", "1", "array of the tile"),
    "device": ("int16", "1", "device of the unit cell, whose lines these are; 0 where a cell has one"),
    "axis": ("name", "1", "row or column"),
    "line": ("int32", "1", "number of the row or column"),
    "sign": ("int8", "1", "sign of the value on the line, +1 or -1; 0 in a reset"),
    "phase": (
        "int8", "1",
        "+1: only rows and columns of different signs pulse a device now (up), -1: only those of equal signs (down), "
        "0: all",
    ),
}  # fmt: skip
"""Columns of ``lines.parquet``: name to type, unit and description."""

AXES = ["row", "column"]
FLUSH_ROWS = 65536
Region = tuple[slice, slice]
NamedSink = Callable[[dict[str, np.ndarray], list[str]], None]
"""Takes columns by name, and the names that name columns are indices into."""


class LineLogger:
    """Makes rows of the log of lines and hands blocks of them to ``sink``; does nothing without one.

    The rows of a tile are in the order of time.
    """

    def __init__(self, sink: NamedSink | None = None) -> None:
        self._sink = sink
        self._parts: list[Mapping[str, np.ndarray]] = []
        self._waiting = 0

    def trains(self, origin: Origin, first: int, place: tuple[Tile, int], result: UpdateResult, start: int) -> None:
        """Log the trains of an update of one array of a tile that started at ``start``, ps.

        ``first`` is the number of its first sample in the operation's stream. Where the pulse generators take two
        phases, every train is sent twice: for the up pulses, then for the down pulses. Devices that are only pulsed up
        need the first phase only.
        """
        if self._sink is None:
            return
        tile, array = place
        starts = start + (np.cumsum(result.slots, dtype=np.int64) - result.slots) * tile.phases * tile.slot
        parts = []
        for device, part in enumerate(result.by_device):
            log = part.lines
            if log is None or not len(log):
                continue
            phases = [log.direction] if log.direction or tile.phases == 1 else [+1, -1]
            for turn, phase in enumerate(phases):
                slots = turn * result.slots[log.sample] + log.slot
                parts.append(
                    _rows(
                        origin,
                        (tile, array, device),
                        starts[log.sample] + slots * tile.slot,
                        log.column,
                        log.line,
                        sample=origin.sample + first + log.sample,
                        sign=log.sign,
                        phase=phase,
                    )
                )
        self._pass_on(parts)

    def slots(
        self, origin: Origin, place: tuple[Tile, int, int], region: Region | None, start: int, polarities: Sequence[int]
    ) -> None:
        """Log slots from ``start`` on, in each of which all lines fire to give every device a pulse of one polarity."""
        if self._sink is None or region is None:
            return
        tile = place[0]
        rows, cols = (np.arange(length)[part] for part, length in zip(region, tile.shape, strict=True))
        column = np.repeat([False, True], [len(rows), len(cols)])
        n = len(polarities)
        pulses = np.repeat(np.asarray(polarities), len(column))
        self._pass_on(
            [
                _rows(
                    origin,
                    place,
                    start + np.repeat(np.arange(n, dtype=np.int64), len(column)) * tile.slot,
                    np.tile(column, n),
                    np.tile(np.concatenate([rows, cols]), n),
                    sign=np.where(np.tile(column, n), -pulses, 1),
                )
            ]
        )

    def reset(
        self,
        origin: Origin,
        place: tuple[Tile, int, int],
        region: Region | None,
        start: int,
        rows: np.ndarray,
        col: int,
    ) -> None:
        """Log the slot in which the chosen ``rows`` (a mask) and column ``col`` fire for a reset."""
        if self._sink is None or region is None:
            return
        tile = place[0]
        inside = np.zeros(tile.shape[0], bool)
        inside[region[0]] = True
        lines = np.flatnonzero(rows & inside)
        in_region = col in range(*region[1].indices(tile.shape[1]))
        column = np.repeat([False, True], [len(lines), int(in_region)])
        numbers = np.append(lines, col) if in_region else lines
        self._pass_on([_rows(origin, place, np.full(len(column), start), column, numbers, sign=0)])

    def _pass_on(self, parts: Sequence[Mapping[str, np.ndarray]]) -> None:
        self._parts += parts
        self._waiting += sum(len(part["t_ps"]) for part in parts)
        if self._waiting >= FLUSH_ROWS:
            self.flush()

    def state(self) -> list[dict[str, np.ndarray]]:
        """Return the rows that wait."""
        return [{name: np.ascontiguousarray(column) for name, column in part.items()} for part in self._parts]

    def restore(self, state: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Continue from what ``state()`` returned."""
        self._parts = [dict(part) for part in state]
        self._waiting = sum(len(part["t_ps"]) for part in self._parts)

    def flush(self) -> None:
        """Pass on every row so far."""
        if self._sink is None or not self._waiting:
            return
        table = {name: np.concatenate([part[name] for part in self._parts]) for name in LINE_COLUMNS}
        self._parts, self._waiting = [], 0
        order = np.argsort(table["t_ps"], kind="stable")
        self._sink({name: column[order] for name, column in table.items()}, AXES)


def _rows(
    origin: Origin,
    place: tuple[Tile, int, int],
    times: np.ndarray,
    column: np.ndarray,
    line: np.ndarray,
    *,
    sample: Any = None,
    sign: Any,
    phase: int = 0,
) -> dict[str, np.ndarray]:
    tile, array, device = place
    values: dict[str, Any] = {
        "t_ps": times,
        "dur_ps": tile.pulse,
        "step": origin.step,
        "sample": origin.sample if sample is None else sample,
        "tile": tile.index,
        "array": array,
        "device": device,
        "axis": column,
        "line": line,
        "sign": sign,
        "phase": phase,
    }
    n = len(times)
    return {
        name: np.broadcast_to(np.asarray(values[name]).astype("int32" if dtype == "name" else dtype), n)
        for name, (dtype, _, _) in LINE_COLUMNS.items()
    }
