"""Trains a network on a chip: turns a live trace into the chip's program, step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.chip import Chip
from hwsim.chip.operations import Matrix
from hwsim.chip.program import Join, Program, Start, Task
from hwsim.spec.network import LayerSpec
from hwsim.spec.training import TraceSpec
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.data import DataSet
from hwsim.training.losses import LOSSES, accuracy
from hwsim.training.network import initial_parameters
from hwsim.training.refresh import Refreshes
from hwsim.training.schedule import batches, learning_rate
from hwsim.training.step import Layer, TrainingStep, kept_words

EVALUATION_CHUNK = 1000


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

    step_type: ClassVar[type[TrainingStep]] = TrainingStep

    def __init__(self, trace: TraceSpec, data: DataSet, chip: Chip, algorithm: Algorithm, seed: int) -> None:
        self.trace = trace
        self.data = data
        self.chip = chip
        self.algorithm = algorithm
        self.seed = seed
        self.loss = LOSSES[trace.loss]
        self.layers = self._place()
        self.refreshes = Refreshes(chip.device.unit_cell)
        self.schedule = chip.spec.schedule
        self.step = 0
        self.samples = 0
        self._begun = 0
        self._first_sample = 0
        n_bytes = -(-trace.batch_size * sum(kept_words(self.layers)) * chip.spec.word_bits // 8)
        chip.buffer.check_room(n_bytes, "a mini-batch's activations and errors, which stay until the update,")

    def _place(self) -> list[Layer]:
        """Place the layers with their initial weights."""
        initial = initial_parameters(self.trace.network, self.seed)
        return [
            Layer(
                spec,
                self.algorithm.place(spec.name, initial[spec.name].weight),
                None if (bias := initial[spec.name].bias) is None else bias.copy(),
                _initial_scale(spec),
            )
            for spec in self.trace.network.layers
        ]

    def _matrices(self) -> Iterator[Matrix]:
        """Every matrix, from the input to the output."""
        for layer in self.layers:
            yield layer.matrix

    @property
    def samples_per_epoch(self) -> int:
        """Training samples."""
        return len(self.data.x_train)

    @property
    def steps_per_epoch(self) -> int:
        """Mini-batches in an epoch."""
        return -(-self.samples_per_epoch // self.trace.batch_size)

    def program(self, epochs: int, max_steps: int | None, report: Callable[[StepMetrics], None]) -> Program:
        """Yield every operation of the training; ``report`` gets the metrics of each step."""
        for matrix in self._matrices():
            yield from self.algorithm.prepare(matrix)
        whole = epochs * self.steps_per_epoch
        last_step = whole if max_steps is None else min(whole, max_steps)
        for epoch in range(epochs):
            rate = learning_rate(self.trace, epoch)
            order = batches(
                self.samples_per_epoch, self.trace.batch_size, epoch, self.seed, shuffle=self.trace.shuffle
            )[: last_step - self._begun]
            if not order:
                return
            losses: list[float] = []
            under_way: deque[tuple[Task, int]] = deque()
            for indices in order:
                name, step = f"training step {self._begun}", self._next_step(indices, rate)
                if not self.schedule.delay:
                    loss = yield from step
                    losses.append(self._ended(loss, len(indices), epoch, rate, last_step, report))
                    continue
                under_way.append(((yield Start(name, step)), len(indices)))
                if len(under_way) > self.schedule.delay:
                    task, n = under_way.popleft()
                    losses.append(self._ended((yield Join(task)), n, epoch, rate, last_step, report))
            for task, n in under_way:
                losses.append(self._ended((yield Join(task)), n, epoch, rate, last_step, report))
            self.algorithm.end_epoch(float(np.mean(losses)))

    def _samples(self, indices: np.ndarray) -> tuple[Any, Any]:
        """Return the inputs (n, features) and targets of a mini-batch."""
        return self.data.x_train[indices], self.data.y_train[indices]

    def _next_step(self, indices: np.ndarray, rate: float) -> Program:
        x, target = self._samples(indices)
        step = self.step_type(
            self.layers, self.loss, self.algorithm, self.refreshes, self.schedule, self.chip.spec.word_bits,
            number=self._begun, first_sample=self._first_sample, x=x, target=target, rate=rate,
        )  # fmt: skip
        self._begun += 1
        self._first_sample += len(indices)
        return step.program()

    def _ended(
        self, loss: float, n: int, epoch: int, rate: float, last_step: int, report: Callable[[StepMetrics], None]
    ) -> float:
        """Take note of the end of a step; returns its loss."""
        self.step += 1
        self.samples += n
        every = self.trace.evaluation.every or self.steps_per_epoch
        evaluated = self.step % every == 0 or self.step == last_step
        test = self.evaluate() if evaluated else (float("nan"), float("nan"))
        report(self._metrics(epoch, loss, rate, test))
        return loss

    def _metrics(self, epoch: int, loss: float, rate: float, test: tuple[float, float]) -> StepMetrics:
        now = self.chip.env.now
        return StepMetrics(self.step - 1, epoch, self.samples, now, self.chip.energy_so_far(), loss, rate, *test)

    def evaluate(self) -> tuple[float, float]:
        """Return loss and accuracy (NaN for real targets) on the data that the trace's ``evaluation`` names.

        Arrays are read through the converters with own random streams, or exactly; it takes no simulated time or energy.
        """
        on_training = self.trace.evaluation.data == "training"
        x_test, y_test = (
            (self.data.x_train, self.data.y_train) if on_training else (self.data.x_test, self.data.y_test)
        )
        if not len(x_test):
            return float("nan"), float("nan")
        outputs = []
        for start in range(0, len(x_test), EVALUATION_CHUNK):
            x = x_test[start : start + EVALUATION_CHUNK]
            for layer in self.layers:
                z = self._evaluation_read(layer, x)
                x = ACTIVATIONS[layer.spec.activation].forward(layer.affine(z))
            outputs.append(x)
        output = np.concatenate(outputs)
        score = accuracy(output, y_test) if self.data.n_classes is not None else float("nan")
        return self.loss.value(output, y_test), score

    def _evaluation_read(self, layer: Layer, x: np.ndarray) -> np.ndarray:
        if self.trace.evaluation.reads == "exact":
            return x @ layer.matrix.weights().T
        return layer.matrix.read(x, purpose="evaluate")[0]

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
