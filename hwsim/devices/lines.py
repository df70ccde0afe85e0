"""Pulse trains line by line: when each row and column of a region fires.

Trains depend on the seed, the ordinal of the update and the value on the line, and on nothing that a device holds. So
they can be heard a second time: every pulse of a line coincides with a pulse of a listening line that always fires.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels.pulse import PulsedCells
from hwsim.devices.plan import TrainPlan

if TYPE_CHECKING:
    from hwsim._kernels.pulse import LogColumns

F32 = NDArray[np.float32]

GROUP = 32
ALWAYS = 16.0
"""Gain at which a line with the value 1 fires in every slot, whatever the resolution of its probability."""
RANDOM = ("stochastic_compressed", "stochastic")
"""Pulse schemes whose pulses come from trains on lines; others count the pulses of a device by themselves."""


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
    def empty(cls) -> LineLog:
        """Return a log in which no line fires."""
        whole = np.zeros(0, np.int32)
        return cls(np.zeros(0, np.int64), whole, np.zeros(0, bool), whole, np.zeros(0, np.int8))


class LineListener:
    """Hears the trains of an array of ``shape`` whose random streams have the given keys.

    ``keys`` are those of the array's kernel; only ``train`` and ``rounding`` matter.
    """

    def __init__(self, shape: tuple[int, int], keys: dict[str, int]) -> None:
        rows, cols = shape
        self._row, self._column = _deaf_cells(1, cols, keys), _deaf_cells(rows, 2, keys)

    def hear(
        self, x: F32, d: F32, plan: TrainPlan, ordinal: int, region: tuple[int, int, int, int], direction: int
    ) -> LineLog | None:
        """Return the firings in the region (row_begin, row_end, col_begin, col_end) of the planned updates of ``x``
        (n, cols) and ``d`` (n, rows), the first of which is the array's update number ``ordinal``.

        None if the pulse scheme has no trains.
        """
        if plan.params.pulse_type not in RANDOM:
            return None
        n = len(plan.bl)
        top, bottom, left, right = region
        one = np.ones((n, 1), np.float32)
        # The passes of a scheme with two are for columns of either sign, so a row is heard with one of each.
        signs = np.array([[1.0, -1.0 if plan.params.passes == 2 else 0.0]], np.float32)
        gain = np.full(n, ALWAYS)
        cols = self._heard(self._row, x, one, (plan.col_gain, gain), plan, ordinal, (0, 1, left, right))
        rows = self._heard(
            self._column, np.repeat(signs, n, axis=0), d, (gain, plan.row_gain), plan, ordinal, (top, bottom, 0, 2)
        )
        sample, slot = (np.concatenate([rows[k], cols[k]]) for k in (1, 2))
        column = np.repeat([False, True], [len(rows[1]), len(cols[1])])
        line = np.concatenate([rows[3], cols[4]])
        # Equal signs make a down pulse. A negative learning rate turns every pulse round, as if d had the other sign.
        row_sign = -rows[5] * np.where(rows[4] == 1, -1, 1) * (-1 if plan.negative else 1)
        sign = np.concatenate([row_sign, -cols[5]]).astype(np.int8)
        order = np.lexsort((line, column, slot, sample))
        return LineLog(sample[order], slot[order], column[order], line[order], sign[order], direction)

    @staticmethod
    def _heard(
        cells: PulsedCells,
        x: F32,
        d: F32,
        gains: tuple[NDArray[np.float64], NDArray[np.float64]],
        plan: TrainPlan,
        ordinal: int,
        region: tuple[int, int, int, int],
    ) -> LogColumns:
        """Return the coincidences: no times, then sample, slot, row, column, polarity"""
        params = plan.params
        log = cells.update(
            x, d, plan.bl, *gains, False, params.pulse_type, (params.res, params.res), params.sto_round, ordinal,
            region, 1, "both", None,
        )[5]  # fmt: skip
        assert log is not None
        return log


def _deaf_cells(rows: int, cols: int, keys: dict[str, int]) -> PulsedCells:
    """Return devices that no pulse moves."""
    stride = -(-cols // GROUP) * GROUP
    weight = np.zeros((rows, stride), np.float32)
    planes = np.zeros((rows, 4, stride), np.float32)
    return PulsedCells(
        "constant", cols, weight, None, planes, np.zeros(1, np.float32), 0.0, np.zeros((2, rows), np.uint64), keys
    )
