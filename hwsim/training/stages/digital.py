"""The layers that are on the digital unit alone: what each does to a stream, and its operations.

Operations are counted for one vector, one position of a sample:

========== ============================================= ==============================================
stage      forward                                       backward
========== ============================================= ==============================================
norm       4 additions, 3 products a number (mean,       4 additions, 4 products a number (gradients of
           variance, scale, factor and offset)           factor and offset, and of the input)
max pool   a comparison for each further number          an addition a number
average    an addition for each further number,          a product a number
           a product
add        an addition a number                          none: the error goes both ways
========== ============================================= ==============================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.spec.layers import Activate, Add, Norm, Pool
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.operations import Operations, operations, plus
from hwsim.training.sliding import Sliding
from hwsim.training.stages.activations import backward_work, forward_work
from hwsim.training.stages.base import Emits, KeptStage, Pass

MOMENTUM = np.float32(0.1)
"""Weight of a mini-batch in the running mean and variance (PyTorch's default)."""
EPSILON = np.float32(1e-5)
"""Added to every variance (PyTorch's default)."""


@dataclass
class NormStage(KeptStage):
    """A normalisation. That of a mini-batch goes over its input twice: for mean and variance, and to normalise.

    It is that of the samples that go through the layers together: of a mini-batch, or of a group of a pipelined one.
    A trained network uses the running ``mean`` and ``variance``.
    """

    spec: Norm
    factor: np.ndarray = field(init=False)
    offset: np.ndarray = field(init=False)
    mean: np.ndarray = field(init=False)
    variance: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        channels = self.given.channels
        self.factor, self.offset = np.ones(channels, np.float32), np.zeros(channels, np.float32)
        self.mean, self.variance = np.zeros(channels, np.float32), np.ones(channels, np.float32)

    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Emit the normalisation and the activation."""
        width, passes = self.output.channels, self._passes
        work = plus(
            operations(add=4 * width, mul=3 * width), self._deviation(seen.n), forward_work(self.spec.activation, width)
        )
        seen.output = yield from self.work(
            "norm", seen.n, work, passes * width, width, lambda: self._normalised(seen, inputs[0])
        )
        return seen.output

    def evaluate(self, n: int, *inputs: Any) -> Any:
        """Return the output with the running statistics."""
        if not self._over_batch:
            return self._normalised(Pass(n), inputs[0])
        return self._activated((inputs[0] - self.mean) / np.sqrt(self.variance + EPSILON))

    def _normalised(self, seen: Pass, x: np.ndarray) -> np.ndarray:
        mean, variance = x.mean(axis=self._axis, keepdims=True), x.var(axis=self._axis, keepdims=True)
        deviation = np.sqrt(variance + EPSILON)
        seen.z = (x - mean) / deviation
        seen.memory = deviation
        if self._over_batch:
            unbiased = np.float32(len(x) / max(len(x) - 1, 1))
            self.mean += MOMENTUM * (mean[0] - self.mean)
            self.variance += MOMENTUM * (variance[0] * unbiased - self.variance)
        return self._activated(seen.z)

    def _activated(self, z: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.spec.activation].forward(self.factor * z + self.offset)

    def backward(self, seen: Pass, error: Any) -> Emits:
        """Emit the gradients."""
        width, passes = self.output.channels, self._passes
        work = plus(operations(add=4 * width, mul=4 * width), backward_work(self.spec.activation, width))
        return (
            yield from self.work(
                "norm-backward", seen.n, work, 2 * passes * width, width, lambda: self._error(seen, error)
            )
        )  # fmt: skip

    def _error(self, seen: Pass, error: np.ndarray) -> np.ndarray:
        seen.d = ACTIVATIONS[self.spec.activation].backward(error, seen.output)
        at_z = seen.d * self.factor
        mean, along = (part.mean(axis=self._axis, keepdims=True) for part in (at_z, at_z * seen.z))
        return (at_z - mean - seen.z * along) / seen.memory

    def digital_update(self, passes: Sequence[Pass], rate: np.float32) -> Emits:
        """Emit the step of factor and offset."""
        numbers = 2 * self.output.channels
        yield from self.work_on(
            "norm-parameters", 1, operations(mul=numbers, add=numbers), 2 * numbers, numbers,
            lambda: self._learn(passes, rate), (0, 0),
        )  # fmt: skip

    def _learn(self, passes: Sequence[Pass], rate: np.float32) -> None:
        for seen in passes:
            self.factor -= rate * np.einsum("ni,ni->i", seen.d, seen.z)
            self.offset -= rate * seen.d.sum(axis=0)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return copies of factor, offset and, over a mini-batch, the running statistics."""
        found = {"factor": self.factor, "offset": self.offset}
        if self._over_batch:
            found |= {"mean": self.mean, "variance": self.variance}
        return {name: value.copy() for name, value in found.items()}

    @property
    def _over_batch(self) -> bool:
        return self.spec.kind == "batch_norm"

    @property
    def _axis(self) -> int:
        return 0 if self._over_batch else 1

    @property
    def _passes(self) -> int:
        return 2 if self._over_batch else 1

    def _deviation(self, n: int) -> Operations:
        """A root and a division: for each vector, or for each channel of a mini-batch, spread over its vectors."""
        share = 1
        if self._over_batch:
            share = -(-self.output.channels // (n * self.output.positions))
        return operations(div=share, nonlinear=share)


class PoolStage(KeptStage):
    """A pooling."""

    spec: Pool

    def kept_words(self, *, last: bool) -> int:
        """Return the output, and for a maximum where it came from."""
        return super().kept_words(last=last) + (self.output.words if self._takes_most else 0)

    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Emit the maxima or means."""
        width, window = self.output.channels, self.spec.window(self.given)
        further = (window - 1) * width
        work = operations(compare=further) if self._takes_most else operations(add=further, mul=width)
        seen.output = yield from self.work(
            "pool", seen.n, work, window * width, width, lambda: self._pooled(seen, inputs[0])
        )
        return seen.output

    def evaluate(self, n: int, *inputs: Any) -> Any:
        """Return the maxima or means."""
        return self._pooled(Pass(n), inputs[0])

    def backward(self, seen: Pass, error: Any) -> Emits:
        """Emit the errors of every input."""
        width = self.output.channels
        spread = -(-self.given.words // self.output.positions)
        work = operations(add=width) if self._takes_most else operations(mul=width)
        return (
            yield from self.work_on(
                "pool-backward", seen.n * self.output.positions, work, (1 + self._takes_most) * width, spread,
                lambda: self._errors(seen, error), self.at_inputs(seen.n),
            )
        )  # fmt: skip

    @property
    def _takes_most(self) -> bool:
        return self.spec.kind == "max_pool"

    @cached_property
    def _window(self) -> Sliding:
        return Sliding.of(self.spec, self.given)

    def _pooled(self, seen: Pass, x: np.ndarray) -> np.ndarray:
        if not self._takes_most:
            return self._window.mean(x)
        result, seen.memory = self._window.largest(x)
        return result

    def _errors(self, seen: Pass, error: np.ndarray) -> np.ndarray:
        window = self._window
        return window.to_the_largest(error, seen.memory) if self._takes_most else window.spread(error)


class AddStage(KeptStage):
    """A residual connection."""

    spec: Add

    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Emit the sums and the activation."""
        width = self.output.channels
        work = plus(operations(add=width), forward_work(self.spec.activation, width))
        seen.output = yield from self.work("add", seen.n, work, 2 * width, width, lambda: self._sum(*inputs))
        return seen.output

    def evaluate(self, n: int, *inputs: Any) -> Any:  # noqa: ARG002
        """Return the sums."""
        return self._sum(*inputs)

    def _sum(self, x: np.ndarray, plus: np.ndarray) -> np.ndarray:
        return ACTIVATIONS[self.spec.activation].forward(x + plus)

    def backward(self, seen: Pass, error: Any) -> Emits:
        """Emit the activation's share."""
        return (yield from through_activation(self, self.spec.activation, seen, error))


class ActivateStage(KeptStage):
    """An activation by itself."""

    spec: Activate

    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Emit the activation."""
        width = self.output.channels
        work = forward_work(self.spec.activation, width)
        seen.output = yield from self.work("activation", seen.n, work, width, width, lambda: self.evaluate(0, *inputs))
        return seen.output

    def evaluate(self, n: int, *inputs: Any) -> Any:  # noqa: ARG002
        """Return the activation of the input."""
        return ACTIVATIONS[self.spec.activation].forward(inputs[0])

    def backward(self, seen: Pass, error: Any) -> Emits:
        """Emit the derivative."""
        return (yield from through_activation(self, self.spec.activation, seen, error))


def through_activation(stage: KeptStage, name: Any, seen: Pass, error: Any) -> Emits:
    """Emit an activation's backward pass; returns the error before it."""
    width = stage.output.channels
    work = backward_work(name, width)
    return (
        yield from stage.work(
            "activation-backward", seen.n, work, 2 * width, width,
            lambda: ACTIVATIONS[name].backward(error, seen.output),
        )
    )  # fmt: skip
