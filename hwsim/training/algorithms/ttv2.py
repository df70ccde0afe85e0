"""Tiki-Taka v2: what is read from the fast array collects in a digital buffer, which writes single pulses."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import TransferRead
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.hidden_buffer import (
    SLOW,
    HiddenBufferAlgorithm,
    HiddenBufferParameters,
    take_steps,
)
from hwsim.training.algorithms.transfer import FAST, ResetParameters
from hwsim.training.operations import operations, plus
from hwsim.training.streams import generator


class TikiTakaV2Parameters(HiddenBufferParameters, ResetParameters):
    """Parameters of Tiki-Taka v2, with the names and defaults of AIHWKit's ``BufferedTransferCompound``."""

    gamma: float = Field(0.0, ge=0)
    """Weight of the fast array in forward and backward reads: W = gamma A + C. Above 0 it also scales what is
    transferred."""
    n_reads_per_transfer: int = Field(1, ge=1)
    """Columns (or rows) transferred each time, one after the other."""
    random_selection: bool = False
    """True: each transfer starts at a random column; False: they take turns."""
    thres_scale: float = Field(1.0, gt=0)
    """Threshold of the buffer in units of the slow array's step."""


@ALGORITHMS.register("ttv2")
class TikiTakaV2(HiddenBufferAlgorithm):
    """Tiki-Taka v2 (Gokmen, Front. Artif. Intell. 2021; as AIHWKit's ``BufferedTransferCompound``).

    Gradients are pulsed onto the fast array A. At a transfer one column is read, ``v = A e_c``, and
    ``H_c += lr_T v``; where ``|H|`` has reached the threshold, ``thres_scale`` steps of the slow array C, one pulse is
    written to C and H is reduced. Nothing is written, and no cycle spent, while no element has reached it.
    """

    Parameters = TikiTakaV2Parameters
    parameters: TikiTakaV2Parameters

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place a fast array at zero, a slow one with the weights, and H at zero."""
        return self.place_buffered(layer, weights, self.parameters.gamma)

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read some lines of the fast array into H, and write the steps that H lets go."""
        options = self.parameters
        state = self.states[matrix.name]
        lines, length = self.extent(matrix)
        rate = self.transfer_rate(lr) * (options.gamma or 1.0)
        threshold = options.thres_scale * matrix.granularity(SLOW)
        if options.random_selection:
            choice = generator(self.seed, f"transfer/{matrix.name}", state.transfers[level]).integers(lines)
            state.lines[level] = int(choice)
        for _ in range(options.n_reads_per_transfer):
            index = self.advance(matrix)
            values = yield TransferRead(matrix, FAST, index, self.axis)
            yield from self.reset_read(matrix, FAST, index, options.with_reset_prob)
            hidden = self.line(self.hidden[matrix.name], index)

            def collect(hidden: np.ndarray = hidden, values: np.ndarray = values) -> np.ndarray:
                hidden += np.float32(rate) * values
                return take_steps(hidden, threshold, options)

            steps = yield self.digital[matrix.name].work(
                "hidden buffer", collect, phase="transfer", read={"H": length}, written={"H": length},
                values_in=length, values_out=length,
                operations=plus(operations(mul=length, add=length, compare=length), options.release_operations(length)),
            )  # fmt: skip
            yield from self.write_steps(matrix, index, steps)
        state.transfers[level] += 1
