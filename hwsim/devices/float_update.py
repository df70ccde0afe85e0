"""Updates without pulses: the float product, cut at the bounds of each device."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels.pulse import PulsedCells

F32 = NDArray[np.float32]


def float_update(cells: PulsedCells, x: F32, d: F32, lr: float, low: F32, high: F32) -> None:
    """Apply ``w = clip(w - lr d x^T, low, high)`` for the samples ``x`` (n, cols), ``d`` (n, rows) in order.

    ``low`` and ``high`` are the bounds (rows, cols). The weights that reads see get new write noise after each sample.
    Source: AIHWKit's pulse type ``NoneWithDevice``.
    """
    weight = cells.weight[:, : x.shape[1]]
    for x_sample, d_sample in zip(x, d, strict=True):
        np.subtract(weight, np.float32(lr) * d_sample[:, None] * x_sample, out=weight)
        np.clip(weight, low, high, out=weight)
        if cells.apparent is not None:
            cells.apply_write_noise()
