"""Bills: rows of the ledger that are always booked together, kept once and counted each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from hwsim._kernels.notes import Bill

__all__ = ["PLAIN", "Bill", "BillBook", "Entry"]


class Entry(NamedTuple):
    """One row of a bill, for one unit of work: ``number`` actions that keep a component busy for ``duration`` ps.

    ``action`` is the ledger's key of the action, ``energy`` that of each action, J. The row starts ``after`` ps behind
    the start of the bill.
    """

    action: int
    after: int
    duration: int
    number: int
    energy: float


PLAIN = 0
"""Number of the bill of a row that is booked by itself: its one entry takes everything from the posting."""


class BillBook:
    """The entries of all bills, one after the other, and where each bill begins."""

    def __init__(self) -> None:
        self._entries: list[Entry] = [Entry(0, 0, 1, 0, 0.0)]
        self._first = [0, 1]
        self._columns: tuple[np.ndarray, ...] | None = None

    def add(self, entries: Sequence[Entry]) -> Bill:
        """Take a new bill."""
        number = len(self._first) - 1
        self._entries += entries
        self._first.append(len(self._entries))
        self._columns = None
        return Bill(number, sum(entry.number * entry.energy for entry in entries))

    def state(self) -> dict[str, Any]:
        """Return every bill."""
        return {"entries": np.array(self._entries, dtype=np.float64), "first": np.array(self._first)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over the bills that ``state()`` returned, which begin with those that are there."""
        self._entries = [
            Entry(int(action), int(after), int(duration), int(number), float(energy))
            for action, after, duration, number, energy in state["entries"]
        ]
        self._first = [int(first) for first in state["first"]]
        self._columns = None

    def expand(
        self, bills: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows of many bills, by number: of each the bill's index in ``bills``, and its entry's columns."""
        if self._columns is None:
            self._columns = tuple(np.array(column) for column in zip(*self._entries, strict=True))
        first = np.array(self._first)
        lengths = np.diff(first)[bills]
        ends = np.cumsum(lengths)
        index = np.repeat(np.arange(len(bills)), lengths)
        entry = np.repeat(first[bills] - (ends - lengths), lengths) + np.arange(len(index))
        action, after, duration, count, energy = (column[entry] for column in self._columns)
        return index, action, after, duration, count, energy
