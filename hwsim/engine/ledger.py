"""The ledger: one row for each action of a component, from which every total and the event log are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from hwsim._kernels.notes import Notes, Origin
from hwsim.engine.bill import PLAIN, Bill, BillBook, Entry

__all__ = ["COLUMNS", "FLUSH_POSTINGS", "Ledger", "Origin", "Table", "Total", "Work"]

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

FLUSH_POSTINGS = 49152
"""Postings that are collected before a flush; one is a row, or a bill of some rows, in training 1.3 on average."""


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


@dataclass
class Work:
    """What a component has done: the time for which it was busy, ps, and how often it did each action."""

    busy: int = 0
    counts: dict[str, int] = field(default_factory=dict)


class Ledger:
    """Collects rows, keeps the totals, and hands blocks of rows in time order to ``sink``.

    What repeats is kept once, under a key: an action (component, action, tile, array), an origin (operation, phase,
    layer), and a bill, the rows that one unit of work always makes. Booking therefore notes a few integers, and the
    rows are worked out, many at a time, when they are flushed. Rows must not start before the time of the last
    :meth:`flush`.
    """

    def __init__(self, sink: Callable[[Table], None] | None = None) -> None:
        self._sink = sink
        self.notes = Notes()
        self.post = self.notes.post
        """Book the rows of n units of work: their origin, bill, start in ps, and n (default: 1)."""
        self.book = self.notes.book
        """Book actions without a bill: their origin, key, start and duration in ps, count, energy in J (of all)."""
        self._later: list[_Rows] = []
        self._bills = BillBook()
        self.names: list[str] = []
        self._ids: dict[str, int] = {}
        self._actions: dict[tuple[int, int, int, int, bool], int] = {}
        self._origins: dict[tuple[str, str, str], int] = {}
        self._totals: dict[tuple[int, int], list[float]] = {}
        self.rows_written = 0

    @property
    def energy(self) -> float:
        """Energy of every row booked so far, J."""
        return self.notes.energy

    def _name(self, name: str) -> int:
        if name not in self._ids:
            self._ids[name] = len(self.names)
            self.names.append(name)
        return self._ids[name]

    def action(self, component: str, action: str, tile: int = -1, array: int = -1, *, beside: bool = False) -> int:
        """Return the key of an action.

        ``beside``: the component is busy with another action at the same time, which counts its time.
        """
        found = (self._name(component), self._name(action), tile, array, beside)
        return self._actions.setdefault(found, len(self._actions))

    def bill(self, entries: Sequence[Entry]) -> Bill:
        """Return a bill of rows that one unit of work always makes."""
        return self._bills.add(entries)

    def origin(self, operation: str, phase: str, layer: str, step: int, sample: int) -> Origin:
        """Return the origin of the actions of one operation."""
        key = self._origins.get((operation, phase, layer))
        if key is None:
            for name in (operation, phase, layer):
                self._name(name)
            key = self._origins[operation, phase, layer] = len(self._origins)
        return Origin(key, step, sample)

    @property
    def pending(self) -> int:
        """How many postings wait for the next flush."""
        return len(self.notes)

    def flush(self, until: int | None = None) -> None:
        """Sort and pass on every row that starts before ``until`` (ps; None: every row)."""
        rows = self._pending_rows()
        self.notes.clear()
        order = np.argsort(rows.start, kind="stable")
        cut = len(order) if until is None else int(np.searchsorted(rows.start, until, sorter=order))
        self._later = [rows.take(np.sort(order[cut:]))] if cut < len(order) else []
        if cut == 0:
            return
        rows = rows.take(order[:cut])
        _add(self._totals, rows, len(self._origins))
        self.rows_written += cut
        if self._sink is not None:
            self._sink(self._table(rows))

    def state(self) -> dict[str, Any]:
        """Return all that changes; nothing is flushed, so that the rows stay in the blocks that they would be in."""
        notes, counts, energies = self.notes.columns()
        totals = list(self._totals.values())
        return {
            "notes": notes, "counts": counts, "energies": energies, "energy": self.notes.energy,
            "later": [list(rows) for rows in self._later], "bills": self._bills.state(), "names": list(self.names),
            "actions": [list(key) for key in self._actions], "origins": [list(key) for key in self._origins],
            "totals": np.array([[*key, *values] for key, values in self._totals.items()]).reshape(len(totals), 5),
            "rows_written": self.rows_written,
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, bit for bit; its keys begin with those that are there."""
        self.notes.restore(state["notes"], state["counts"], state["energies"], float(state["energy"]))
        self._later = [_Rows(*rows) for rows in state["later"]]
        self._bills.restore(state["bills"])
        self.names[:] = map(str, state["names"])
        self._ids = {name: number for number, name in enumerate(self.names)}
        self._actions = {
            (int(part), int(name), int(tile), int(array), bool(beside)): number
            for number, (part, name, tile, array, beside) in enumerate(state["actions"])
        }
        self._origins = {(str(a), str(b), str(c)): number for number, (a, b, c) in enumerate(state["origins"])}
        self._totals = {(int(row[0]), int(row[1])): row[2:].tolist() for row in state["totals"]}
        self.rows_written = int(state["rows_written"])

    def _pending_rows(self) -> _Rows:
        """Return every row that has not been flushed, in the order in which they were booked."""
        (what, origin, step, sample, start, times), counts, energies = self.notes.columns()
        plain = what < 0
        index, action, after, duration, count, energy = self._bills.expand(np.where(plain, PLAIN, what))
        of_plain = plain[index]
        times = times[index]
        action[of_plain] = ~what[plain]
        count *= times
        energy *= count
        count[of_plain] = counts
        energy[of_plain] = energies
        rows = _Rows(
            start[index] + after, duration * times, action, origin[index], step[index], sample[index], count, energy
        )
        return _Rows(*(np.concatenate(column) for column in zip(*self._later, rows, strict=True)))

    def _table(self, rows: _Rows) -> Table:
        component, name, tile, in_array, _ = np.array(list(self._actions)).T
        operation, phase, layer = np.array([[self._ids[name] for name in key] for key in self._origins]).T
        values = (
            rows.start, rows.duration, component[rows.action], name[rows.action], operation[rows.origin],
            phase[rows.origin], layer[rows.origin], rows.step, rows.sample, tile[rows.action], in_array[rows.action],
            rows.number, rows.energy,
        )  # fmt: skip
        return Table(dict(zip(COLUMNS, map(_typed, COLUMNS.values(), values), strict=True)), self.names)

    def totals(self) -> list[Total]:
        """Return the totals of the flushed rows by component, action, operation, phase and layer.

        An action beside another one adds nothing to the time that the component was busy.
        """
        actions, origins, names = list(self._actions), list(self._origins), self.names
        return [
            Total(
                names[actions[action][0]],
                names[actions[action][1]],
                *origins[origin],
                energy,
                count,
                0.0 if actions[action][-1] else busy,
            )
            for (action, origin), (energy, count, busy) in self._totals.items()
        ]

    def energy_by_phase(self) -> dict[str, float]:
        """Return the energy of every row booked so far, flushed or not, by phase, J."""
        phases = [phase for _, phase, _ in self._origins]
        found = dict.fromkeys(phases, 0.0)
        for (_, origin), (energy, _, _) in self._totals.items():
            found[phases[origin]] += energy
        rows = self._pending_rows()
        for phase, energy in zip(phases, np.bincount(rows.origin, rows.energy, len(phases)), strict=True):
            found[phase] += float(energy)
        return found

    def work(self) -> dict[str, Work]:
        """Return what every component has done so far, flushed or not, by its name."""
        totals = {key: list(values) for key, values in self._totals.items()}
        _add(totals, self._pending_rows(), len(self._origins))
        actions = list(self._actions)
        done: dict[str, Work] = {}
        for (action, _), (_, count, busy) in totals.items():
            component, name, _, _, beside = actions[action]
            work = done.setdefault(self.names[component], Work())
            work.busy += 0 if beside else int(busy)
            work.counts[self.names[name]] = work.counts.get(self.names[name], 0) + int(count)
        return done


class _Rows(NamedTuple):
    """Rows of the ledger as columns, with the keys of their actions and origins."""

    start: np.ndarray
    duration: np.ndarray
    action: np.ndarray
    origin: np.ndarray
    step: np.ndarray
    sample: np.ndarray
    number: np.ndarray
    energy: np.ndarray

    def take(self, chosen: np.ndarray) -> _Rows:
        """Return some of the rows, in the given order."""
        return _Rows(*(column[chosen] for column in self))


def _add(totals: dict[tuple[int, int], list[float]], rows: _Rows, n_origins: int) -> None:
    """Add rows to the totals of energy, count and duration by action and origin."""
    keys, inverse = np.unique(rows.action * n_origins + rows.origin, return_inverse=True)
    sums = [np.bincount(inverse, weights=values) for values in (rows.energy, rows.number, rows.duration)]
    for key, *values in zip(keys, *sums, strict=True):
        total = totals.setdefault(divmod(int(key), n_origins), [0.0, 0.0, 0.0])
        for index, value in enumerate(values):
            total[index] += float(value)


def _typed(column: tuple[str, str, str], values: np.ndarray) -> np.ndarray:
    dtype = column[0]
    return values.astype(np.int32 if dtype == "name" else dtype, copy=False)
