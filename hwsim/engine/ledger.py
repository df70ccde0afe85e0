"""The ledger: one row for each action of a component, from which every total and the event log are made."""

from __future__ import annotations

from array import array
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
INTEGERS = 7
"""Integers of a row: start, duration, action, the three of its origin, count."""


class Origin(NamedTuple):
    """Why an action happens: the ledger's key of operation, phase and layer; step and first sample of the stream."""

    key: int
    step: int
    sample: int


@dataclass(frozen=True)
class Table:
    """A block of ledger rows in time order: one array a column; names as indices into ``names``."""

    columns: dict[str, np.ndarray]
    names: list[str]


@dataclass(frozen=True)
class Total:
    """What all rows of one action, operation, phase and layer add up to."""

    component: str
    action: str
    operation: str
    phase: str
    layer: str
    energy_J: float
    count: float
    busy_ps: float


class Ledger:
    """Collects rows, keeps the totals, and hands blocks of rows in time order to ``sink``.

    What repeats from row to row is kept once, under a key: an action (component, action, tile, array) and an origin
    (operation, phase, layer). Rows must not start before the time of the last :meth:`flush`.
    """

    def __init__(self, sink: Callable[[Table], None] | None = None) -> None:
        self._sink = sink
        self._integers = array("q")
        self._energies = array("d")
        self.names: list[str] = []
        self._ids: dict[str, int] = {}
        self._actions: dict[tuple[int, int, int, int], int] = {}
        self._origins: dict[tuple[int, int, int], int] = {}
        self._totals: dict[tuple[int, int], list[float]] = {}
        self.rows_written = 0
        self.energy = 0.0
        """Energy of every row booked so far, J."""

    def _name(self, name: str) -> int:
        if name not in self._ids:
            self._ids[name] = len(self.names)
            self.names.append(name)
        return self._ids[name]

    def action(self, component: str, action: str, tile: int = -1, array: int = -1) -> int:
        """Return the key of an action."""
        found = (self._name(component), self._name(action), tile, array)
        return self._actions.setdefault(found, len(self._actions))

    def origin(self, operation: str, phase: str, layer: str, step: int, sample: int) -> Origin:
        """Return the origin of the actions of one operation."""
        found = (self._name(operation), self._name(phase), self._name(layer))
        return Origin(self._origins.setdefault(found, len(self._origins)), step, sample)

    def book(self, origin: Origin, action: int, start: int, duration: int, count: int, energy: float) -> None:
        """Book ``count`` actions: their key, start and duration in ps, energy in J (of all of them)."""
        self.energy += energy
        self._integers.extend((start, duration, action, *origin, count))
        self._energies.append(energy)

    @property
    def pending(self) -> int:
        """How many rows wait for the next flush."""
        return len(self._energies)

    def flush(self, until: int | None = None) -> None:
        """Sort and pass on every row that starts before ``until`` (ps; None: every row)."""
        if not self.pending:
            return
        integers = np.array(self._integers).reshape(-1, INTEGERS)
        energies = np.array(self._energies)
        order = np.argsort(integers[:, 0], kind="stable")
        cut = len(order) if until is None else int(np.searchsorted(integers[order, 0], until))
        later = order[cut:]
        self._integers = array("q", integers[later].tobytes())
        self._energies = array("d", energies[later].tobytes())
        if cut == 0:
            return
        start, duration, action, origin, step, sample, count = np.ascontiguousarray(integers[order[:cut]].T)
        energy = energies[order[:cut]]
        self._add(action, origin, energy, count, duration)
        self.rows_written += cut
        if self._sink is None:
            return
        component, name, tile, in_array = np.array(list(self._actions)).T[:, action]
        operation, phase, layer = np.array(list(self._origins)).T[:, origin]
        values = (
            start, duration, component, name, operation, phase, layer, step, sample, tile, in_array, count, energy,
        )  # fmt: skip
        self._sink(Table(dict(zip(COLUMNS, map(_typed, COLUMNS.values(), values), strict=True)), self.names))

    def _add(
        self, action: np.ndarray, origin: np.ndarray, energy: np.ndarray, count: np.ndarray, busy: np.ndarray
    ) -> None:
        keys, inverse = np.unique(action * len(self._origins) + origin, return_inverse=True)
        sums = [np.bincount(inverse, weights=values) for values in (energy, count, busy)]
        for key, *values in zip(keys, *sums, strict=True):
            total = self._totals.setdefault(divmod(int(key), len(self._origins)), [0.0, 0.0, 0.0])
            for index, value in enumerate(values):
                total[index] += float(value)

    def totals(self) -> list[Total]:
        """Return the totals of the flushed rows by component, action, operation, phase and layer."""
        actions, origins, names = list(self._actions), list(self._origins), self.names
        return [
            Total(
                names[actions[action][0]],
                names[actions[action][1]],
                names[origins[origin][0]],
                names[origins[origin][1]],
                names[origins[origin][2]],
                *values,
            )
            for (action, origin), values in self._totals.items()
        ]

    def energy_by_phase(self) -> dict[str, float]:
        """Return the energy of every row booked so far by phase, J."""
        origins, found = list(self._origins), dict.fromkeys((self.names[phase] for _, phase, _ in self._origins), 0.0)
        for (_, origin), values in self._totals.items():
            found[self.names[origins[origin][1]]] += values[0]
        waiting = np.array(self._integers, np.int64).reshape(-1, INTEGERS)[:, 3]
        for origin, energy in enumerate(np.bincount(waiting, weights=np.array(self._energies), minlength=len(origins))):
            found[self.names[origins[origin][1]]] += float(energy)
        return found


def _typed(column: tuple[str, str, str], values: np.ndarray) -> np.ndarray:
    dtype = column[0]
    return values.astype(np.int32 if dtype == "name" else dtype, copy=False)
