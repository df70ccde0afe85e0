"""Tiki-Taka v1: gradients go to a fast array, whose columns are transferred to slower ones by reads and writes."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import TransferRead, TransferWrite
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.transfer import ResetParameters, TransferAlgorithm
from hwsim.training.streams import generator


class TikiTakaParameters(ResetParameters):
    """Parameters of Tiki-Taka v1, with the names and defaults of AIHWKit's ``TransferCompound`` (release 1.1.0)."""

    n_arrays: int = Field(2, ge=2, le=64)
    """Arrays of the chain, fastest first; the last one is the slow array."""
    gamma: float = Field(0.0, ge=0)
    """Weight of the fast array in forward and backward reads: W = gamma A + C, in a chain of n arrays the sum of
    gamma^(n-1-k) times array k. Above 0 this is residual learning v1."""
    gamma_vec: tuple[float, ...] = ()
    """Weight of each array in reads, in place of the powers of ``gamma``."""
    transfer_every_vec: tuple[float, ...] = ()
    """``transfer_every`` of each array but the last. Without it, array k waits until array k-1 has transferred all its
    columns (or rows): ``transfer_every`` times (columns / ``n_reads_per_transfer``)^k."""
    n_reads_per_transfer: int = Field(1, ge=1)
    """Columns (or rows) transferred each time, one after the other."""
    random_selection: bool = False
    """True: each transfer starts at a random column; False: they take turns."""
    transfer_lr_vec: tuple[float, ...] = ()
    """``transfer_lr`` of each array but the last."""
    transfer_update: UpdateParameters = UpdateParameters()
    """How the pulse trains of a transfer are made."""

    @model_validator(mode="after")
    def _lengths(self) -> TikiTakaParameters:
        for name, wanted, what in (
            ("gamma_vec", self.n_arrays, "array"),
            ("transfer_every_vec", self.n_arrays - 1, "array but the last"),
            ("transfer_lr_vec", self.n_arrays - 1, "array but the last"),
        ):
            given = getattr(self, name)
            if given and len(given) != wanted:
                raise ValueError(
                    f"{name} has {len(given)} numbers, but a chain of {self.n_arrays} arrays needs {wanted}, "
                    f"one for each {what}"
                )
            if name != "gamma_vec" and min(given, default=1.0) <= 0:
                raise ValueError(f"{name} must be positive throughout, got {list(given)}")
        if self.gamma_vec and self.gamma_vec[-1] == 0:
            raise ValueError("gamma_vec must not end in 0: the last array holds the weights that the network reads")
        return self


@ALGORITHMS.register("tiki-taka")
class TikiTaka(TransferAlgorithm):
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
        options = self.parameters
        powers = tuple(options.gamma**exponent for exponent in range(options.n_arrays - 1, -1, -1))
        return self.place_arrays(layer, weights, options.gamma_vec or powers)

    def periods(self, matrix: AnalogMatrix, batch: int) -> list[int]:
        """Return the samples between two transfers of each array but the last."""
        options = self.parameters
        slower = self.extent(matrix)[0] / options.n_reads_per_transfer
        powers = tuple(options.transfer_every * max(slower, 1.0) ** level for level in range(options.n_arrays - 1))
        return [self.samples(every, batch) for every in options.transfer_every_vec or powers]

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read some lines of an array and write them to the next one."""
        options = self.parameters
        state = self.states[matrix.name]
        rate = self.transfer_rate(lr)
        if options.transfer_lr_vec:
            rate *= options.transfer_lr_vec[level] / options.transfer_lr
        if options.random_selection:
            purpose = f"transfer/{matrix.name}" if level == 0 else f"transfer/{matrix.name}/{level}"
            choice = generator(self.seed, purpose, state.transfers[level]).integers(self.extent(matrix)[0])
            state.lines[level] = int(choice)
        for _ in range(options.n_reads_per_transfer):
            line = self.advance(matrix, level)
            values = yield TransferRead(matrix, level, line, self.axis)
            yield from self.reset_read(matrix, level, line, options.with_reset_prob)
            yield TransferWrite(matrix, level + 1, line, self.axis, -values, rate, options.transfer_update)
        state.transfers[level] += 1
