"""Pulse trains line by line: when each row and column of a region fires."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hwsim._kernels.pulse import LineColumns


@dataclass(frozen=True, slots=True)
class LineLog:
    """Every firing of the rows and columns of a probed region, ordered by sample, slot, side and line.

    ``sample`` within the call, ``slot`` within the sample's trains; ``column`` is true for a column; ``line`` its
    number; ``sign`` that of the value on it (+1, -1): where a row and a column of equal signs fire in one slot, the
    device gets a down pulse, an up pulse where they differ. ``direction`` +1: only up pulses reach the devices of
    these lines, -1: only down pulses, 0: both.
    """

    sample: NDArray[np.int64]
    slot: NDArray[np.int32]
    column: NDArray[np.bool_]
    line: NDArray[np.int32]
    sign: NDArray[np.int8]
    direction: int = 0

    def __len__(self) -> int:
        return len(self.sample)

    @classmethod
    def of_kernel(cls, columns: LineColumns | None, direction: int) -> LineLog | None:
        """Return the log whose columns the kernel filled; None where nothing was probed or there are no trains."""
        return None if columns is None else cls(*columns, direction)

    @classmethod
    def empty(cls) -> LineLog:
        """Return a log in which no line fires."""
        whole = np.zeros(0, np.int32)
        return cls(np.zeros(0, np.int64), whole, np.zeros(0, bool), whole, np.zeros(0, np.int8))
