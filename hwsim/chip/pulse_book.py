"""The pulse log of a chip: the rows of all probed regions, handed on in order of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.engine.ledger import Origin
from hwsim.engine.station import Station

Rows = dict[str, np.ndarray]
"""Rows in columns by name."""

PulseSink = Callable[[Rows], None]

ENOUGH_ROWS = 16384
"""Rows that are worth being put in order and handed on."""


class PulseBook:
    """Collects the pulses of operations, which tell them when they end, and hands rows on as soon as their turn is sure.

    An operation that holds a tile may still tell of pulses since it took the tile; rows before that are in order.

    Args:
        sink: receives rows in columns by name, in order of time.
        now: returns the simulated time, ps.
    """

    def __init__(self, sink: PulseSink, now: Callable[[], int]) -> None:
        self._sink = sink
        self._now = now
        self._parts: list[Rows] = []
        self._waiting = 0
        self.stations: Sequence[Station] = ()
        """The queues of the probed tiles."""

    def add(self, origin: Origin, place: tuple[int, int, int], pulses: Mapping[str, np.ndarray]) -> None:
        """Take the pulses on a plane of devices, in order of time.

        Args:
            origin: why they were given.
            place: tile, array, and number of the device in the unit cells.
            pulses: columns ``t_ps``, ``row``, ``col``, ``polarity``, ``dw``, ``w``, and ``sample``, counted from that of
                the origin.
        """
        n = len(pulses["t_ps"])
        if not n:
            return
        tile, array, device = (np.full(n, number, np.int16) for number in place)
        self._parts.append(
            {
                "t_ps": pulses["t_ps"],
                "step": np.full(n, origin.step, np.int32),
                "sample": pulses["sample"] + origin.sample,
                "tile": tile,
                "array": array,
                **{name: pulses[name] for name in ("row", "col", "polarity", "dw", "w")},
                "device": device,
            }
        )
        self._waiting += n
        if self._waiting >= ENOUGH_ROWS:
            self.flush(self._sure())

    def _sure(self) -> int:
        """Return the time before which no further pulse will be told of, ps."""
        held = [station.held_since for station in self.stations]
        return min([self._now(), *(since for since in held if since is not None)])

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

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return the rows that wait."""
        return {"parts": [dict(part) for part in self._parts]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned."""
        self._parts = [dict(part) for part in state["parts"]]
        self._waiting = sum(len(part["t_ps"]) for part in self._parts)


def _rows(part: Rows, which: slice | np.ndarray) -> Rows:
    return {name: column[which] for name, column in part.items()}


def _in_order(parts: list[Rows]) -> list[Rows]:
    """Return the rows of parts, each in order of time, in order; rows of one time in that of the parts."""
    if all(first["t_ps"][-1] <= second["t_ps"][0] for first, second in zip(parts, parts[1:], strict=False)):
        return parts
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return [_rows(whole, np.argsort(whole["t_ps"], kind="stable"))]
