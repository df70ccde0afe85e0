"""The ledger: one row for each action of a component, from which every total and the event log are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

COLUMNS: dict[str, tuple[str, str, str]] = {
    # name: (dtype, unit, description)
    "t_ps": ("int64", "ps", "simulated time at which the action starts"),
    "dur_ps": ("int64", "ps", "how long the component is busy with it"),
    "component": ("name", "1", "component, such as tile0.adc"),
    "action": ("name", "1", "what it does, such as convert"),
    "operation": ("name", "1", "operation of the controller that caused it"),
    "phase": ("name", "1", "phase of training that it belongs to"),
    "layer": ("name", "1", "layer of the network; empty for none"),
    "step": ("int32", "1", "training step (mini-batch); -1 outside of steps"),
    "sample": ("int64", "1", "first sample of the operation's stream, counted over the run; -1 for none"),
    "tile": ("int16", "1", "tile; -1 for none"),
    "array": ("int16", "1", "array of the tile; -1 for none"),
    "count": ("int64", "1", "how many actions of this kind"),
    "energy_J": ("float64", "J", "energy of these actions"),
}
"""Columns of the ledger and of ``events.parquet``: name to type, unit and description."""

FLUSH_ROWS = 65536


class Origin(NamedTuple):
    """Why an action happens: names as ledger identifiers, step and first sample of the stream."""

    operation: int
    phase: int
    layer: int
    step: int
    sample: int


@dataclass(frozen=True)
class Table:
    """A block of ledger rows in time order: one array a column; names as indices into ``names``."""

    columns: dict[str, np.ndarray]
    names: list[str]


class Ledger:
    """Collects rows, keeps the totals, and hands blocks of rows in time order to ``sink``.

    Rows must not start before the time of the last :meth:`flush`.
    """

    def __init__(self, sink: Callable[[Table], None] | None = None) -> None:
        self._sink = sink
        self._rows: list[tuple] = []
        self.names: list[str] = []
        self._ids: dict[str, int] = {}
        self._totals: dict[tuple[int, int, int, int, int], list[float]] = {}
        self.rows_written = 0
        self.energy = 0.0
        """Energy of every row booked so far, J."""

    def intern(self, name: str) -> int:
        """Return the identifier of a name."""
        if name not in self._ids:
            self._ids[name] = len(self.names)
            self.names.append(name)
        return self._ids[name]

    def book(
        self,
        origin: Origin,
        component: int,
        action: int,
        start: int,
        duration: int,
        count: int,
        energy: float,
        tile: int = -1,
        array: int = -1,
    ) -> None:
        """Book ``count`` actions of a component: start and duration in ps, energy in J (of all of them)."""
        self.energy += energy
        self._rows.append((start, duration, component, action, *origin, tile, array, count, energy))

    @property
    def pending(self) -> int:
        """How many rows wait for the next flush."""
        return len(self._rows)

    def flush(self, until: int | None = None) -> None:
        """Sort and pass on every row that starts before ``until`` (ps; None: every row)."""
        if not self._rows:
            return
        table = _columns(self._rows)
        order = np.argsort(table["t_ps"], kind="stable")
        cut = len(order) if until is None else int(np.searchsorted(table["t_ps"][order], until))
        self._rows = [self._rows[index] for index in order[cut:]]
        if cut == 0:
            return
        table = {name: column[order[:cut]] for name, column in table.items()}
        self._add(table)
        self.rows_written += cut
        if self._sink is not None:
            self._sink(Table(table, self.names))

    def _add(self, table: dict[str, np.ndarray]) -> None:
        keys = [table[name].astype(np.int64) for name in ("component", "action", "operation", "phase", "layer")]
        unique, inverse = _distinct(keys)
        energy = np.bincount(inverse, weights=table["energy_J"], minlength=len(unique))
        count = np.bincount(inverse, weights=table["count"], minlength=len(unique))
        busy = np.bincount(inverse, weights=table["dur_ps"], minlength=len(unique))
        for row, *values in zip(unique, energy, count, busy, strict=True):
            component, action, operation, phase, layer = (int(column[row]) for column in keys)
            total = self._totals.setdefault((component, action, operation, phase, layer), [0.0, 0.0, 0.0])
            for index, value in enumerate(values):
                total[index] += float(value)

    def totals(self) -> list[dict[str, str | float]]:
        """Return the totals of the flushed rows by component, action, operation, phase and layer."""
        fields = ("component", "action", "operation", "phase", "layer")
        return [
            {name: self.names[part] for name, part in zip(fields, key, strict=True)}
            | {"energy_J": total[0], "count": total[1], "busy_ps": total[2]}
            for key, total in self._totals.items()
        ]


def _columns(rows: list[tuple]) -> dict[str, np.ndarray]:
    columns = zip(*rows, strict=True)
    types = [np.int32 if dtype == "name" else np.dtype(dtype) for dtype, _, _ in COLUMNS.values()]
    return {name: np.array(column, dtype=dtype) for name, column, dtype in zip(COLUMNS, columns, types, strict=True)}


def _distinct(keys: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return one row index for each distinct combination of keys, and each row's combination."""
    packed = keys[0]
    for key in keys[1:]:
        _, packed = np.unique(packed, return_inverse=True)
        packed = packed * (int(key.max()) + 1) + key
    _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
    return first, inverse
