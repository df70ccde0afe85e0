"""The sums of an array's weights over its rows and columns, followed through updates."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels import converter, lines

Sums = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Sums over each row, (rows,), and over each column, (cols,)."""


class LineSums:
    """The sums of the ``cols`` first columns of ``weights`` (rows, stride), as a read sees them.

    An update changes few rows, and adding up all others would take longer than the update. So this keeps a copy of the
    weights, and takes the changes of the lines that fired over. ``both`` are the sums, read-only.
    """

    def __init__(self, weights: NDArray[np.float32], cols: int, *, follow: bool) -> None:
        self._weights = weights
        self._copy = weights.copy() if follow else None
        self.both: Sums = _frozen(converter.line_sums(weights, cols))

    def restore(self, both: Iterable[NDArray[np.float64]]) -> None:
        """Take over sums that were followed up to these weights.

        Raises:
            ValueError: they are of another shape.
        """
        rows, cols = (np.array(sums, np.float64) for sums in both)
        if (rows.shape, cols.shape) != tuple(sums.shape for sums in self.both):
            raise ValueError("these are no sums over the lines of these weights")
        self.both = _frozen((rows, cols))

    def after(self, row_fires: NDArray[np.uint32], col_fires: NDArray[np.uint32]) -> tuple[LineSums | None, float]:
        """Take an update over whose rows and columns fired (n, rows) and (n, cols) times.

        Returns the sums after it (None: it was not followed), and the sum over all firings of the sum before it of the
        line that fired.
        """
        if self._copy is None:
            return None, lines.fired(row_fires, col_fires, *self.both)[2]
        rows, cols, on_lines = lines.follow(self._weights, self._copy, row_fires, col_fires, *self.both)
        self.both = rows, cols
        return self, on_lines

    def after_columns(self, columns: NDArray[np.int32], both: Sums) -> LineSums:
        """Take over the sums after pulses on some columns."""
        if self._copy is not None:
            self._copy[:, columns] = self._weights[:, columns]
        self.both = _frozen(both)
        return self


def _frozen(both: Sums) -> Sums:
    for sums in both:
        sums.flags.writeable = False
    return both
