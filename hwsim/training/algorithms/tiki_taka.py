"""Tiki-Taka v1: gradients go to a fast array, whose columns are transferred to a slow one by reads and writes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix, Axis
from hwsim.chip.operations import TransferRead, TransferWrite, Update
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters, Emits
from hwsim.training.streams import generator

FAST, SLOW = 0, 1


class TikiTakaParameters(AlgorithmParameters):
    """Parameters of Tiki-Taka v1, with the names and defaults of AIHWKit's ``TransferCompound`` (release 1.1.0).

    The converters of the transfer read belong to the chip: ``chip.tile.transfer``.
    """

    gamma: float = Field(0.0, ge=0)
    """Weight of the fast array in forward and backward reads: W = gamma A + C. Above 0 this is residual learning v1."""
    transfer_every: float = Field(1.0, gt=0)
    """Mini-batches (or samples) between two transfers."""
    units_in_mbatch: bool = True
    """True: ``transfer_every`` counts mini-batches (rounded up to samples); False: samples."""
    n_reads_per_transfer: int = Field(1, ge=1)
    """Columns (or rows) transferred each time, one after the other."""
    transfer_columns: bool = True
    """True: columns are transferred, by forward reads; False: rows, by backward reads."""
    random_selection: bool = False
    """True: each transfer starts at a random column; False: they take turns."""
    fast_lr: float = Field(1.0, gt=0)
    """Learning rate of the fast array; absolute, as in AIHWKit 1.1.0, unless ``scale_fast_lr``."""
    scale_fast_lr: bool = False
    """True: ``fast_lr`` is multiplied by the learning rate."""
    transfer_lr: float = Field(1.0, gt=0)
    """Learning rate of the transfer onto the slow array."""
    scale_transfer_lr: bool = True
    """True: ``transfer_lr`` is multiplied by the learning rate."""
    update: UpdateParameters = UpdateParameters()
    """How the pulse trains of the gradient are made."""
    transfer_update: UpdateParameters = UpdateParameters()
    """How the pulse trains of a transfer are made."""


@dataclass
class TransferState:
    """Where a matrix stands: samples since its last transfer, the next line, and how many transfers it has had."""

    samples: int = 0
    line: int = 0
    transfers: int = 0


@ALGORITHMS.register("tiki-taka")
class TikiTaka(Algorithm):
    """Tiki-Taka v1 (Gokmen & Haensch, Front. Neurosci. 2020; its exact convergence: Wu et al., NeurIPS 2024).

    Per sample the fast array A takes ``A -= lr_A d x^T`` by pulses. After every ``transfer_every`` mini-batches one
    column of A is read through the converters, ``v = A e_c``, and written to the slow array C by pulses of
    ``C += lr_C v e_c^T``. (The paper, arXiv 2406.12774, writes A with the opposite sign.)
    """

    Parameters = TikiTakaParameters

    def __init__(self, parameters: TikiTakaParameters, chip: object, seed: int) -> None:
        super().__init__(parameters, chip, seed)  # type: ignore[arg-type]
        self.states: dict[str, TransferState] = {}

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place a fast array at zero and a slow one with the weights."""
        self.states[layer] = TransferState()
        return self.chip.place_analog(layer, weights, arrays=2, gains=(self.parameters.gamma, 1.0))

    def update(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the pulsed updates of the fast array, with transfers wherever they fall due."""
        options = self.parameters
        state = self.states[matrix.name]
        fast_lr = options.fast_lr * (lr if options.scale_fast_lr else 1.0)
        every = math.ceil(options.transfer_every * (len(x) if options.units_in_mbatch else 1))
        start = 0
        while start < len(x):
            stop = min(len(x), start + max(every - state.samples, 1))
            yield Update(matrix, FAST, x[start:stop], d[start:stop], fast_lr, options.update)
            state.samples += stop - start
            start = stop
            if state.samples >= every:
                state.samples = 0
                yield from self._transfer(matrix, state, lr)

    def _transfer(self, matrix: AnalogMatrix, state: TransferState, lr: float) -> Emits:
        options = self.parameters
        axis: Axis = "column" if options.transfer_columns else "row"
        n_lines = matrix.shape[1] if options.transfer_columns else matrix.shape[0]
        transfer_lr = options.transfer_lr * (lr if options.scale_transfer_lr else 1.0)
        if options.random_selection:
            state.line = int(generator(self.seed, f"transfer/{matrix.name}", state.transfers).integers(n_lines))
        for _ in range(options.n_reads_per_transfer):
            values = yield TransferRead(matrix, FAST, state.line, axis)
            yield TransferWrite(matrix, SLOW, state.line, axis, -values, transfer_lr, options.transfer_update)
            state.line = (state.line + 1) % n_lines
        state.transfers += 1
