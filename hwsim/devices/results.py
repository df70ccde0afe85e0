"""What updates and reads return."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class PulseLog:
    """Every pulse on the devices of a probed region, ordered by sample, slot, row and column.

    ``sample`` within the call, ``slot`` within the sample's train, ``row``, ``col``, ``polarity`` (+1 up, -1 down),
    ``dw`` the change of the weight that a read sees, ``w`` that weight after the pulse.
    """

    sample: NDArray[np.int64]
    slot: NDArray[np.int32]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    polarity: NDArray[np.int8]
    dw: NDArray[np.float32]
    w: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sample)


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What an update of n samples did: everything the cost of its pulses depends on.

    ``bl`` (n,) slots; ``pulses_up``, ``pulses_down`` (n,) coincidences; ``sum_w`` (n,) sum over the coincidences of the
    device's persistent weight before the pulse; ``row_fires`` (n, rows), ``col_fires`` (n, cols) pulses on each line;
    ``log`` the pulses of the probed region, if there was one.
    """

    bl: NDArray[np.int32]
    pulses_up: NDArray[np.int64]
    pulses_down: NDArray[np.int64]
    sum_w: NDArray[np.float64]
    row_fires: NDArray[np.uint32]
    col_fires: NDArray[np.uint32]
    log: PulseLog | None


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a read of n vectors gave.

    ``y`` (n, outputs); ``passes`` (n,) reads of the array, 1 + retries of bound management; ``saturated`` outputs that
    stayed at the bound; ``x_quantised`` (n, inputs) values applied in the last pass, without input noise;
    ``input_scale`` (n,) what the inputs were divided by, before bound management.
    """

    y: NDArray[np.float32]
    passes: NDArray[np.int32]
    saturated: int
    x_quantised: NDArray[np.float32]
    input_scale: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ZeroShiftResult:
    """What bringing devices to their symmetric point took and gave.

    ``n_pulses`` slots, each with one pulse on every device; ``pulses_up``, ``pulses_down`` over all devices; ``sum_w``
    sum over the pulses of the device's weight before the pulse, as in ``UpdateResult``; ``reference`` (rows, cols) the
    weights reached, which have been subtracted.
    """

    n_pulses: int
    pulses_up: int
    pulses_down: int
    sum_w: float
    reference: NDArray[np.float32]
