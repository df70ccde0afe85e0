"""The Manhattan rule: every sample moves every weight by the same small step, against the sign of its gradient."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import Update
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms import Algorithm, AlgorithmParameters
from hwsim.training.algorithms.base import Emits


class ManhattanParameters(AlgorithmParameters):
    """Parameters of the Manhattan rule."""

    step: float = Field(0.01, gt=0)
    """Mean change of a weight by a sample, in units of the learning rate."""
    update: UpdateParameters = UpdateParameters()
    """How the pulse trains are made."""


class Manhattan(Algorithm):
    """Manhattan rule (Zamanidoost, Bayat, Strukov, Kataeva, 2015): ``w -= step lr sign(d x^T)`` by pulses."""

    Parameters = ManhattanParameters

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place one array."""
        return self.chip.place_analog(layer, weights, arrays=1, gains=(1.0,))

    def update(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit one stream of pulsed updates by signs."""
        yield Update(matrix, 0, np.sign(x), np.sign(d), self.parameters.step * lr, self.parameters.update)
