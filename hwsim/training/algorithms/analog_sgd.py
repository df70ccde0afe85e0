"""Analog SGD: every sample's rank-1 update is pulsed onto the array that forward and backward read."""

from __future__ import annotations

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import Update
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters, Emits


class AnalogSgdParameters(AlgorithmParameters):
    """Parameters of Analog SGD."""

    update: UpdateParameters = UpdateParameters()
    """How the pulse trains of the gradient are made."""


@ALGORITHMS.register("analog-sgd")
class AnalogSgd(Algorithm):
    """Plain SGD by pulses, one rank-1 update a sample.

    On an asymmetric device it does not converge to the right weights: the mean step is
    ``-lr g - (lr/tau) |g + e| W`` (Wu, Gokmen, Rasch, Chen, NeurIPS 2024, arXiv 2406.12774, eq. 3).
    """

    Parameters = AnalogSgdParameters

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place one array."""
        return self.chip.place_analog(layer, weights, arrays=1, gains=(1.0,))

    def update(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit one stream of pulsed updates."""
        yield Update(matrix, 0, x, d, lr, self.parameters.update)
