"""Mixed precision: gradients collect in a digital matrix, whole steps of it are pulsed onto the array."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from pydantic import Field, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.digital_state import DigitalState
from hwsim.chip.operations import Digital, TransferWrite
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters, Emits
from hwsim.training.operations import Operations, operations, plus
from hwsim.training.streams import generator


class MixedPrecisionParameters(AlgorithmParameters):
    """Parameters of mixed-precision training, with AIHWKit's names and defaults (``MixedPrecisionCompound``)."""

    transfer_every: float = Field(1.0, gt=0)
    """Mini-batches between two transfers, a whole number."""
    n_rows_per_transfer: int = Field(-1, ge=-1)
    """Rows transferred each time, in turn; -1: all."""
    random_row: bool = False
    """True: each transfer starts at a random row."""
    granularity: float = Field(0.0, ge=0)
    """Size of a step of the digital matrix, in weights; 0: the mean step of the devices."""
    transfer_lr: float = Field(1.0, gt=0)
    """Factor on the transferred steps."""
    n_x_bins: int = Field(0, ge=0)
    """Levels of the quantised activations, over +- their largest magnitude; 0: not quantised."""
    n_d_bins: int = Field(0, ge=0)
    """Levels of the quantised errors; 0: not quantised."""
    stoc_round_x: bool = True
    """Round activations stochastically."""
    stoc_round_d: bool = True
    """Round errors stochastically."""
    scaled: Literal["errors", "inputs"] = "errors"
    """Which of the two vectors the learning rate multiplies before the outer product, a product for each line."""
    update: UpdateParameters = UpdateParameters()
    """How the pulses of a transfer are made, with both managements on."""

    @model_validator(mode="after")
    def _check(self) -> MixedPrecisionParameters:
        if self.n_rows_per_transfer == 0:
            raise ValueError("n_rows_per_transfer must be -1 (all rows) or at least 1: with 0 nothing is ever written")
        if self.transfer_every % 1:
            raise ValueError(f"transfer_every must be a whole number of mini-batches, got {self.transfer_every!r}")
        for name in ("n_x_bins", "n_d_bins"):
            if getattr(self, name) == 1:
                raise ValueError(f"{name} must be 0 (not quantised) or at least 2: one level holds no sign")
        return self


@ALGORITHMS.register("mixed-precision")
class MixedPrecision(Algorithm):
    """Mixed-precision training (Nandakumar et al., Front. Neurosci. 14:406, 2020).

    As AIHWKit's ``MixedPrecisionCompound``: every sample adds ``lr Q(d) Q(x)^T`` to a digital matrix chi, Q being the
    quantisation. At a transfer the whole steps ``n = trunc(chi / epsilon)`` of a row are taken out of chi and pulsed
    onto the array, row by row. The price is a full digital outer product for each sample.
    """

    Parameters = MixedPrecisionParameters
    parameters: MixedPrecisionParameters

    def __init__(self, parameters: MixedPrecisionParameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.digital: dict[str, DigitalState] = {}
        self.chi: dict[str, np.ndarray] = {}
        self.waiting: dict[str, int] = {}
        self.rows: dict[str, int] = {}
        self.batches: dict[str, int] = {}
        managed = {"update_management": True, "update_bl_management": True}
        self.transfer_update = parameters.update.model_copy(update=managed)

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place one array with the weights, and chi at zero."""
        self.digital[layer] = DigitalState(self.chip, layer)
        self.chi[layer] = self.digital[layer].numbers("chi", weights.shape)
        self.waiting[layer] = self.rows[layer] = self.batches[layer] = 0
        return self.chip.place_analog(layer, weights, arrays=1, gains=(1.0,))

    def update(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the digital outer products of a mini-batch, and the transfers that are due after it."""
        name = matrix.name
        yield self._accumulate(matrix, x, d, lr)
        self.batches[name] += 1
        self.waiting[name] += len(x)
        if self.waiting[name] >= math.ceil(self.parameters.transfer_every * len(x)):
            self.waiting[name] = 0
            yield from self._transfer(matrix)

    def _accumulate(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Digital:
        options = self.parameters
        rows, cols = matrix.shape
        chi = self.chi[matrix.name]
        stream = generator(self.seed, f"quantise/{matrix.name}", self.batches[matrix.name])

        def compute() -> None:
            quantised_x = quantise(x, options.n_x_bins, stream if options.stoc_round_x else None)
            quantised_d = quantise(d, options.n_d_bins, stream if options.stoc_round_d else None)
            chi[:] += np.float32(lr) * (quantised_d.T @ quantised_x)

        # A product and a sum for each element of chi; the learning rate scales one of the vectors.
        scaled = rows if options.scaled == "errors" else cols
        work = plus(
            operations(mul=rows * cols + scaled, add=rows * cols),
            quantise_operations(cols, options.n_x_bins),
            quantise_operations(rows, options.n_d_bins),
        )
        return self.digital[matrix.name].work(
            "outer product", compute, phase="update", n=len(x), read={"chi": rows * cols},
            written={"chi": rows * cols}, values_in=rows + cols, operations=work,
        )  # fmt: skip

    def _transfer(self, matrix: AnalogMatrix) -> Emits:
        options = self.parameters
        name = matrix.name
        rows = matrix.shape[0]
        if options.random_row:
            self.rows[name] = int(generator(self.seed, f"row/{name}", self.batches[name]).integers(rows))
        for _ in range(rows if options.n_rows_per_transfer < 0 else options.n_rows_per_transfer):
            yield from self._transfer_row(matrix, self.rows[name])
            self.rows[name] = (self.rows[name] + 1) % rows

    def _transfer_row(self, matrix: AnalogMatrix, row: int) -> Emits:
        """Take the whole steps of a row out of chi and pulse them."""
        options = self.parameters
        chi = self.chi[matrix.name][row]
        size = options.granularity or matrix.granularity(0)
        cols = matrix.shape[1]

        def take() -> np.ndarray:
            steps = np.trunc(chi / np.float32(size))
            chi[:] -= np.float32(size) * steps
            return steps

        steps = yield self.digital[matrix.name].work(
            "whole steps", take, phase="transfer", read={"chi": cols}, written={"chi": cols}, values_out=cols,
            # chi is kept in units of a step, which the learning rate takes in: the whole steps are its integer part.
            operations=operations(compare=cols),
        )  # fmt: skip
        if np.any(steps):
            yield TransferWrite(matrix, 0, row, "row", steps, size * options.transfer_lr, self.transfer_update)


def quantise(values: np.ndarray, n_bins: int, stream: np.random.Generator | None) -> np.ndarray:
    """Round each vector of (n, lines) to ``n_bins`` levels over +- its largest magnitude; 0 leaves it as it is.

    ``stream`` rounds stochastically: up with the probability of the fraction. Without it, to the nearest, half to even.
    """
    if not n_bins:
        return values
    largest = np.abs(values).max(axis=1, keepdims=True)
    step = np.where(largest > 0, largest, 1) / np.float32(n_bins // 2)
    scaled = values / step
    whole = np.rint(scaled) if stream is None else np.floor(scaled + stream.random(scaled.shape, dtype=np.float32))
    return (whole * step).astype(np.float32)


def quantise_operations(lines: int, n_bins: int) -> Operations:
    """Return the work of quantising a vector: its largest magnitude, a division, two products a line."""
    return operations(compare=lines, div=1, mul=2 * lines) if n_bins else {}
