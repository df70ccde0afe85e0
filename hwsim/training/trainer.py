"""Trains a network on a chip: turns a live trace into the chip's program, step by step."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hwsim.chip.chip import Chip
from hwsim.chip.operations import Backward, Digital, Forward, Matrix, Move, Operation
from hwsim.errors import RunError
from hwsim.spec.network import LayerSpec
from hwsim.spec.training import TraceSpec
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.data import DataSet
from hwsim.training.losses import LOSSES, accuracy
from hwsim.training.network import initial_parameters
from hwsim.training.operations import Operations, plus
from hwsim.training.refresh import Refreshes
from hwsim.training.schedule import batches, learning_rate

EVALUATION_CHUNK = 1000


@dataclass
class Layer:
    """A layer in training: its matrix on the chip, its digital bias and output scale, and the last mini-batch.

    ``x`` (n, inputs), ``z`` (n, outputs; the matrix's own output) and ``output`` (n, outputs) are of the last read.
    """

    spec: LayerSpec
    matrix: Matrix
    bias: np.ndarray | None
    scale: np.ndarray | None
    x: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    z: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))
    output: np.ndarray = field(default_factory=lambda: np.empty(0, np.float32))

    def affine(self, z: np.ndarray) -> np.ndarray:
        """Return ``scale z + bias``."""
        if self.scale is not None:
            z = z * self.scale
        return z if self.bias is None else z + self.bias


@dataclass(frozen=True)
class StepMetrics:
    """What is known after one step; ``test_loss`` and ``test_accuracy`` are NaN unless it was evaluated."""

    step: int
    epoch: int
    samples: int
    t_ps: int
    energy_J: float
    loss: float
    learning_rate: float
    test_loss: float
    test_accuracy: float


class Trainer:
    """Trains the network of a trace on a chip with an algorithm.

    Args:
        trace: network, loss, batch size, schedule.
        data: samples that fit the trace.
        chip: where the network is placed.
        algorithm: how the weights are placed and updated.
        seed: seed of initial weights and shuffling.

    Raises:
        MappingError: the network does not fit the chip.
    """

    def __init__(self, trace: TraceSpec, data: DataSet, chip: Chip, algorithm: Algorithm, seed: int) -> None:
        self.trace = trace
        self.data = data
        self.chip = chip
        self.algorithm = algorithm
        self.seed = seed
        self.loss = LOSSES[trace.loss]
        initial = initial_parameters(trace.network, seed)
        self.layers = [
            Layer(
                spec,
                algorithm.place(spec.name, initial[spec.name].weight),
                None if (bias := initial[spec.name].bias) is None else bias.copy(),
                _initial_scale(spec),
            )
            for spec in trace.network.layers
        ]
        self.refreshes = Refreshes(chip.device.unit_cell)
        self.step = 0
        self.samples = 0

    @property
    def steps_per_epoch(self) -> int:
        """Mini-batches in an epoch."""
        return -(-len(self.data.x_train) // self.trace.batch_size)

    def program(
        self, epochs: int, max_steps: int | None, report: Callable[[StepMetrics], None]
    ) -> Generator[Operation, Any, None]:
        """Yield every operation of the training; ``report`` gets the metrics of each step."""
        last_step = min(
            epochs * self.steps_per_epoch, max_steps if max_steps is not None else epochs * self.steps_per_epoch
        )
        for layer in self.layers:
            yield from self.algorithm.prepare(layer.matrix)
        for epoch in range(epochs):
            rate = learning_rate(self.trace, epoch)
            losses = []
            for indices in batches(
                len(self.data.x_train), self.trace.batch_size, epoch, self.seed, shuffle=self.trace.shuffle
            ):
                if self.step == last_step:
                    return
                loss = yield from self._train_step(indices, rate)
                losses.append(loss)
                self.step += 1
                self.samples += len(indices)
                evaluated = self.step % self.steps_per_epoch == 0 or self.step == last_step
                test = self.evaluate() if evaluated else (float("nan"), float("nan"))
                report(self._metrics(epoch, loss, rate, test))
            self.algorithm.end_epoch(float(np.mean(losses)))

    def _metrics(self, epoch: int, loss: float, rate: float, test: tuple[float, float]) -> StepMetrics:
        now = self.chip.env.now
        return StepMetrics(self.step - 1, epoch, self.samples, now, self.chip.energy_so_far(), loss, rate, *test)

    def _train_step(self, indices: np.ndarray, rate: float) -> Generator[Operation, Any, float]:
        self.chip.step, self.chip.sample = self.step, self.samples
        x, target = self.data.x_train[indices], self.data.y_train[indices]
        yield Move(len(x), x.shape[1])
        for layer in self.layers:
            x = yield from self._forward(layer, x)
        loss, error = yield Digital(
            "loss", "", len(x), self.loss.operations(x.shape[1]), lambda: self.loss.value_and_error(x, target),
            words_in=x.shape[1], words_out=x.shape[1],
        )  # fmt: skip
        errors = yield from self._backward(error, rate)
        for layer, d in zip(self.layers, errors, strict=True):
            yield from self.refreshes.after(self.algorithm.update(layer.matrix, layer.x, d, rate))
        return loss

    def _forward(self, layer: Layer, x: np.ndarray) -> Generator[Operation, Any, np.ndarray]:
        layer.x = x
        layer.z = yield Forward(layer.matrix, x)
        activation = ACTIVATIONS[layer.spec.activation]
        width = layer.spec.outputs
        work = activation.forward_operations(width)
        work = plus(
            work, {"mul": width} if layer.scale is not None else {}, {"add": width} if layer.bias is not None else {}
        )

        def compute() -> np.ndarray:
            return activation.forward(layer.affine(layer.z))

        layer.output = yield Digital(
            "activation", layer.spec.name, len(x), work, compute, words_in=width, words_out=width
        )
        if not np.all(np.isfinite(layer.output)):
            raise RunError(
                f"layer '{layer.spec.name}' gives values that are not finite at step {self.step}: it has diverged"
            )
        return layer.output

    def _backward(self, error: np.ndarray, rate: float) -> Generator[Operation, Any, list[np.ndarray]]:
        """Yield the backward pass; returns the error at each matrix's output, (n, rows), first layer first."""
        errors: list[np.ndarray] = []
        for index in range(len(self.layers) - 1, -1, -1):
            layer = self.layers[index]
            d = yield from self._through_activation(layer, error)
            at_matrix = d if layer.scale is None else d * layer.scale
            errors.append(at_matrix)
            if index:
                error = yield Backward(layer.matrix, at_matrix)
            if layer.bias is not None or layer.scale is not None:
                yield self._digital_parameters(layer, d, rate)
        return errors[::-1]

    def _through_activation(self, layer: Layer, error: np.ndarray) -> Generator[Operation, Any, np.ndarray]:
        activation = ACTIVATIONS[layer.spec.activation]
        width = layer.spec.outputs
        work = plus(activation.backward_operations(width), {"mul": width} if layer.scale is not None else {})
        d: np.ndarray = yield Digital(
            "activation-backward", layer.spec.name, len(error), work, lambda: activation.backward(error, layer.output),
            words_in=2 * width if work else 0, words_out=width if work else 0,
        )  # fmt: skip
        return d

    def _digital_parameters(self, layer: Layer, d: np.ndarray, rate: float) -> Digital:
        """Plain SGD of bias and output scale; ``d`` is the error at ``scale z + bias``."""
        width = layer.spec.outputs
        n_parameters = (layer.bias is not None) + (layer.scale is not None)

        def compute() -> None:
            if layer.scale is not None:
                gradient = np.einsum("ni,ni->i", d, layer.z)
                layer.scale -= np.float32(rate) * (gradient if len(layer.scale) > 1 else gradient.sum(keepdims=True))
            if layer.bias is not None:
                layer.bias -= np.float32(rate) * d.sum(axis=0)

        # Each vector adds to the sums of the gradients; the step itself is spread over the vectors of the mini-batch.
        step_share = -(-2 * width * n_parameters // len(d))
        work: Operations = {"add": width * n_parameters + step_share}
        if layer.scale is not None:
            work["mul"] = width
        return Digital("bias-and-scale", layer.spec.name, len(d), work, compute, words_in=width * n_parameters)

    def evaluate(self) -> tuple[float, float]:
        """Return loss and accuracy (NaN for real targets) on the held-out data.

        It reads the arrays through the converters with own random streams; it takes no simulated time or energy.
        """
        x_test, y_test = self.data.x_test, self.data.y_test
        if not len(x_test):
            return float("nan"), float("nan")
        outputs = []
        for start in range(0, len(x_test), EVALUATION_CHUNK):
            x = x_test[start : start + EVALUATION_CHUNK]
            for layer in self.layers:
                z, _ = layer.matrix.read(x, purpose="evaluate")
                x = ACTIVATIONS[layer.spec.activation].forward(layer.affine(z))
            outputs.append(x)
        output = np.concatenate(outputs)
        score = accuracy(output, y_test) if self.data.n_classes is not None else float("nan")
        return self.loss.value(output, y_test), score

    def weights(self) -> dict[str, np.ndarray]:
        """Return every trained number: ``NAME.weight``, ``NAME.bias``, ``NAME.scale`` and each array's own weights."""
        found: dict[str, np.ndarray] = {}
        for layer in self.layers:
            name = layer.spec.name
            found[f"{name}.weight"] = layer.matrix.weights()
            if layer.bias is not None:
                found[f"{name}.bias"] = layer.bias.copy()
            if layer.scale is not None:
                found[f"{name}.scale"] = layer.scale.copy()
            for array in range(layer.matrix.n_arrays):
                found[f"{name}.array{array}"] = layer.matrix.weights(array)
        return found


def _initial_scale(spec: LayerSpec) -> np.ndarray | None:
    n_scales = {"none": 0, "layer": 1, "output": spec.outputs}[spec.output_scale]
    return np.ones(n_scales, np.float32) if n_scales else None
