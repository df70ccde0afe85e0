"""Tiki-Taka v2: what is read from the fast array collects in a digital buffer, which writes single pulses."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import TransferRead
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.chain import ChainAlgorithm, ChainParameters
from hwsim.training.algorithms.hidden_buffer import (
    HiddenBufferAlgorithm,
    HiddenBufferParameters,
    buffer_name,
    take_steps,
)
from hwsim.training.operations import operations, plus


class TikiTakaV2Parameters(HiddenBufferParameters, ChainParameters):
    """Parameters of Tiki-Taka v2, with the names and defaults of AIHWKit's ``BufferedTransferCompound``.

    The gain of an array over that of the next one, where both are above 0, also scales what is transferred.
    """

    thres_scale: float = Field(1.0, gt=0)
    """Threshold of a buffer in units of the step of the array that it writes to."""


@ALGORITHMS.register("ttv2")
class TikiTakaV2(HiddenBufferAlgorithm, ChainAlgorithm):
    """Tiki-Taka v2 (Gokmen, Front. Artif. Intell. 2021; as AIHWKit's ``BufferedTransferCompound``).

    Gradients are pulsed onto the fast array A. At a transfer one column is read, ``v = A e_c``, and
    ``H_c += lr_T v``; where ``|H|`` has reached the threshold, ``thres_scale`` steps of the slow array C, one pulse is
    written to C and H is reduced. Nothing is written, and no cycle spent, while no element has reached it. In a chain
    each array is transferred to the next through an H of its own.
    """

    Parameters = TikiTakaV2Parameters
    parameters: TikiTakaV2Parameters

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place fast arrays at zero, a slow one with the weights, and every H at zero."""
        return self.place_buffered(layer, weights, self.parameters.gains)

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read some lines of an array into its H, and write the steps that H lets go to the next array."""
        options = self.parameters
        length = self.extent(matrix)[1]
        gain, next_gain = options.gains[level : level + 2]
        rate = self.level_rate(level, lr) * (gain / next_gain if gain > 0 and next_gain > 0 else 1.0)
        threshold = options.thres_scale * matrix.granularity(level + 1)
        self.choose_line(matrix, level)
        for read in range(options.n_reads_per_transfer):
            index = self.advance(matrix, level)
            values = yield TransferRead(matrix, level, index, self.axis)
            yield from self.reset_read(matrix, level, index, read, options.with_reset_prob)
            hidden = self.line(self.hidden[buffer_name(matrix.name, level)], index)

            def collect(hidden: np.ndarray = hidden, values: np.ndarray = values) -> np.ndarray:
                hidden += np.float32(rate) * values
                return take_steps(hidden, threshold, options)

            steps = yield self.digital[matrix.name].work(
                "hidden buffer", collect, phase="transfer", read={"H": length}, written={"H": length},
                values_in=length, values_out=length,
                operations=plus(operations(mul=length, add=length, compare=length), options.release_operations(length)),
            )  # fmt: skip
            yield from self.write_steps(matrix, index, steps, level + 1)
        self.states[matrix.name].transfers[level] += 1
