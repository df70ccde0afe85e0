"""Losses of a mini-batch and their error at the network's output, in float32, with the digital operations of a vector.

A loss is a mean as in PyTorch, and so is its error: the error of each sample carries the factor 1/n already, and one
pulsed update per sample adds up to the step of the mini-batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import RunError
from hwsim.spec.training import LossName
from hwsim.training.activations import ACTIVATIONS, Batch
from hwsim.training.operations import Operations, operations

Targets = NDArray[np.int64] | NDArray[np.float32]


class Loss(ABC):
    """A loss. ``output`` is (n, outputs); ``target`` holds classes (n,) or real targets (n, outputs)."""

    def value(self, output: Batch, target: Targets) -> float:
        """Return the mean loss of a mini-batch.

        Raises:
            RunError: it is not finite, so the training has diverged.
        """
        return self.value_and_error(output, target)[0]

    def value_and_error(self, output: Batch, target: Targets) -> tuple[float, Batch]:
        """Return the mean loss and its derivative with respect to ``output`` (n, outputs).

        Raises:
            RunError: the loss is not finite, so the training has diverged.
        """
        value, error = self._value_and_error(output, target)
        if not np.isfinite(value):
            raise RunError(f"the loss is {value}: the training has diverged; try a smaller learning rate")
        return float(value), error

    @abstractmethod
    def _value_and_error(self, output: Batch, target: Targets) -> tuple[np.floating[Any], Batch]:
        """Return loss and error, finite or not."""

    @abstractmethod
    def operations(self, width: int) -> Operations:
        """Return the operations of loss and error for one vector of ``width`` outputs."""


class NegativeLogLikelihood(Loss):
    """Mean of minus the log-probability of the right class (PyTorch: ``NLLLoss``)."""

    def _value_and_error(self, output: Batch, target: Targets) -> tuple[np.floating[Any], Batch]:
        samples = np.arange(len(output))
        error = np.zeros_like(output)
        error[samples, target] = -1 / len(output)
        return -output[samples, target].mean(dtype=np.float64), error

    def operations(self, width: int) -> Operations:  # noqa: ARG002 - one signature for all losses
        """One addition to the sum of the loss; the error is a constant."""
        return operations(add=1)


class CrossEntropy(Loss):
    """Softmax and negative log-likelihood in one (PyTorch: ``CrossEntropyLoss``)."""

    def _value_and_error(self, output: Batch, target: Targets) -> tuple[np.floating[Any], Batch]:
        log_probability = ACTIVATIONS["log_softmax"].forward(output)
        samples = np.arange(len(output))
        error = np.exp(log_probability)
        error[samples, target] -= np.float32(1)
        error *= np.float32(1 / len(output))
        return -log_probability[samples, target].mean(dtype=np.float64), error

    def operations(self, width: int) -> Operations:
        """Log-softmax, exp and scale each element, subtract 1 at the right class, add to the sum of the loss."""
        forward = ACTIVATIONS["log_softmax"].forward_operations(width)
        return operations(
            add=forward["add"] + 2, mul=width, compare=forward.get("compare", 0), nonlinear=forward["nonlinear"] + width
        )


class MeanSquaredError(Loss):
    """Mean of the squared differences over samples and outputs (PyTorch: ``MSELoss``); classes are taken as one-hot."""

    def _value_and_error(self, output: Batch, target: Targets) -> tuple[np.floating[Any], Batch]:
        if target.ndim == 1:
            classes = target
            target = np.zeros_like(output)
            target[np.arange(len(output)), classes] = 1
        difference = output - target
        value = np.square(difference, dtype=np.float64).mean()
        return value, difference * np.float32(2 / difference.size)

    def operations(self, width: int) -> Operations:
        """Difference, square, sum and scale of each element."""
        return operations(add=2 * width, mul=2 * width)


class HalfMeanSquaredError(MeanSquaredError):
    """Half of the mean of the squared differences, whose error is the plain difference over samples and outputs."""

    def _value_and_error(self, output: Batch, target: Targets) -> tuple[np.floating[Any], Batch]:
        value, error = super()._value_and_error(output, target)
        return value / 2, error / np.float32(2)


LOSSES: dict[LossName, Loss] = {
    "cross_entropy": CrossEntropy(),
    "nll": NegativeLogLikelihood(),
    "mse": MeanSquaredError(),
    "half_mse": HalfMeanSquaredError(),
}
"""Every loss by the name it has in a trace description."""


def accuracy(output: Batch, classes: NDArray[np.int64]) -> float:
    """Return the share of samples whose largest output is the right class; of equal outputs the first counts."""
    return float(np.mean(output.argmax(axis=1) == classes))
