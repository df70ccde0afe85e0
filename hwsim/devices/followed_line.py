"""The sums of an array's weights over its lines, followed through the change of a single line."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Sums = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Sums over each row, (rows,), and over each column, (cols,)."""


class FollowedLine:
    """A line that is about to change: row ``index`` (``axis`` 0) or column ``index`` (1) of (rows, cols) ``weights``.

    Adding up a whole array takes longer than pulsing one line of it, as every transfer does.
    """

    def __init__(self, sums: Sums, axis: int, index: int, weights: NDArray[np.float32]) -> None:
        self._sums, self._axis, self._index = sums, axis, index
        self._before = self._line(weights)

    def _line(self, weights: NDArray[np.float32]) -> NDArray[np.float64]:
        line = weights[:, self._index] if self._axis else weights[self._index]
        return line.astype(np.float64)

    def sums_after(self, weights: NDArray[np.float32]) -> Sums:
        """Return the sums of the array as it stands now, both read-only."""
        line = self._line(weights)
        along = self._sums[self._axis].copy()
        along[self._index] = np.add.reduce(line)
        across = self._sums[1 - self._axis] + (line - self._before)
        along.flags.writeable = across.flags.writeable = False
        return (along, across) if self._axis == 0 else (across, along)
