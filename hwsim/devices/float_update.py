"""Updates without pulses: the float product, cut at the bounds of each device."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels.pulse import PulsedCells

F32 = NDArray[np.float32]
Side = Literal["both", "up", "down"]
"""Which coincidences pulse a device: all, or those of one direction, each as an up pulse."""


def float_update(
    cells: PulsedCells, x: F32, d: F32, rates: NDArray[np.float64], low: F32, high: F32, side: Side = "both"
) -> None:
    """Apply ``w = clip(w - lr d x^T, low, high)`` for the samples ``x`` (n, cols), ``d`` (n, rows) in order.

    ``rates`` holds lr for each sample, (n,), or one for all, (1,). ``low`` and ``high`` are the bounds (rows, cols).
    ``side`` keeps the parts of the product that raise (or lower) the weight, both as increases. The weights that reads
    see get new write noise after each sample.
    Source: AIHWKit's pulse type ``NoneWithDevice``.
    """
    weight = cells.weight[:, : x.shape[1]]
    for x_sample, d_sample, lr in zip(x, d, np.broadcast_to(rates, len(x)), strict=True):
        change = np.float32(-lr) * d_sample[:, None] * x_sample
        if side != "both":
            change = np.maximum(change if side == "up" else -change, 0)
        np.add(weight, change, out=weight)
        np.clip(weight, low, high, out=weight)
        if cells.apparent is not None:
            cells.apply_write_noise()
