"""Digital SGD: float weights in the buffer, everything on the digital unit. The yardstick of the analog algorithms."""

from __future__ import annotations

import numpy as np

from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.operations import DigitalUpdate
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters, Emits


class DigitalSgdParameters(AlgorithmParameters):
    """Digital SGD has no parameters of its own."""


@ALGORITHMS.register("digital-sgd")
class DigitalSgd(Algorithm):
    """Plain SGD in float32, ``W -= lr d x^T`` summed over the mini-batch, on the digital unit."""

    Parameters = DigitalSgdParameters

    def place(self, layer: str, weights: np.ndarray) -> DigitalMatrix:
        """Keep the weights in the buffer."""
        return self.chip.place_digital(layer, weights)

    def update(self, matrix: DigitalMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit one digital update."""
        yield DigitalUpdate(matrix, x, d, lr)
