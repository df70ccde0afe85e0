"""Activations on mini-batches (n, outputs) in float32, with the digital operations of one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from hwsim.spec.layers import Activation as ActivationName
from hwsim.training.operations import Operations, operations

Batch = NDArray[np.float32]


class Activation(ABC):
    """An activation function. ``width`` in the counts is the number of elements of one vector."""

    @abstractmethod
    def forward(self, y: Batch) -> Batch:
        """Return the output for the linear part ``y`` (n, outputs)."""

    @abstractmethod
    def backward(self, d: Batch, output: Batch) -> Batch:
        """Return the error at the linear part, given the error ``d`` at the output and the output itself."""

    @abstractmethod
    def forward_operations(self, width: int) -> Operations:
        """Return the operations of one forward vector."""

    @abstractmethod
    def backward_operations(self, width: int) -> Operations:
        """Return the operations of one backward vector."""


class Identity(Activation):
    """The linear part as it is; costs nothing."""

    def forward(self, y: Batch) -> Batch:
        """Return ``y``."""
        return y

    def backward(self, d: Batch, output: Batch) -> Batch:  # noqa: ARG002 - one signature for all activations
        """Return ``d``."""
        return d

    def forward_operations(self, width: int) -> Operations:  # noqa: ARG002
        """Return no operations."""
        return {}

    def backward_operations(self, width: int) -> Operations:  # noqa: ARG002
        """Return no operations."""
        return {}


class Sigmoid(Activation):
    """1 / (1 + exp(-y))."""

    def forward(self, y: Batch) -> Batch:
        """Return the logistic function of ``y``."""
        # exp overflows to inf below about -88, and 1 / inf is the right answer.
        with np.errstate(over="ignore"):
            output = np.exp(np.negative(y))
        output += np.float32(1)
        return np.divide(np.float32(1), output, out=output)

    def backward(self, d: Batch, output: Batch) -> Batch:
        """Return d * output * (1 - output)."""
        return d * output * (np.float32(1) - output)

    def forward_operations(self, width: int) -> Operations:
        """One look-up for each element."""
        return operations(nonlinear=width)

    def backward_operations(self, width: int) -> Operations:
        """One subtraction and two products for each element."""
        return operations(add=width, mul=2 * width)


class Tanh(Activation):
    """Hyperbolic tangent."""

    def forward(self, y: Batch) -> Batch:
        """Return tanh(y)."""
        return np.tanh(y)

    def backward(self, d: Batch, output: Batch) -> Batch:
        """Return d * (1 - output^2)."""
        return d * (np.float32(1) - output * output)

    def forward_operations(self, width: int) -> Operations:
        """One look-up for each element."""
        return operations(nonlinear=width)

    def backward_operations(self, width: int) -> Operations:
        """One subtraction and two products for each element."""
        return operations(add=width, mul=2 * width)


class Relu(Activation):
    """max(y, 0); the slope at 0 is 0, as in PyTorch."""

    def forward(self, y: Batch) -> Batch:
        """Return max(y, 0)."""
        return np.maximum(y, np.float32(0))

    def backward(self, d: Batch, output: Batch) -> Batch:
        """Return d where the output is positive, 0 elsewhere."""
        return np.where(output > 0, d, np.float32(0))

    def forward_operations(self, width: int) -> Operations:
        """One comparison for each element."""
        return operations(compare=width)

    def backward_operations(self, width: int) -> Operations:
        """One comparison for each element."""
        return operations(compare=width)


class LogSoftmax(Activation):
    """y - log(sum(exp(y))) along each vector."""

    def forward(self, y: Batch) -> Batch:
        """Return the log-probabilities; the maximum is subtracted first, so that exp cannot overflow."""
        shifted = y - y.max(axis=1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))

    def backward(self, d: Batch, output: Batch) -> Batch:
        """Return d - softmax * sum(d)."""
        return d - np.exp(output) * d.sum(axis=1, keepdims=True)

    def forward_operations(self, width: int) -> Operations:
        """Maximum (width - 1 comparisons), subtract it, exp, sum, log, subtract."""
        return operations(add=3 * width - 1, compare=width - 1, nonlinear=width + 1)

    def backward_operations(self, width: int) -> Operations:
        """Exp, sum of the errors, product, subtraction."""
        return operations(add=2 * width - 1, mul=width, nonlinear=width)


ACTIVATIONS: dict[ActivationName, Activation] = {
    "none": Identity(),
    "sigmoid": Sigmoid(),
    "tanh": Tanh(),
    "relu": Relu(),
    "log_softmax": LogSoftmax(),
}
"""Every activation by the name it has in a network description."""
