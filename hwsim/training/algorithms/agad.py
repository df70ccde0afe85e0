"""AGAD: choppers with a reference that the array's own past provides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.operations import Digital
from hwsim.training.algorithms.base import ALGORITHMS
from hwsim.training.algorithms.chopped import ChoppedAlgorithm, ChoppedParameters, Turn, scaled
from hwsim.training.algorithms.hidden_buffer import take_steps
from hwsim.training.algorithms.transfer import FAST
from hwsim.training.operations import operations, plus


class AgadParameters(ChoppedParameters):
    """Parameters of AGAD, with the names and defaults of AIHWKit's ``DynamicTransferCompound``.

    (Its documentation speaks of a significance test; neither its code nor the paper has one.)
    """

    in_chop_prob: float = Field(0.1, gt=0, le=1)
    """A column's sign flips every ceil(1 / ``in_chop_prob``) transfers (2 at least)."""
    in_chop_random: bool = False
    """True: signs flip also at random, with probability ``in_chop_prob`` after a transfer."""
    tail_weightening: float = Field(5.0, gt=0)
    """Weight of the last reads of a period in the mean: beta = ``tail_weightening`` / period, 1 at most."""
    buffer_cap: float = Field(0.0, ge=0)
    """Above 0, without ``forget_buffer``: the largest content of a written element, in units of the largest write."""
    experimental_correct_accumulation: bool = False
    """True: a read counts less the later it comes in a period, by its number in it."""


@ALGORITHMS.register("agad")
class Agad(ChoppedAlgorithm):
    """Analog gradient accumulation with dynamic reference (Rasch et al., Nat. Commun. 15:7133, 2024).

    As c-TTv2, but what is read is compared with the mean of the column's previous chopper period:
    ``H_c += c_c (A v_c - Pref_c)``, ``P_c <- (1 - beta) P_c + beta A v_c``, and ``Pref_c <- P_c`` when the sign has
    flipped. So no array needs a symmetric point at zero. (Eq. 13 of the paper prints the mean with a minus sign; the
    published code adds.) The slow array is written only after the first period, when there is a reference.
    """

    Parameters = AgadParameters
    parameters: AgadParameters

    def __init__(self, parameters: AgadParameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.means: dict[str, np.ndarray] = {}
        self.references: dict[str, np.ndarray] = {}
        self.flipped: dict[str, Any] = {}

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place the arrays, H and the signs; mean and reference start at zero."""
        matrix = super().place(layer, weights)
        digital = self.digital[layer]
        self.means[layer] = digital.numbers("P", matrix.shape)
        self.references[layer] = digital.numbers("Pref", matrix.shape)
        self.flipped[layer] = np.zeros(self.extent(matrix)[0], dtype=bool)
        return matrix

    def turn(self, matrix: AnalogMatrix, line: int, scale: float) -> Turn:
        """Return the transfer of a line."""
        options, name = self.parameters, matrix.name
        sweeps = self.choppers[name].sweeps
        in_period = sweeps % options.chop_period + 1
        if options.experimental_correct_accumulation:
            scale /= min(in_period, 1 / matrix.granularity(FAST))
        flips = in_period == options.chop_period
        if options.in_chop_random:
            flips = flips or bool(self.drawn(matrix, "in-chopper", 1)[0] < options.in_chop_prob)
        renews = bool(self.flipped[name][line])
        self.flipped[name][line] = flips
        return Turn(line, scale, sweeps > options.chop_period, flips, renews)

    def collecting(self, matrix: AnalogMatrix, turn: Turn, compute: Callable[[], Any]) -> Digital:
        """Return the work of adding a line to H against its reference, of its mean, and of letting go of steps."""
        length = self.extent(matrix)[1]
        return self.digital[matrix.name].work(
            "hidden buffer", compute, phase="transfer", values_in=length, values_out=length,
            read={"H": length, "P": length, "Pref": length, "line signs": 1},
            written={"H": length, "P": length, "Pref": length if turn.renews else 0, "line signs": int(turn.flips)},
            # Six operations an element: difference, scale, sum; two products and a sum of the mean. And the thresholds.
            operations=plus(
                operations(mul=3 * length, add=3 * length, compare=length + 1),
                self.parameters.release_operations(length),
            ),
        )  # fmt: skip

    def collect(self, matrix: AnalogMatrix, turns: Sequence[Turn], values: np.ndarray) -> np.ndarray:
        """Add lines to H against their references, and to their means; returns the steps that H lets go."""
        options, lines = self.parameters, [turn.line for turn in turns]
        buffers, means, references = (
            self.lines(numbers[matrix.name]) for numbers in (self.hidden, self.means, self.references)
        )
        renewed = [turn.line for turn in turns if turn.renews]
        references[renewed] = means[renewed]
        hidden = buffers[lines] + scaled(turns, self.cell_signs(matrix), values - references[lines])
        beta = np.float32(min(options.tail_weightening / options.chop_period, 1.0))
        means[lines] = (1 - beta) * means[lines] + beta * values
        steps = take_steps(hidden, 1.0, options, cap=options.buffer_cap * options.transfer_update.desired_bl)
        buffers[lines] = hidden
        return steps
