"""The digital buffer H of Tiki-Taka v2: it collects what is read, and lets go of whole steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.digital_state import DigitalState
from hwsim.chip.operations import TransferWrite
from hwsim.training.algorithms.base import Emits
from hwsim.training.algorithms.transfer import SinglePulses, TransferAlgorithm, TransferParameters
from hwsim.training.operations import Operations, operations

SLOW = 1


class HiddenBufferParameters(TransferParameters):
    """Parameters of the buffer H and of the pulses that it lets go."""

    step: float = Field(1.0, gt=0)
    """Size of a written step in units of the slow array's step; below 1 a pulse comes with that probability."""
    momentum: float = Field(0.1, ge=0, le=1)
    """Share of the buffer that stays where it was written."""
    forget_buffer: bool = True
    """True: where it was written the buffer is multiplied by ``momentum``; False: (1 - ``momentum``) times the written
    steps are subtracted."""
    transfer_update: SinglePulses = SinglePulses()
    """How the pulses of a transfer are made; at most ``desired_bl`` steps are written at a time."""

    def release_operations(self, n: int) -> Operations:
        """Return the work of letting go of the steps of ``n`` elements; clearing them (``momentum`` 0) is free."""
        if not self.forget_buffer:
            return operations(add=n)
        return operations(mul=n if self.momentum else 0)


def take_steps(buffer: np.ndarray, threshold: float, options: HiddenBufferParameters, cap: float = 0.0) -> np.ndarray:
    """Return the whole steps in ``buffer`` and take them out of it, in place.

    ``n = clip(trunc(H / threshold), +-desired_bl)``; where n is not 0, ``H *= momentum`` (``forget_buffer``) or
    ``H -= (1 - momentum) n threshold``, which stays within +- ``cap`` thresholds if ``cap`` is positive. (AIHWKit's
    Python class ``TorchTransferTile`` sets H to the momentum where its kernels multiply; this is the kernels' rule.)
    """
    limit = options.transfer_update.desired_bl
    steps = np.trunc(buffer / np.float32(threshold))
    if not steps.any():
        return steps
    np.minimum(np.maximum(steps, -limit, out=steps), limit, out=steps)
    written = steps != 0
    if options.forget_buffer:
        buffer[written] *= np.float32(options.momentum)
    else:
        buffer -= np.float32((1 - options.momentum) * threshold) * steps
        if cap > 0:
            buffer[written] = np.clip(buffer[written], -cap * threshold, cap * threshold)
    return steps


class HiddenBufferAlgorithm(TransferAlgorithm):
    """Base of the algorithms that keep a buffer H, of the layer's shape, between fast and slow array."""

    parameters: HiddenBufferParameters

    def __init__(self, parameters: Any, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.digital: dict[str, DigitalState] = {}
        self.hidden: dict[str, np.ndarray] = {}

    def place_buffered(self, layer: str, weights: np.ndarray, gains: Sequence[float]) -> AnalogMatrix:
        """Place arrays that count with ``gains`` in reads, the last one with the weights, and an H between any two."""
        matrix = self.place_arrays(layer, weights, gains)
        self.digital[layer] = DigitalState(self.chip, layer)
        for level in range(len(gains) - 1):
            self.hidden[buffer_name(layer, level)] = self.digital[layer].numbers("H", matrix.shape)
        return matrix

    def write_rate(self, matrix: AnalogMatrix, array: int = SLOW) -> float:
        """Return the learning rate of written steps."""
        return self.parameters.step * matrix.granularity(array)

    def write_steps(self, matrix: AnalogMatrix, line: int, steps: np.ndarray, array: int = SLOW) -> Emits:
        """Emit the pulses of ``steps`` on one line of a slower array; none, and no cycle, if all are 0."""
        if np.any(steps):
            rate = self.write_rate(matrix, array)
            yield TransferWrite(matrix, array, line, self.axis, -steps, rate, self.parameters.transfer_update)


def buffer_name(layer: str, level: int) -> str:
    """Return the key of a layer's H between arrays ``level`` and ``level + 1``."""
    return layer if level == 0 else f"{layer}/{level}"
