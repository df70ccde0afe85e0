"""Digital SGD: float weights in the buffer, everything on the digital unit. The yardstick of the analog algorithms."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.chip import Chip
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.operations import DigitalUpdate
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, AlgorithmParameters, Emits
from hwsim.training.streams import generator


class DigitalSgdParameters(AlgorithmParameters):
    """Parameters of digital SGD."""

    gradient_noise: float = Field(0.0, ge=0)
    """Standard deviation of the Gaussian noise that is added to every weight's gradient of a mini-batch, as the theory
    of stochastic gradients has it. It costs no time and no energy."""


@ALGORITHMS.register("digital-sgd")
class DigitalSgd(Algorithm):
    """Plain SGD in float32, ``W -= lr d x^T`` summed over the mini-batch, on the digital unit."""

    Parameters = DigitalSgdParameters
    parameters: DigitalSgdParameters

    def __init__(self, parameters: DigitalSgdParameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self._noise: dict[str, np.random.Generator] = {}

    def place(self, layer: str, weights: np.ndarray) -> DigitalMatrix:
        """Keep the weights in the buffer."""
        self._noise[layer] = generator(self.seed, f"gradient-noise/{layer}")
        return self.chip.place_digital(layer, weights)

    def update(self, matrix: DigitalMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit one digital update."""
        spread = self.parameters.gradient_noise
        noise = spread * self._noise[matrix.name].standard_normal(matrix.shape, np.float32) if spread else None
        yield DigitalUpdate(matrix, x, d, lr, noise)
