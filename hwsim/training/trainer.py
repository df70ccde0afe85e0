"""Trains a network on a chip: turns a live trace into the chip's program, step by step."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from math import prod
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.chip import Chip
from hwsim.chip.mapping import Placement
from hwsim.chip.operations import Matrix
from hwsim.chip.program import Join, Program, Start, Task
from hwsim.errors import MappingError
from hwsim.spec.network import NetworkSpec
from hwsim.spec.training import EvaluationSpec, TraceSpec, TrainingSpec
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.data import DataSet
from hwsim.training.losses import LOSSES, Loss, accuracy
from hwsim.training.network import initial_parameters
from hwsim.training.refresh import Refreshes
from hwsim.training.schedule import batches, learning_rate
from hwsim.training.stages import MatrixStage, Stage, by_position, known, make_stages
from hwsim.training.state import restore_state, state_of
from hwsim.training.step import TrainingStep, kept_words

EVALUATION_CHUNK = 1000
"""Most samples that are evaluated at once."""
EVALUATION_WORDS = 4_000_000
"""Most numbers of a stream of patches that are held at once in an evaluation, where that makes for fewer samples."""


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

    def __init__(self, trace: TrainingSpec, data: DataSet, chip: Chip, algorithm: Algorithm, seed: int) -> None:
        self.trace = trace
        self.data = data
        self.chip = chip
        self.algorithm = algorithm
        self.seed = seed
        self.evaluation = trace.evaluation if isinstance(trace, TraceSpec) else EvaluationSpec()
        self.loss = self._loss()
        self.layers = self._stages()
        self._place()
        self.refreshes = Refreshes(chip.device.unit_cell)
        self.schedule = chip.spec.schedule
        self.step = 0
        self.samples = 0
        self._begun = 0
        self._first_sample = 0
        self._losses: list[float] = []
        n_bytes = -(-trace.batch_size * sum(kept_words(self.layers)) * chip.spec.word_bits // 8)
        chip.buffer.check_room(n_bytes, "a mini-batch's activations and errors, which stay until the update,")

    def _loss(self) -> Loss:
        return LOSSES[self.trace.loss]

    def _stages(self) -> list[Stage]:
        return make_stages(self.trace.network, known)

    def _place(self) -> None:
        """Place the matrices, and make room in the buffer for what is trained digitally."""
        network, chip = self.trace.network, self.chip
        try:
            self._place_matrices()
        except MappingError as error:
            if chip.placement.tiles <= chip.spec.tiles:
                raise
            tiles = self._tiles_needed()
            raise MappingError(
                f"{self.trace.name} needs {tiles} tiles of {chip.spec.tile.rows} x {chip.spec.tile.cols}, but "
                f"chip '{chip.spec.name}' has {chip.spec.tiles}; use --set chip.tiles={tiles}, a larger chip (such as "
                f"--chip large), or fewer replicas ({error})",
                at="tiles",
            ) from error
        digital = network.parameters - sum(prod(layer.matrix) for layer in network.matrix_layers)
        n_bytes = -(-digital * chip.spec.weight_bits // 8)
        chip.buffer.allocate(n_bytes, f"the digital parameters of {self.trace.name}")

    def _place_matrices(self) -> None:
        """Place every matrix with its initial weights, and give its layer the initial bias and scale."""
        initial = initial_parameters(self.trace.network, self.seed)
        for stage in self._matrix_stages():
            layer = initial[stage.spec.name]
            stage.matrix = self.algorithm.place(stage.spec.name, layer.weight)
            stage.exact_evaluation = self.evaluation.reads == "exact"
            stage.bias = layer.bias
            stage.scale = np.ones(stage.spec.scales, np.float32) if stage.spec.scales else None

    def _tiles_needed(self) -> int:
        """Return how many tiles all matrices take with their replicas."""
        chip = self.chip
        placement = Placement((chip.spec.tile.rows, chip.spec.tile.cols), share=chip.spec.mapping.share_tiles)
        replicas = self.trace.layer_replicas()
        for layer in self.trace.network.matrix_layers:
            taken: set[int] = set()
            for _ in range(replicas[layer.name]):
                grid = placement.place(layer.matrix, 1, taken)
                taken |= {block.tile for row in grid for block in row}
        return placement.tiles

    def _matrix_stages(self) -> Iterator[MatrixStage]:
        """Every layer with a matrix, from the input to the output."""
        for stage in self.layers:
            if isinstance(stage, MatrixStage):
                yield stage

    def _matrices(self) -> Iterator[Matrix]:
        """Every matrix, from the input to the output."""
        for stage in self._matrix_stages():
            yield stage.placed

    @property
    def samples_per_epoch(self) -> int:
        """Training samples."""
        return len(self.data.x_train)

    @property
    def steps_per_epoch(self) -> int:
        """Mini-batches in an epoch."""
        return -(-self.samples_per_epoch // self.trace.batch_size)

    def program(
        self,
        epochs: int,
        max_steps: int | None,
        report: Callable[[StepMetrics], None],
        between: Callable[[], None] = lambda: None,
    ) -> Program:
        """Yield every operation of the training that is still to come.

        ``report`` gets the metrics of each step; ``between`` is called between two steps that do not overlap, when
        :meth:`state` can be taken.
        """
        if not self._begun:
            for matrix in self._matrices():
                yield from self.algorithm.prepare(matrix)
        whole = epochs * self.steps_per_epoch
        last_step = whole if max_steps is None else min(whole, max_steps)
        for epoch in range(self._begun // self.steps_per_epoch, epochs):
            rate = learning_rate(self.trace, epoch)
            if self._begun >= last_step:
                return
            done = self._begun % self.steps_per_epoch
            losses = self._losses
            under_way: deque[tuple[Task, int]] = deque()
            for indices in islice(self._batches(epoch), done, done + last_step - self._begun):
                name, step = f"training step {self._begun}", self._next_step(indices, rate)
                if not self.schedule.delay:
                    loss = yield from step
                    losses.append(self._ended(loss, len(indices), epoch, rate, last_step, report))
                    if self.step % self.steps_per_epoch and self.step < last_step:
                        between()
                    continue
                under_way.append(((yield Start(name, step)), len(indices)))
                if len(under_way) > self.schedule.delay:
                    task, n = under_way.popleft()
                    losses.append(self._ended((yield Join(task)), n, epoch, rate, last_step, report))
            for task, n in under_way:
                losses.append(self._ended((yield Join(task)), n, epoch, rate, last_step, report))
            self.algorithm.end_epoch(float(np.mean(losses)))
            self._losses = []
            if self.step < last_step:
                between()

    def state(self) -> dict[str, Any]:
        """Return all that changes, but for the chip: the steps, the algorithm, and what layers keep themselves."""
        return {
            "step": self.step,
            "samples": self.samples,
            "first_sample": self._first_sample,
            "losses": list(self._losses),
            "refreshes": self.refreshes.state(),
            "algorithm": self.algorithm.state(),
            "layers": [state_of(layer, f"layer {number}") for number, layer in enumerate(self.layers)],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned: the program goes on with the next step."""
        self.step = self._begun = int(state["step"])
        self.samples, self._first_sample = int(state["samples"]), int(state["first_sample"])
        self._losses = [float(loss) for loss in state["losses"]]
        self.refreshes.restore(state["refreshes"])
        self.algorithm.restore(state["algorithm"])
        for layer, part in zip(self.layers, state["layers"], strict=True):
            restore_state(layer, part)

    def _batches(self, epoch: int) -> Iterable[Any]:
        """Return what :meth:`_next_step` takes for each mini-batch of an epoch; its length is that of the batch."""
        return batches(self.samples_per_epoch, self.trace.batch_size, epoch, self.seed, shuffle=self.trace.shuffle)

    def _samples(self, indices: np.ndarray) -> tuple[Any, Any]:
        """Return the inputs (n positions, channels) and targets of a mini-batch."""
        return by_position(self.data.x_train[indices], self.trace.network.input.shape), self.data.y_train[indices]

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
        every = self.evaluation.every or self.steps_per_epoch
        evaluated = self.step % every == 0 or self.step == last_step
        test = self.evaluate() if evaluated else (float("nan"), float("nan"))
        report(self._metrics(epoch, loss, rate, test))
        return loss

    def _metrics(self, epoch: int, loss: float, rate: float, test: tuple[float, float]) -> StepMetrics:
        now = self.chip.env.now
        return StepMetrics(self.step - 1, epoch, self.samples, now, self.chip.energy_so_far(), loss, rate, *test)

    def evaluate(self) -> tuple[float, float]:
        """Return loss and accuracy (NaN for real targets) on the data that the trace's ``evaluation`` names.

        Arrays are read through the converters with own random streams, or exactly; no simulated time or energy goes
        by.
        """
        on_training = self.evaluation.data == "training"
        x_test, y_test = (self.data.x_train, self.data.y_train) if on_training else (self.data.x_test, self.data.y_test)
        if not len(x_test):
            return float("nan"), float("nan")
        chunk = max(1, min(EVALUATION_CHUNK, EVALUATION_WORDS // most_words(self.trace.network)))
        starts = range(0, len(x_test), chunk)
        output = np.concatenate([self._evaluated(x_test[start : start + chunk]) for start in starts])
        score = accuracy(output, y_test) if self.data.n_classes is not None else float("nan")
        return self.loss.value(output, y_test), score

    def _evaluated(self, x: np.ndarray) -> np.ndarray:
        """Return the network's output for samples (n, features)."""
        outputs: dict[str, Any] = {"": by_position(x, self.trace.network.input.shape)}
        for layer in self.layers:
            outputs[layer.spec.name] = layer.evaluate(len(x), *(outputs[name] for name in layer.sources))
        return outputs[self.layers[-1].spec.name]

    def weights(self) -> dict[str, np.ndarray]:
        """Return every trained number: ``NAME.weight``, each array's own weights as ``NAME.array0``, and what is
        digital, such as ``NAME.bias`` and ``NAME.scale``. A convolution's weights are (outputs, patch)."""
        found: dict[str, np.ndarray] = {}
        for layer in self.layers:
            name = layer.spec.name
            if isinstance(layer, MatrixStage):
                found[f"{name}.weight"] = layer.placed.weights()
            found |= {f"{name}.{what}": value for what, value in layer.parameters().items()}
            if isinstance(layer, MatrixStage):
                found |= {f"{name}.array{n}": layer.placed.weights(n) for n in range(layer.placed.n_arrays)}
        return found


def most_words(network: NetworkSpec) -> int:
    """Return the most numbers that any layer of a network takes for one sample, patches of convolutions included."""
    streams = (layer.vectors(network.given(layer)) * layer.matrix[1] for layer in network.matrix_layers)
    return max(*streams, *(shape.words for shape in network.shapes.values()))
