"""One training step as a program: a mini-batch goes forward and back through the layers, then every layer is updated.

How much of it runs side by side is the chip's schedule: nothing, the update of a layer beside the backward pass below
it, or groups of samples that follow each other through the layers like the stages of a pipeline.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.chip.operations import Backward, Digital, Forward, Matrix, Move
from hwsim.chip.program import Await, Claim, CountDown, Free, Join, Latch, Mark, Program, Start, Task
from hwsim.chip.vectors import Vectors
from hwsim.errors import RunError
from hwsim.spec.chip import ScheduleSpec
from hwsim.spec.network import LayerSpec
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.losses import Loss
from hwsim.training.operations import Operations, plus
from hwsim.training.refresh import Refreshes

Emits = Generator[Any, Any, Any]


@dataclass
class Layer:
    """A layer in training: its matrix on the chip, its digital bias and output scale, and its last update."""

    spec: LayerSpec
    matrix: Matrix
    bias: np.ndarray | None
    scale: np.ndarray | None
    updated: Task | None = None

    @cached_property
    def forward_work(self) -> Operations:
        """Digital operations on one output vector of the matrix: scale, bias, activation."""
        width = self.spec.outputs
        return plus(
            ACTIVATIONS[self.spec.activation].forward_operations(width),
            {"mul": width} if self.scale is not None else {},
            {"add": width} if self.bias is not None else {},
        )

    @cached_property
    def backward_work(self) -> Operations:
        """Digital operations on one error vector: activation and scale."""
        width = self.spec.outputs
        scaling: Operations = {"mul": width} if self.scale is not None else {}
        return plus(ACTIVATIONS[self.spec.activation].backward_operations(width), scaling)

    def affine(self, z: np.ndarray) -> np.ndarray:
        """Return ``scale z + bias``."""
        if self.scale is not None:
            z = z * self.scale
        return z if self.bias is None else z + self.bias

    def activate(self, z: np.ndarray) -> np.ndarray:
        """Return the layer's output for the matrix's (n, outputs)."""
        return ACTIVATIONS[self.spec.activation].forward(self.affine(z))

    def is_finite(self, output: np.ndarray) -> bool:
        """Return whether every number of an output is finite."""
        return bool(np.isfinite(output).all())

    def through_activation(self, error: np.ndarray, output: np.ndarray) -> np.ndarray:
        """Return the error at ``scale z + bias``, given the error at the output and the output."""
        return ACTIVATIONS[self.spec.activation].backward(error, output)

    def at_matrix(self, d: np.ndarray) -> np.ndarray:
        """Return the error at the matrix, given that at ``scale z + bias``."""
        return d if self.scale is None else d * self.scale

    def learn(self, d: np.ndarray, z: np.ndarray, rate: np.float32) -> None:
        """Do a step of plain SGD on bias and output scale; ``d`` is the error at ``scale z + bias``."""
        if self.scale is not None:
            self.scale -= rate * (np.einsum("ni,ni->i", d, z) if len(self.scale) > 1 else np.vdot(d, z))
        if self.bias is not None:
            self.bias -= rate * np.add.reduce(d)

    def kept_words(self, *, last: bool) -> int:
        """Return the words that the buffer keeps for one sample from the layer's forward pass to its update.

        They are its inputs, the errors at its outputs, its raw outputs where a scale is trained, and the outputs of
        the last layer, which are no other layer's inputs.
        """
        return self.spec.inputs + self.spec.outputs * (1 + (self.scale is not None) + last)


@dataclass
class LayerPass:
    """What one layer sees of one group of samples.

    ``x`` (n, inputs), ``z`` (n, outputs; the matrix's own output), ``output`` (n, outputs), ``d`` (n, outputs; the
    error at scale z + bias) and ``at_matrix`` (n, outputs; the error at the matrix).
    """

    x: np.ndarray
    z: np.ndarray
    output: np.ndarray
    d: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    at_matrix: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))


class TrainingStep:
    """The program of one mini-batch ``x`` (n, inputs) with its targets, at learning rate ``rate``."""

    def __init__(
        self,
        layers: list[Layer],
        loss: Loss,
        algorithm: Algorithm,
        refreshes: Refreshes,
        schedule: ScheduleSpec,
        word_bits: int,
        *,
        number: int,
        first_sample: int,
        x: np.ndarray,
        target: np.ndarray,
        rate: float,
    ) -> None:
        self._layers = layers
        self._loss = loss
        self._algorithm = algorithm
        self._refreshes = refreshes
        self._schedule = schedule
        self._word_bits = word_bits
        self._number = number
        self._first_sample = first_sample
        self._x = x
        self._target = target
        self._rate = rate
        self._groups = list(_parts(len(x), schedule.group(len(x))))
        self._passes: list[dict[int, LayerPass]] = [{} for _ in layers]
        self._losses: dict[int, float] = {}
        self._done = [Latch(f"the errors of layer '{layer.spec.name}'", len(self._groups)) for layer in layers]

    def program(self) -> Program:
        """Emit the step; it returns the mean loss of the mini-batch."""
        n = len(self._x)
        kept = [-(-n * words * self._word_bits // 8) for words in kept_words(self._layers)]
        yield Mark(self._number, self._first_sample)
        yield Claim(sum(kept), f"the activations and errors of step {self._number}")
        if self._schedule.kind == "sequential":
            yield from self._through(0)
            for index, n_bytes in enumerate(kept):
                yield from self._update(index)
                yield Free(n_bytes)
        else:
            yield from self._side_by_side(kept)
        return sum(self._losses[group] * (part.stop - part.start) / n for group, part in enumerate(self._groups))

    def _side_by_side(self, kept: list[int]) -> Emits:
        groups = []
        for group in range(len(self._groups)):
            groups.append((yield Start(f"group {group} of step {self._number}", self._through(group))))
        updates = []
        for index in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[index]
            name = f"the update of layer '{layer.spec.name}'"
            layer.updated = yield Start(name, self._update_when_due(index, layer.updated, kept[index]))
            updates.append(layer.updated)
        for task in (*groups, *updates):
            yield Join(task)

    def _update_when_due(self, index: int, previous: Task | None, n_bytes: int) -> Program:
        """Update a layer once every group's errors are there and the step before has updated it."""
        if previous is not None:
            yield Join(previous)
        yield Await(self._done[index])
        yield from self._update(index)
        yield Free(n_bytes)

    # Forward and back

    def _through(self, group: int) -> Program:
        """Take one group of samples forward through all layers and its errors back."""
        part = self._groups[group]
        x, target = self._x[part], self._target[part]
        if len(self._groups) > 1:
            yield Mark(self._number, self._first_sample + part.start)
        yield Move(len(x), x.shape[1])
        for index in range(len(self._layers)):
            x = yield from self._forward(index, group, x)
        loss, error = yield Digital(
            "loss", "", len(x), self._loss.operations(x.shape[1]), lambda: self._loss.value_and_error(x, target),
            words_in=x.shape[1], words_out=x.shape[1],
        )  # fmt: skip
        self._losses[group] = loss
        if len(self._groups) > 1:
            # A loss is the mean over the mini-batch, not over the group.
            error = error * np.float32(len(x) / len(self._x))
        yield from self._backward(group, error)

    def _forward(self, index: int, group: int, x: np.ndarray) -> Emits:
        layer = self._layers[index]
        z = yield Forward(layer.matrix, x)
        width = layer.spec.outputs
        output = yield Digital(
            "activation", layer.spec.name, len(x), layer.forward_work, lambda: layer.activate(z), words_in=width,
            words_out=width,
        )  # fmt: skip
        if not layer.is_finite(output):
            raise RunError(
                f"layer '{layer.spec.name}' gives values that are not finite at step {self._number}: it has diverged"
            )
        self._passes[index][group] = LayerPass(x, z, output)
        return output

    def _backward(self, group: int, error: np.ndarray) -> Emits:
        for index in range(len(self._layers) - 1, -1, -1):
            layer, seen = self._layers[index], self._passes[index][group]
            seen.d = yield from self._through_activation(layer, seen, error)
            seen.at_matrix = layer.at_matrix(seen.d)
            if index:
                error = yield Backward(layer.matrix, seen.at_matrix)
            yield CountDown(self._done[index])

    def _through_activation(self, layer: Layer, seen: LayerPass, error: np.ndarray) -> Emits:
        width, work = layer.spec.outputs, layer.backward_work
        return (
            yield Digital(
                "activation-backward", layer.spec.name, len(error), work,
                lambda: layer.through_activation(error, seen.output), words_in=2 * width if work else 0,
                words_out=width if work else 0,
            )
        )  # fmt: skip

    # Updates

    def _update(self, index: int) -> Emits:
        """Update bias and output scale digitally, and the matrix as the algorithm does."""
        layer = self._layers[index]
        passes = [self._passes[index][group] for group in range(len(self._groups))]
        if layer.bias is not None or layer.scale is not None:
            yield self._digital_parameters(layer, _joined([part.d for part in passes]), passes)
        x, d = _joined([part.x for part in passes]), _joined([part.at_matrix for part in passes])
        yield from self._refreshes.after(self._algorithm.update(layer.matrix, x, d, self._rate))

    def _digital_parameters(self, layer: Layer, d: np.ndarray, passes: list[LayerPass]) -> Digital:
        """Plain SGD of bias and output scale; ``d`` is the error at ``scale z + bias``."""
        width = layer.spec.outputs
        n_parameters = (layer.bias is not None) + (layer.scale is not None)
        rate = np.float32(self._rate)

        def compute() -> None:
            layer.learn(d, _joined([part.z for part in passes]), rate)

        # Each vector adds to the sums of the gradients; the step itself is spread over the vectors of the mini-batch.
        step_share = -(-2 * width * n_parameters // len(d))
        work: Operations = {"add": width * n_parameters + step_share}
        if layer.scale is not None:
            work["mul"] = width
        return Digital("bias-and-scale", layer.spec.name, len(d), work, compute, words_in=width * n_parameters)


def kept_words(layers: list[Layer]) -> list[int]:
    """Return the words that the buffer keeps of one sample for each layer."""
    return [layer.kept_words(last=layer is layers[-1]) for layer in layers]


def _parts(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    return Vectors.joined(parts) if isinstance(parts[0], Vectors) else np.concatenate(parts)
