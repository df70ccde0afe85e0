"""What Tiki-Taka with choppers shares: signs on the lines of the fast array, its learning rate, the size of a step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, field_validator, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.operations import Digital, TransferRead, Update
from hwsim.chip.sweep import Stretch, Sweep
from hwsim.devices import largest_magnitudes, running_means
from hwsim.engine.rng import stream_key, uniforms
from hwsim.training.algorithms.base import Emits
from hwsim.training.algorithms.hidden_buffer import SLOW, HiddenBufferAlgorithm, HiddenBufferParameters
from hwsim.training.algorithms.transfer import FAST
from hwsim.training.operations import operations

DRAWN_TOGETHER = 256
"""Transfers whose single random numbers are drawn in one go."""


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


class Turn(NamedTuple):
    """A transfer: its line, what its read counts with, and whether steps of H may be written afterwards.

    ``flips``: the line's sign does afterwards; ``renews``: the line gets a new reference before it is collected.
    """

    line: int
    scale: float
    may_write: bool = True
    flips: bool = False
    renews: bool = False


class ChoppedAlgorithm(HiddenBufferAlgorithm):
    """Base of c-TTv2 and AGAD: gradients go to the fast array with the choppers' signs.

    Flipping the signs of a line lets the array's offset, of its symmetric point or of its read, average out in H.
    """

    parameters: ChoppedParameters
    out_chopped = False

    def __init__(self, parameters: Any, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.choppers: dict[str, Choppers] = {}

    @cached_property
    def _works(self) -> dict[Hashable, list[Digital]]:
        return {}

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
        n, rates = len(x), self.fast_rate(lr)
        if self.parameters.auto_scale:
            rates = yield self._auto_scale(matrix, n, lambda: self._scaled_rates(matrix, x, d))
        if self._is_chopped:
            x, d = yield self._chopping(matrix, x, d)
        self.choppers[matrix.name].rate = float(np.ravel(rates)[-1])
        yield Update(matrix, FAST, x, d, rates, self.parameters.update)

    @property
    def _is_chopped(self) -> bool:
        return bool(self.parameters.in_chop_prob) or self.out_chopped

    def _full_train(self, matrix: AnalogMatrix) -> float:
        """Weight change of a train of nothing but pulses, times the share of it that a mean sample takes."""
        return self.parameters.fast_lr * self.parameters.update.desired_bl * matrix.granularity(FAST)

    def _auto_scale(self, matrix: AnalogMatrix, n: int, compute: Callable[[], Any]) -> Digital:
        """Return the work of finding the learning rates of ``n`` samples."""
        # Two running means of two products and a sum, their product, and the division by it. The largest values are
        # those that update management looks for.
        means_used = {"running means": 2}
        return self.digital[matrix.name].work(
            "auto scale", compute, phase="update", n=n, read=means_used, written=means_used,
            operations=operations(mul=5, add=2, div=1), expected=lambda: np.full(n, self._full_train(matrix)),
        )  # fmt: skip

    def _scaled_rates(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray) -> np.ndarray:
        """Learning rates of the samples from the running means of their largest values; zeros do not count."""
        means = self.choppers[matrix.name].means
        share = (1 - self.parameters.auto_momentum) / self.states[matrix.name].batch
        full_train = self._full_train(matrix)
        of_x, of_d = (
            running_means(largest_magnitudes(lines), float(mean), share)
            for lines, mean in zip((x, d), means, strict=True)
        )
        means[:] = of_x[-1], of_d[-1]
        scales = of_x * of_d
        scales[(of_x == 0) | (of_d == 0)] = 1
        return (full_train / scales).astype(np.float64)

    def _chopping(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray) -> Digital:
        """Return the work of applying the signs: a sign is a bit that each line's pulse generator takes; no
        arithmetic."""
        rows, cols = self.signs(matrix)
        choppers = self.choppers[matrix.name]
        read = {"line signs": len(choppers.line_signs), "cell signs": len(choppers.cell_signs)}
        return self.digital[matrix.name].work(
            "choppers", lambda: (x * cols, d * rows), phase="update", n=len(x), read=read, expected=lambda: (x, d)
        )

    def signs(self, matrix: AnalogMatrix) -> tuple[np.ndarray, np.ndarray]:
        """Return the (rows,) and (cols,) signs of the fast array."""
        choppers = self.choppers[matrix.name]
        lines, length = self.extent(matrix)
        of_lines = choppers.line_signs if len(choppers.line_signs) else np.ones(lines, np.float32)
        of_cells = choppers.cell_signs if len(choppers.cell_signs) else np.ones(length, np.float32)
        return (of_cells, of_lines) if self.parameters.transfer_columns else (of_lines, of_cells)

    # Transfers

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read a line into H with its sign, write the steps that H lets go, and flip the sign in its turn."""
        turn = self._next_turn(matrix, level, lr)
        values = yield TransferRead(matrix, FAST, turn.line, self.axis)
        steps = yield self.collecting(matrix, turn, lambda: self.collect(matrix, [turn], values[None])[0])
        if turn.may_write:
            yield from self.write_steps(matrix, turn.line, steps)
        self._end_turn(matrix, turn)
        yield from self.after_turn(matrix, turn)

    def _next_turn(self, matrix: AnalogMatrix, level: int, lr: float) -> Turn:
        """Return the transfer that is due."""
        return self._turn(matrix, level, self.transfer_scale(matrix, lr))

    def _turn(self, matrix: AnalogMatrix, level: int, scale: float) -> Turn:
        """Return the transfer that is due, whose read counts with ``scale`` but for the sign of its line."""
        line = self.advance(matrix, level)
        signs = self.choppers[matrix.name].line_signs
        sign = float(signs[line]) if len(signs) else 1.0
        return self.turn(matrix, line, sign * scale)

    def _end_turn(self, matrix: AnalogMatrix, turn: Turn) -> None:
        """Flip the sign of the line, count the transfer, and the sweep after the last line."""
        choppers = self.choppers[matrix.name]
        if turn.flips:
            choppers.line_signs[turn.line] *= -1
            self.show_signs(matrix)
        self.states[matrix.name].transfers[0] += 1
        if turn.line == self.extent(matrix)[0] - 1:
            choppers.sweeps += 1

    @abstractmethod
    def turn(self, matrix: AnalogMatrix, line: int, scale: float) -> Turn:
        """Return what the transfer of a line does, whose read counts with ``scale``, its sign included."""

    @abstractmethod
    def collecting(self, matrix: AnalogMatrix, turn: Turn, compute: Callable[[], Any]) -> Digital:
        """Return the work of collecting what a transfer has read."""

    @abstractmethod
    def collect(self, matrix: AnalogMatrix, turns: Sequence[Turn], values: np.ndarray) -> np.ndarray:
        """Collect the lines that were read, (turns, cells), no line twice; returns the steps to be written."""

    def after_turn(self, matrix: AnalogMatrix, turn: Turn) -> Emits:  # noqa: ARG002 (most have nothing to add)
        """Emit what follows a transfer."""
        yield from ()

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

    def cell_signs(self, matrix: AnalogMatrix) -> np.ndarray:
        """Return the signs of the cells of a transferred line, (cells,)."""
        return self.signs(matrix)[0 if self.parameters.transfer_columns else 1]

    def drawn(self, matrix: AnalogMatrix, purpose: str, n: int) -> np.ndarray:
        """Return ``n`` uniform numbers of the transfer at work."""
        key, transfer = stream_key(self.seed, matrix.name, purpose), self.states[matrix.name].transfers[0]
        if n > 1:
            return uniforms(key, transfer * n, n)
        block, at = divmod(transfer, DRAWN_TOGETHER)
        known = self._drawn.get(key)
        if known is None or known[0] != block:
            known = self._drawn[key] = (block, uniforms(key, block * DRAWN_TOGETHER, DRAWN_TOGETHER))
        return known[1][at : at + 1]

    @cached_property
    def _drawn(self) -> dict[int, tuple[int, np.ndarray]]:
        return {}

    def show_signs(self, matrix: AnalogMatrix) -> None:
        """Let the reads of the layer see the fast array with its signs taken off."""
        if self.parameters.gamma:
            matrix.set_polarity(FAST, *(signs.copy() for signs in self.signs(matrix)))

    # A mini-batch as a whole

    def sweeps(self, matrix: AnalogMatrix) -> bool:
        """Return whether nothing comes between the operations of a mini-batch that a sweep does not know."""
        options = self.parameters
        return (
            options.transfer_columns
            and not self.out_chopped
            and Sweep.is_possible(self.chip, matrix, (FAST, SLOW), (options.update, options.transfer_update))
        )

    def sweep(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Sweep:
        """Return the gradients of a mini-batch and the transfers between them."""
        options, choppers = self.parameters, self.choppers[matrix.name]
        state = self.states[matrix.name]
        rates = np.full(len(x), self.fast_rate(lr))
        if options.auto_scale:
            rates = self._scaled_rates(matrix, x, d)
        signs = np.tile(self.signs(matrix)[1], (len(x), 1)) if self._is_chopped else None
        stretches, turns = [], []
        scale = 0.0 if options.correct_gradient_magnitudes else self.transfer_scale(matrix, lr)
        for part, due in state.cadence.split(len(x), state.periods):
            choppers.rate = float(rates[part.stop - 1])
            if not due:
                stretches.append(Stretch(part))
                continue
            if options.correct_gradient_magnitudes:
                scale = self.transfer_scale(matrix, lr)
            turn = self._turn(matrix, due[0], scale)
            turns.append(turn)
            stretches.append(Stretch(part, turn.line, turn.may_write, self._work_after(matrix, turn)))
            self._end_turn(matrix, turn)
            if turn.flips and signs is not None:
                signs[part.stop :, turn.line] *= -1
        vectors = (x, d) if signs is None else (x * signs, d)
        return Sweep(
            matrix, (FAST, SLOW), stretches, vectors, rates, options.update, partial(self._work_before, matrix),
            partial(self._collect_in_runs, matrix, turns), self.write_rate(matrix), options.transfer_update,
        )  # fmt: skip

    def _work_before(self, matrix: AnalogMatrix, n: int) -> Sequence[Digital]:
        """Return the digital work before the update of ``n`` samples."""

        def works() -> list[Digital]:
            found = [self._auto_scale(matrix, n, nothing)] if self.parameters.auto_scale else []
            if self._is_chopped:
                x, d = (np.zeros((n, lines), np.float32) for lines in matrix.shape[::-1])
                found.append(self._chopping(matrix, x, d))
            return found

        return self._known((matrix.name, n), works)

    def _work_after(self, matrix: AnalogMatrix, turn: Turn) -> Digital:
        """Return the digital work of a transfer."""
        asked = (matrix.name, turn.flips, turn.renews)
        (work,) = self._known(asked, lambda: [self.collecting(matrix, turn, nothing)])
        return work

    def _known(self, asked: Hashable, make: Callable[[], list[Digital]]) -> Sequence[Digital]:
        """Return digital work that comes again and again, made once."""
        known = self._works.get(asked)
        if known is None:
            known = self._works[asked] = make()
        return known

    def _collect_in_runs(self, matrix: AnalogMatrix, turns: Sequence[Turn], values: np.ndarray) -> np.ndarray:
        """Collect the lines that were read; a line that comes again begins a new run."""
        steps = np.zeros_like(values)
        lines = self.extent(matrix)[0]
        for first in range(0, len(turns), lines):
            run = slice(first, first + lines)
            steps[run] = self.collect(matrix, turns[run], values[run])
        return steps


def nothing() -> None:
    """Do what has been done already."""


def scaled(turns: Sequence[Turn], signs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return what was read, (turns, cells), with the scale of each transfer and the signs of the cells."""
    scales = np.array([turn.scale for turn in turns], np.float32)
    return scales[:, None] * signs * values
