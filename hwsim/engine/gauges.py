"""Gauges: what has a level that changes in time, such as a queue or the bytes in use of a memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hwsim._kernels.gauges import Gauge, GaugeRows

__all__ = ["BYTES_IN_USE", "GAUGE_COLUMNS", "QUEUE", "Gauge", "Gauges"]

GAUGE_COLUMNS: dict[str, tuple[str, str, str]] = {
    # name: (dtype, unit, description)
    "t_ps": ("int64", "ps", "simulated time of the change"),
    "component": ("name", "1", "component, such as buffer"),
    "gauge": ("name", "1", "what changes: queue, bytes_in_use; of the controller, an operation with its layer"),
    "value": ("int64", "1", "new level: operations that wait, bytes in use, operations of that name under way"),
    "step": ("int32", "1", "training step whose operation began or ended; -1 for other gauges"),
}
"""Columns of ``gauges.parquet``: name to type, unit and description."""

QUEUE, BYTES_IN_USE = "queue", "bytes_in_use"
FLUSH_ROWS = 65536

Sink = Callable[[dict[str, np.ndarray], list[str]], None]


class Gauges:
    """Collects changes in time order and hands blocks of them, with the names they index, to ``sink``."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._rows = GaugeRows(FLUSH_ROWS, self.flush)
        self._names: dict[str, int] = {}
        self._gauges: dict[tuple[int, int], int] = {}

    def of(self, component: str, gauge: str) -> Gauge | None:
        """Return what takes note of a change of a gauge; None if nobody listens."""
        if self._sink is None:
            return None
        found = (self._name(component), self._name(gauge))
        return Gauge(self._rows, self._gauges.setdefault(found, len(self._gauges)))

    def _name(self, name: str) -> int:
        return self._names.setdefault(name, len(self._names))

    def state(self) -> dict[str, Any]:
        """Return the changes that have not been passed on, and the names."""
        return {"rows": self._rows.rows().ravel(), "names": list(self._names), "gauges": list(self._gauges)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned; its gauges begin with those that are there."""
        self._rows.replace(state["rows"])
        self._names = {str(name): number for number, name in enumerate(state["names"])}
        self._gauges = {(int(part), int(name)): number for number, (part, name) in enumerate(state["gauges"])}

    def flush(self) -> None:
        """Pass on every change so far."""
        if self._sink is None or not len(self._rows):
            return
        gauge, time, value, step = self._rows.rows().T
        self._rows.replace(np.zeros((0, 4), np.int64))
        component, name = np.array(list(self._gauges), dtype=np.int32).T[:, gauge]
        values = (time, component, name, value, step.astype(np.int32))
        columns = dict(zip(GAUGE_COLUMNS, map(np.ascontiguousarray, values), strict=True))
        self._sink(columns, list(self._names))
