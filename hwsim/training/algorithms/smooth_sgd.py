"""The smooth dynamic of Analog SGD in float: what the theory says of pulses, to hold against what pulses do."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.chip.chip import Chip
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.operations import DigitalUpdate
from hwsim.training.algorithms.base import ALGORITHMS, Algorithm, Emits
from hwsim.training.algorithms.digital_sgd import DigitalSgdParameters
from hwsim.training.streams import generator


class SmoothSgdParameters(DigitalSgdParameters):
    """Parameters of the smooth dynamic."""

    tau: float = Field(1.0, gt=0)
    """Saturation level of the symmetric linear device that it stands for."""


@ALGORITHMS.register("smooth-analog-sgd")
class SmoothSgd(Algorithm):
    """Analog SGD as a smooth dynamic: ``W -= lr (g + e) + (lr / tau) |g + e| W`` in float32.

    Eq. 3 of Wu, Gokmen, Rasch, Chen (NeurIPS 2024, arXiv 2406.12774), with g the gradient of the mini-batch and e the
    gradient noise. It has no devices and no pulses; time and energy are those of digital SGD.
    """

    Parameters = SmoothSgdParameters
    parameters: SmoothSgdParameters

    def __init__(self, parameters: SmoothSgdParameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self._noise: dict[str, np.random.Generator] = {}

    def place(self, layer: str, weights: np.ndarray) -> DigitalMatrix:
        """Keep the weights in the buffer, cut to +- tau."""
        self._noise[layer] = generator(self.seed, f"gradient-noise/{layer}")
        return self.chip.place_digital(layer, np.clip(weights, -self.parameters.tau, self.parameters.tau))

    def update(self, matrix: DigitalMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit one digital update."""
        spread = self.parameters.gradient_noise
        noise = spread * self._noise[matrix.name].standard_normal(matrix.shape, np.float32) if spread else None
        yield DigitalUpdate(matrix, x, d, lr, noise, self.parameters.tau)
