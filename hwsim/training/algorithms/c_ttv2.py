"""c-TTv2: Tiki-Taka v2 with choppers, which average the fast array's offsets out."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import TransferRead
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.chopped import ChoppedAlgorithm, ChoppedParameters
from hwsim.training.algorithms.hidden_buffer import take_steps
from hwsim.training.algorithms.transfer import FAST
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

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read a line into H with its sign, write the steps that H lets go, and flip the sign in its turn."""
        options = self.parameters
        index = self.advance(matrix, level)
        lines, length = self.extent(matrix)
        scale = self.transfer_scale(matrix, lr)
        signs = self.signs_along(matrix, index)
        values = yield TransferRead(matrix, FAST, index, self.axis)
        hidden = self.line(self.hidden[matrix.name], index)

        def collect() -> np.ndarray:
            if options.no_buffer:
                hidden[:] = 0
            hidden[:] += np.float32(scale) * signs * values
            return take_steps(hidden, 1.0, options)

        flips = self._flips(matrix)
        kept = 0 if options.no_buffer else length
        chopped = 1 if options.in_chop_prob else 0
        cells = length if options.out_chop_prob else 0
        steps = yield self.digital[matrix.name].work(
            "hidden buffer", collect, phase="transfer", values_in=length, values_out=length,
            read={"H": kept, "line signs": chopped, "cell signs": cells},
            written={"H": kept, "line signs": int(flips)},
            # A product, an addition and a threshold for each element, and the test whether the sign flips.
            operations=plus(
                operations(mul=length, add=0 if options.no_buffer else length, compare=length + chopped),
                {} if options.no_buffer else options.release_operations(length),
            ),
        )  # fmt: skip
        yield from self.write_steps(matrix, index, steps)
        if flips:
            self.flip(matrix, index)
        if options.out_chop_prob and index == lines - 1:
            yield from self._flip_cells(matrix)
        self.finish_transfer(matrix, index)

    def _flips(self, matrix: AnalogMatrix) -> bool:
        options = self.parameters
        if not options.in_chop_prob:
            return False
        if options.in_chop_random:
            return bool(self.drawn(matrix, "in-chopper", 1)[0] < options.in_chop_prob)
        return (self.choppers[matrix.name].sweeps + 1) % options.chop_period == 0

    def _flip_cells(self, matrix: AnalogMatrix) -> Emits:
        """Flip the signs across at random, at the end of a sweep."""
        signs = self.choppers[matrix.name].cell_signs

        def flip() -> None:
            signs[self.drawn(matrix, "out-chopper", len(signs)) < self.parameters.out_chop_prob] *= -1

        yield self.digital[matrix.name].work(
            "out-choppers", flip, phase="transfer", read={"cell signs": len(signs)}, written={"cell signs": len(signs)},
            operations=operations(compare=len(signs)),
        )  # fmt: skip
        self.show_signs(matrix)
