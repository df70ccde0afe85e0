"""Trains without numbers: the trainer's program with streams of unknown vectors, on a chip at activity fidelity."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.chip.activity import ActivityChip
from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.vectors import Vectors
from hwsim.spec.training import TraceSpec
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.losses import Loss
from hwsim.training.operations import Operations
from hwsim.training.step import Layer
from hwsim.training.trainer import Trainer


class ExpectedLayer(Layer):
    """A layer whose vectors are unknown."""

    def activate(self, z: Any) -> Any:
        """Return a stream as wide as the matrix's outputs."""
        return z

    def is_finite(self, output: Any) -> bool:  # noqa: ARG002
        """Return True: nothing is computed that could diverge."""
        return True

    def through_activation(self, error: Any, output: Any) -> Any:  # noqa: ARG002
        """Return a stream like the error at the output."""
        return error

    def at_matrix(self, d: Any) -> Any:
        """Return a stream like the error."""
        return d

    def learn(self, d: Any, z: Any, rate: np.float32) -> None:
        """Do nothing: no numbers are kept."""


class ExpectedLoss(Loss):
    """The work of a loss; its value is NaN."""

    def __init__(self, loss: Loss) -> None:
        self._loss = loss

    def value_and_error(self, output: Any, target: Any) -> tuple[float, Any]:  # noqa: ARG002
        """Return NaN and a stream like the output."""
        return float("nan"), output

    def _value_and_error(self, output: Any, target: Any) -> tuple[np.floating[Any], Any]:  # noqa: ARG002
        return np.float64(np.nan), output

    def operations(self, width: int) -> Operations:
        """Return the operations of the loss for one vector."""
        return self._loss.operations(width)


class ActivityTrainer(Trainer):
    """Trains the network of a live trace on a chip at activity fidelity: time and energy, no loss, no weights.

    Args:
        trace: network, loss, batch size, schedule.
        samples: training samples of an epoch.
        chip: where the network is placed.
        algorithm: how the weights are placed and updated.
        seed: seed of the algorithm's own choices.

    Raises:
        MappingError: the network does not fit the chip.
        UsageError: the statistics lack a layer.
    """

    chip: ActivityChip

    def __init__(self, trace: TraceSpec, samples: int, chip: ActivityChip, algorithm: Algorithm, seed: int) -> None:
        self._n_samples = samples
        super().__init__(trace, None, chip, algorithm, seed)  # type: ignore[arg-type]

    def _loss(self) -> Loss:
        return ExpectedLoss(super()._loss())

    @property
    def samples_per_epoch(self) -> int:
        """Training samples."""
        return self._n_samples

    def _place(self) -> list[Layer]:
        layers: list[Layer] = []
        for index, spec in enumerate(self.trace.network.layers):
            # A matrix of zeros that takes no memory: only its shape is looked at.
            weights = np.broadcast_to(np.float32(0), (spec.outputs, spec.inputs))
            bias = np.zeros(spec.outputs, np.float32) if spec.bias else None
            scale = np.ones(1, np.float32) if spec.output_scale != "none" else None
            matrix = self.algorithm.place(spec.name, weights)
            if isinstance(matrix, AnalogMatrix):
                self.chip.expectations(spec.name).check(backward=index > 0)
            layers.append(ExpectedLayer(spec, matrix, bias, scale))
        return layers

    def _samples(self, indices: np.ndarray) -> tuple[Any, Any]:
        return Vectors(len(indices), self.trace.network.inputs), Vectors(len(indices), 1)

    def evaluate(self) -> tuple[float, float]:
        """Return NaN for loss and accuracy: nothing has been learnt."""
        return float("nan"), float("nan")

    def weights(self) -> dict[str, np.ndarray]:
        """Return nothing: no weights are kept."""
        return {}
