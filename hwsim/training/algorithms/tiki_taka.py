"""Tiki-Taka v1: gradients go to a fast array, whose columns are transferred to slower ones by reads and writes."""

from __future__ import annotations

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import TransferRead, TransferWrite
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.chain import ChainAlgorithm, ChainParameters


class TikiTakaParameters(ChainParameters):
    """Parameters of Tiki-Taka v1, with the names and defaults of AIHWKit's ``TransferCompound`` (release 1.1.0)."""

    transfer_update: UpdateParameters = UpdateParameters()
    """How the pulse trains of a transfer are made."""


@ALGORITHMS.register("tiki-taka")
class TikiTaka(ChainAlgorithm):
    """Tiki-Taka v1 (Gokmen & Haensch, Front. Neurosci. 2020; its exact convergence: Wu et al., NeurIPS 2024).

    Per sample the fast array A takes ``A -= lr_A d x^T`` by pulses. After every ``transfer_every`` mini-batches one
    column of A is read through the converters, ``v = A e_c``, and written to the slow array C by pulses of
    ``C += lr_C v e_c^T``; in a chain each array is transferred to the next. (The paper, arXiv 2406.12774, writes A with
    the opposite sign.) AIHWKit 1.1.0 slows array k by the number of rows where its documentation says columns; here it
    is the number of lines that are transferred.
    """

    Parameters = TikiTakaParameters
    parameters: TikiTakaParameters

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place fast arrays at zero and a slow one with the weights."""
        return self.place_chain(layer, weights)

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read some lines of an array and write them to the next one."""
        options = self.parameters
        rate = self.level_rate(level, lr)
        self.choose_line(matrix, level)
        for read in range(options.n_reads_per_transfer):
            line = self.advance(matrix, level)
            values = yield TransferRead(matrix, level, line, self.axis)
            yield from self.reset_read(matrix, level, line, read, options.with_reset_prob)
            yield TransferWrite(matrix, level + 1, line, self.axis, -values, rate, options.transfer_update)
        self.states[matrix.name].transfers[level] += 1
