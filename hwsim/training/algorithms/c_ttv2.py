"""c-TTv2: Tiki-Taka v2 with choppers, which average the fast array's offsets out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import Digital
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.chopped import ChoppedAlgorithm, ChoppedParameters, Turn, scaled
from hwsim.training.algorithms.hidden_buffer import take_steps
from hwsim.training.operations import operations, plus


class ChoppedTtv2Parameters(ChoppedParameters):
    """Parameters of c-TTv2."""

    in_chop_random: bool = True
    """True: signs flip at random; False: every ceil(1 / ``in_chop_prob``) sweeps over the matrix (2 at least)."""
    out_chop_prob: float = Field(0.0, ge=0, le=1)
    """Probability that the sign of a row flips after a sweep."""
    no_buffer: bool = False
    """True: H forgets everything at each transfer, and only what a single read brings is written."""


@ALGORITHMS.register("c-ttv2")
class ChoppedTtv2(ChoppedAlgorithm):
    """Chopped Tiki-Taka v2 (Rasch, Carta, Fagbohungbe, Gokmen, Nat. Commun. 15:7133, 2024, arXiv 2303.04721).

    As Tiki-Taka v2, but the gradients of column j go to the fast array with the sign c_j, and what is read of it is
    multiplied by that sign before it is added to H; after its transfer the sign of a column flips with probability
    ``in_chop_prob``. A constant offset of the fast array so adds to H with both signs in turn.
    """

    Parameters = ChoppedTtv2Parameters
    parameters: ChoppedTtv2Parameters

    @property
    def out_chopped(self) -> bool:  # type: ignore[override]
        """Whether the lines across have signs as well."""
        return self.parameters.out_chop_prob > 0

    def turn(self, matrix: AnalogMatrix, line: int, scale: float) -> Turn:
        """Return the transfer of a line."""
        return Turn(line, scale, flips=self._flips(matrix))

    def _flips(self, matrix: AnalogMatrix) -> bool:
        options = self.parameters
        if not options.in_chop_prob:
            return False
        if options.in_chop_random:
            return bool(self.drawn(matrix, "in-chopper", 1)[0] < options.in_chop_prob)
        return (self.choppers[matrix.name].sweeps + 1) % options.chop_period == 0

    def collecting(self, matrix: AnalogMatrix, turn: Turn, compute: Callable[[], Any]) -> Digital:
        """Return the work of adding a line to H and of letting go of whole steps."""
        options, length = self.parameters, self.extent(matrix)[1]
        kept = 0 if options.no_buffer else length
        chopped = 1 if options.in_chop_prob else 0
        cells = length if options.out_chop_prob else 0
        return self.digital[matrix.name].work(
            "hidden buffer", compute, phase="transfer", values_in=length, values_out=length,
            read={"H": kept, "line signs": chopped, "cell signs": cells},
            written={"H": kept, "line signs": int(turn.flips)},
            # A product, an addition and a threshold for each element, and the test whether the sign flips.
            operations=plus(
                operations(mul=length, add=0 if options.no_buffer else length, compare=length + chopped),
                {} if options.no_buffer else options.release_operations(length),
            ),
        )  # fmt: skip

    def collect(self, matrix: AnalogMatrix, turns: Sequence[Turn], values: np.ndarray) -> np.ndarray:
        """Add lines to H; returns the steps that it lets go."""
        buffer, lines = self.lines(self.hidden[matrix.name]), [turn.line for turn in turns]
        hidden = np.zeros_like(values) if self.parameters.no_buffer else buffer[lines]
        hidden += scaled(turns, self.cell_signs(matrix), values)
        steps = take_steps(hidden, 1.0, self.parameters)
        buffer[lines] = hidden
        return steps

    def after_turn(self, matrix: AnalogMatrix, turn: Turn) -> Emits:
        """Emit the flips of the signs across at the end of a sweep, at random."""
        if not self.parameters.out_chop_prob or turn.line < self.extent(matrix)[0] - 1:
            return
        signs = self.choppers[matrix.name].cell_signs

        def flip() -> None:
            signs[self.drawn(matrix, "out-chopper", len(signs)) < self.parameters.out_chop_prob] *= -1

        yield self.digital[matrix.name].work(
            "out-choppers", flip, phase="transfer", read={"cell signs": len(signs)}, written={"cell signs": len(signs)},
            operations=operations(compare=len(signs)),
        )  # fmt: skip
        self.show_signs(matrix)
