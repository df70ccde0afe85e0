"""What Tiki-Taka with choppers shares: signs on the lines of the fast array, its learning rate, the size of a step."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from pydantic import Field, field_validator, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.operations import Operation, Update
from hwsim.devices import largest_magnitudes
from hwsim.training.algorithms.base import Emits
from hwsim.training.algorithms.hidden_buffer import SLOW, HiddenBufferAlgorithm, HiddenBufferParameters
from hwsim.training.algorithms.transfer import FAST
from hwsim.training.operations import operations
from hwsim.training.streams import generator


class ChoppedParameters(HiddenBufferParameters):
    """Parameters of Tiki-Taka with choppers, with the names and defaults of AIHWKit's ``ChoppedTransferCompound``.

    ``thres_scale``, which AIHWKit's class inherits and never uses, is left out.
    """

    gamma: float = Field(0.0, ge=0)
    """Weight of the fast array in reads, with the choppers' signs taken off: W = gamma (c_out c_in^T) * A + C."""
    transfer_every: float = 1.0
    """Samples (or mini-batches) between two transfers. Below 0: chosen so that a sweep over all columns takes as many
    samples as the fast array has states, times the magnitude of this number; always in samples."""
    units_in_mbatch: bool = False
    """True: ``transfer_every`` counts mini-batches (rounded up to samples); False: samples."""
    momentum: float = Field(0.0, ge=0, le=1)
    """Share of the buffer that stays where it was written."""
    in_chop_prob: float = Field(0.1, ge=0, le=1)
    """Probability that a column's sign flips after its transfer; 0 without choppers."""
    buffer_granularity: float = Field(1.0, gt=0)
    """Threshold of the buffer in units of the fast array's step."""
    auto_granularity: float = Field(0.0, ge=0)
    """Above 0: the threshold is multiplied by this over the samples of a sweep, columns times ``transfer_every``."""
    auto_scale: bool = False
    """True: ``fast_lr`` is the share of a full pulse train that a mean sample takes: lr_A = fast_lr desired_bl dw_min /
    (mean of max|x| times mean of max|d|) (Rasch et al., Nat. Commun. 15:7133, 2024, eq. 15)."""
    auto_momentum: float = Field(0.99, ge=0, lt=1)
    """Momentum of those running means, for a mini-batch."""
    correct_gradient_magnitudes: bool = False
    """True: what is transferred is divided by lr_A and measured in steps of the slow array, so that the size of the
    transferred gradient does not depend on the fast array."""

    @model_validator(mode="after")
    def _share_of_a_train(self) -> ChoppedParameters:
        if self.auto_scale and self.fast_lr == 0:
            raise ValueError("fast_lr must be above 0 with auto_scale, where it is a share of a pulse train")
        return self

    @field_validator("transfer_every")
    @classmethod
    def _not_zero(cls, value: float) -> float:
        if value == 0:
            raise ValueError("transfer_every must not be 0: above 0 it is an interval, below 0 a share of the states")
        return value

    @property
    def chop_period(self) -> int:
        """Sweeps between two regular flips."""
        return max(ceil(1 / self.in_chop_prob), 2)


@dataclass
class Choppers:
    """Signs of a layer's lines, +1 or -1, and the running means of its inputs.

    ``line_signs`` are those of the transferred lines (AIHWKit's in-choppers), ``cell_signs`` those of the lines
    across (out-choppers). ``means`` holds the means of max|x| and max|d|, ``rate`` the last learning rate of the fast
    array, ``sweeps`` how often the whole matrix has been transferred.
    """

    line_signs: np.ndarray
    cell_signs: np.ndarray
    means: np.ndarray
    rate: float = 0.0
    sweeps: int = 0


def follow(mean: np.float32, largest: np.float32, share: float) -> np.float32:
    """Return the running mean after one more value, which counts with ``share``; zeros do not, the first starts it."""
    if largest <= 0:
        return mean
    return np.float32(1 - share) * mean + np.float32(share) * largest if mean > 0 else largest


class ChoppedAlgorithm(HiddenBufferAlgorithm):
    """Base of c-TTv2 and AGAD: gradients go to the fast array with the choppers' signs.

    Flipping the signs of a line lets the array's offset, of its symmetric point or of its read, average out in H.
    """

    parameters: ChoppedParameters
    out_chopped = False

    def __init__(self, parameters: Any, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.choppers: dict[str, Choppers] = {}

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place a fast array at zero, a slow one with the weights, H at zero and all signs at +."""
        matrix = self.place_buffered(layer, weights, (self.parameters.gamma, 1.0))
        lines, length = self.extent(matrix)
        digital = self.digital[layer]
        # Without choppers, or without running means, they take no room in the buffer.
        self.choppers[layer] = Choppers(
            digital.signs("line signs", lines if self.parameters.in_chop_prob else 0),
            digital.signs("cell signs", length if self.out_chopped else 0),
            digital.numbers("running means", (2 if self.parameters.auto_scale else 0,)),
        )
        return matrix

    def periods(self, matrix: AnalogMatrix, batch: int) -> list[int]:
        """Return the samples between two transfers."""
        every = self.parameters.transfer_every
        if every < 0:
            return [max(1, round(matrix.n_states(FAST) / self.extent(matrix)[0] * -every))]
        return super().periods(matrix, batch)

    # Gradients

    def gradient(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the pulsed updates of the fast array, each line with its sign."""
        rates: float | np.ndarray = self.fast_rate(lr)
        if self.parameters.auto_scale:
            rates = yield from self._scaled_rates(matrix, x, d)
        if self.parameters.in_chop_prob or self.out_chopped:
            x, d = yield from self._chopped(matrix, x, d)
        self.choppers[matrix.name].rate = float(np.ravel(rates)[-1])
        yield Update(matrix, FAST, x, d, rates, self.parameters.update)

    def _scaled_rates(
        self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray
    ) -> Generator[Operation, Any, np.ndarray]:
        """Learning rates of the samples from the running means of their largest values; zeros do not count."""
        options = self.parameters
        means = self.choppers[matrix.name].means
        share = (1 - options.auto_momentum) / self.states[matrix.name].batch
        full_train = options.fast_lr * options.update.desired_bl * matrix.granularity(FAST)

        def compute() -> np.ndarray:
            rates = np.empty(len(x))
            mean_x, mean_d = means
            for sample, (x_max, d_max) in enumerate(zip(largest_magnitudes(x), largest_magnitudes(d), strict=True)):
                mean_x, mean_d = follow(mean_x, x_max, share), follow(mean_d, d_max, share)
                rates[sample] = full_train / (mean_x * mean_d if mean_x and mean_d else 1.0)
            means[:] = mean_x, mean_d
            return rates

        # Two running means of two products and a sum, their product, and the division by it. The largest values are
        # those that update management looks for.
        means_used = {"running means": 2}
        return (
            yield self.digital[matrix.name].work(
                "auto scale", compute, phase="update", n=len(x), read=means_used, written=means_used,
                operations=operations(mul=5, add=2, div=1), expected=lambda: np.full(len(x), full_train),
            )
        )  # fmt: skip

    def _chopped(
        self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray
    ) -> Generator[Operation, Any, tuple[np.ndarray, np.ndarray]]:
        """Apply the signs: a sign is a bit that each line's pulse generator takes; no arithmetic."""
        rows, cols = self.signs(matrix)
        choppers = self.choppers[matrix.name]
        read = {"line signs": len(choppers.line_signs), "cell signs": len(choppers.cell_signs)}
        return (
            yield self.digital[matrix.name].work(
                "choppers", lambda: (x * cols, d * rows), phase="update", n=len(x), read=read, expected=lambda: (x, d)
            )
        )

    def signs(self, matrix: AnalogMatrix) -> tuple[np.ndarray, np.ndarray]:
        """Return the (rows,) and (cols,) signs of the fast array."""
        choppers = self.choppers[matrix.name]
        lines, length = self.extent(matrix)
        of_lines = choppers.line_signs if len(choppers.line_signs) else np.ones(lines, np.float32)
        of_cells = choppers.cell_signs if len(choppers.cell_signs) else np.ones(length, np.float32)
        return (of_cells, of_lines) if self.parameters.transfer_columns else (of_lines, of_cells)

    # Transfers

    def signs_along(self, matrix: AnalogMatrix, index: int) -> np.ndarray:
        """Return the signs of the cells of one transferred line."""
        rows, cols = self.signs(matrix)
        return rows * cols[index] if self.parameters.transfer_columns else cols * rows[index]

    def transfer_scale(self, matrix: AnalogMatrix, lr: float) -> float:
        """Return what a read is multiplied with before it goes to H, whose steps are then whole numbers.

        ``lr_T / bg`` with ``bg = buffer_granularity dw_min(A)``, times ``auto_granularity / (columns transfer_every)``
        if that is above 0; with ``correct_gradient_magnitudes`` ``lr_T / (lr_A bg dw_min(C) / dw_min(A))``.
        """
        options = self.parameters
        granularity = options.buffer_granularity * matrix.granularity(FAST)
        if options.auto_granularity:
            granularity *= options.auto_granularity / (self.extent(matrix)[0] * abs(options.transfer_every))
        if options.correct_gradient_magnitudes:
            granularity *= self.choppers[matrix.name].rate * matrix.granularity(SLOW) / matrix.granularity(FAST)
        return self.transfer_rate(lr) * (options.gamma or 1.0) / granularity

    def drawn(self, matrix: AnalogMatrix, purpose: str, n: int) -> np.ndarray:
        """Return ``n`` uniform numbers of the transfer at work."""
        transfer = self.states[matrix.name].transfers[0]
        return generator(self.seed, f"{purpose}/{matrix.name}", transfer).random(n)

    def flip(self, matrix: AnalogMatrix, index: int) -> None:
        """Flip the sign of a transferred line."""
        self.choppers[matrix.name].line_signs[index] *= -1
        self.show_signs(matrix)

    def show_signs(self, matrix: AnalogMatrix) -> None:
        """Let the reads of the layer see the fast array with its signs taken off."""
        if self.parameters.gamma:
            matrix.set_polarity(FAST, *(signs.copy() for signs in self.signs(matrix)))

    def finish_transfer(self, matrix: AnalogMatrix, index: int) -> None:
        """Count a transfer, and a sweep after the last line."""
        self.states[matrix.name].transfers[0] += 1
        if index == self.extent(matrix)[0] - 1:
            self.choppers[matrix.name].sweeps += 1
