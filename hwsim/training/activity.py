"""Trains without numbers: the trainer's program with streams of unknown vectors, on a chip at activity fidelity."""

from __future__ import annotations

from typing import Any

import numpy as np

from hwsim.chip.activity import ActivityChip
from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.vectors import Vectors
from hwsim.spec.training import TrainingSpec
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.losses import Loss
from hwsim.training.operations import Operations
from hwsim.training.stages import Stage, make_stages, unknown
from hwsim.training.trainer import Trainer


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
    """Trains the network of a trace on a chip at activity fidelity: time and energy, no loss, no weights.

    Args:
        trace: network, loss, batch size, schedule.
        samples: training samples of an epoch.
        chip: where the network is placed.
        algorithm: how the weights are placed and updated.
        seed: seed of the algorithm's own choices.

    Raises:
        MappingError: the network does not fit the chip; the message says what would.
        UsageError: the statistics lack a layer.
    """

    chip: ActivityChip

    def __init__(self, trace: TrainingSpec, samples: int, chip: ActivityChip, algorithm: Algorithm, seed: int) -> None:
        self._n_samples = samples
        super().__init__(trace, None, chip, algorithm, seed)  # type: ignore[arg-type]

    def _loss(self) -> Loss:
        return ExpectedLoss(super()._loss())

    @property
    def samples_per_epoch(self) -> int:
        """Training samples."""
        return self._n_samples

    def _stages(self) -> list[Stage]:
        return make_stages(self.trace.network, unknown)

    def _place_matrices(self) -> None:
        for stage in self._matrix_stages():
            # A matrix of zeros that takes no memory: only its shape is looked at.
            zeros = np.broadcast_to(np.float32(0), stage.spec.matrix)
            stage.matrix = self.algorithm.place(stage.spec.name, zeros)
            if isinstance(stage.matrix, AnalogMatrix):
                self.chip.expectations(stage.spec.name).check(backward=stage.wanted)

    def _samples(self, indices: np.ndarray) -> tuple[Any, Any]:
        shape = self.trace.network.input.shape
        return Vectors(len(indices) * shape.positions, shape.channels), Vectors(len(indices), 1)

    def evaluate(self) -> tuple[float, float]:
        """Return NaN for loss and accuracy: nothing has been learnt."""
        return float("nan"), float("nan")

    def weights(self) -> dict[str, np.ndarray]:
        """Return nothing: no weights are kept."""
        return {}
