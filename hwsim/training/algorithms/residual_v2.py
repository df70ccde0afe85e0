"""Residual learning v2: gradients at W + gamma P, and a leaky digital buffer between the two arrays."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.digital_state import DigitalState
from hwsim.chip.operations import TransferRead, TransferWrite
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.transfer import FAST, SinglePulses, TransferAlgorithm, TransferParameters
from hwsim.training.operations import operations

SLOW = 1


class ResidualV2Parameters(TransferParameters):
    """Parameters of residual learning v2.

    ``transfer_lr`` is the paper's beta: the share of a read in the buffer, and the share that leaks. The defaults are
    the paper's settings where it has them: gamma 0.4, beta 0.01 at every learning rate, alpha the learning rate.
    """

    gamma: float = Field(0.4, ge=0)
    """Weight of the fast array P in forward and backward reads: W + gamma P."""
    fast_lr: float = Field(1.0, gt=0)
    """Learning rate of the fast array."""
    scale_fast_lr: bool = True
    """True: ``fast_lr`` is multiplied by the learning rate."""
    transfer_lr: float = Field(0.01, gt=0, le=1)
    """Share beta of a read in the buffer."""
    scale_transfer_lr: bool = False
    """True: ``transfer_lr`` is multiplied by the learning rate."""


@ALGORITHMS.register("residual-v2")
class ResidualV2(TransferAlgorithm):
    """Residual learning v2 (Wu, Xiao, Gokmen, Fagbohungbe, Chen, NeurIPS 2025, arXiv 2502.06309).

    The fast array P learns the residual at ``W + gamma P``. At a transfer one column of it is read, and
    ``H' = (1 - beta) H + beta (P + e)``; where ``|H'| >= dw_min`` one pulse of its sign is fired on the slow array W
    and ``H = H' - sign(H') dw_min``. Unlike Tiki-Taka v2's, this buffer leaks, and it keeps what is above the
    threshold: read noise stays below it, and no step of W is too coarse. P's symmetric point must be at zero, which
    the paper's exact convergence (corollary 1) asks for; ``zero_shift_pulses`` brings it there. (The paper's equations
    take the whole of P in one step; reads by columns are its hardware setting.)
    """

    Parameters = ResidualV2Parameters
    parameters: ResidualV2Parameters

    def __init__(self, parameters: ResidualV2Parameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.digital: dict[str, DigitalState] = {}
        self.hidden: dict[str, np.ndarray] = {}

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place a fast array at zero, a slow one with the weights, and H at zero."""
        matrix = self.place_arrays(layer, weights, (self.parameters.gamma, 1.0))
        self.digital[layer] = DigitalState(self.chip, layer)
        self.hidden[layer] = self.digital[layer].numbers("H", matrix.shape)
        return matrix

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read a line of P into H, and fire a pulse where H has reached a step."""
        index = self.advance(matrix, level)
        length = self.extent(matrix)[1]
        beta = np.float32(self.transfer_rate(lr))
        step = np.float32(matrix.granularity(SLOW))
        values = yield TransferRead(matrix, FAST, index, self.axis)
        hidden = self.line(self.hidden[matrix.name], index)

        def collect() -> np.ndarray:
            hidden[:] = (1 - beta) * hidden + beta * values
            pulses = np.where(np.abs(hidden) >= step, np.sign(hidden), np.float32(0))
            hidden[:] -= step * pulses
            return pulses

        # Two products and an addition for the leaky sum; a comparison and a subtraction for the step.
        pulses = yield self.digital[matrix.name].work(
            "hidden buffer", collect, phase="transfer", read={"H": length}, written={"H": length},
            values_in=length, values_out=length, operations=operations(mul=2 * length, add=2 * length, compare=length),
        )  # fmt: skip
        if np.any(pulses):
            yield TransferWrite(matrix, SLOW, index, self.axis, -pulses, float(step), SinglePulses())
