"""When pairs are refreshed: follows the updates that any algorithm emits and adds the refreshes that fall due."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import Operation, TransferWrite, Update
from hwsim.chip.refresh import Refresh
from hwsim.errors import DataError
from hwsim.spec.unit_cell import OneSidedCell, UnitCellSpec
from hwsim.training.algorithms.base import Emits

Array = tuple[str, int]
"""Name of a matrix and number of its array."""


class Refreshes:
    """Counts the updates of each array since its last refresh.

    Args:
        cell: unit cell of the chip's devices; only one-sided pairs with ``refresh_every`` above 0 are refreshed.
    """

    def __init__(self, cell: UnitCellSpec) -> None:
        one_sided = cell if isinstance(cell, OneSidedCell) else OneSidedCell()
        self._every = one_sided.refresh_every
        self._in_batches = one_sided.units_in_mbatch
        self._since: dict[Array, int] = defaultdict(int)

    def after(self, emits: Emits) -> Emits:
        """Pass on the operations of one mini-batch's update, with a refresh after every ``refresh_every`` rank-1
        updates of an array (where streams are split), or at the end after so many mini-batches that updated it."""
        if not self._every:
            yield from emits
            return
        updated: dict[Array, AnalogMatrix] = {}
        answer = None
        while True:
            try:
                operation = emits.send(answer)
            except StopIteration:
                break
            if not isinstance(operation, Update | TransferWrite):
                answer = yield operation
                continue
            updated[operation.matrix.name, operation.array] = operation.matrix
            yield from self._followed(operation)
            answer = None
        if self._in_batches:
            for (name, array), matrix in updated.items():
                self._since[name, array] += 1
                if self._due((name, array)):
                    yield Refresh(matrix, array)

    def _followed(self, operation: Update | TransferWrite) -> Emits:
        """Emit an update, split where refreshes counted in rank-1 updates fall due."""
        if self._in_batches:
            yield operation
            return
        key = (operation.matrix.name, operation.array)
        for part, n in self._parts(operation, key):
            yield part
            self._since[key] += n
            if self._due(key):
                yield Refresh(operation.matrix, operation.array)

    def _parts(self, operation: Update | TransferWrite, key: Array) -> Iterator[tuple[Operation, int]]:
        if isinstance(operation, TransferWrite):
            yield operation, 1
            return
        start, n = 0, len(operation.x)
        while start < n:
            part = slice(start, min(n, start + self._every - self._since[key]))
            rate = operation.lr[part] if isinstance(operation.lr, np.ndarray) else operation.lr
            yield replace(operation, x=operation.x[part], d=operation.d[part], lr=rate), part.stop - part.start
            start = part.stop

    def state(self) -> dict[str, Any]:
        """Return all that changes: the updates of each array since its last refresh."""
        return {"since": [(name, array, count) for (name, array), count in self._since.items()]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned.

        Raises:
            DataError: the state is not of refreshes.
        """
        if set(state) != {"since"}:
            raise DataError(f"this is no state of refreshes: it holds {', '.join(map(str, state)) or 'nothing'}")
        self._since.clear()
        self._since.update({(str(name), int(array)): int(count) for name, array, count in state["since"]})

    def _due(self, key: Array) -> bool:
        if self._since[key] < self._every:
            return False
        self._since[key] = 0
        return True
