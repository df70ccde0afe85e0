"""Replays a recorded trace open loop: the chip gets the vectors that were recorded, whatever it computes itself.

Forward reads take the recorded inputs, backward reads the recorded errors, and each layer is updated with both, as the
algorithm does it. What a trace does not hold is not simulated: the work between the layers, and the loss.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwsim.chip.activity import ActivityChip
from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.known import KnownVectors
from hwsim.chip.operations import Backward, Digital, Forward, Matrix, Move
from hwsim.chip.program import CountDown, Mark, Program, Task
from hwsim.chip.vectors import Vectors
from hwsim.spec.recorded import RecordedLayer, RecordedTraceSpec
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.losses import LOSSES, Loss
from hwsim.training.operations import Operations, operations
from hwsim.training.recorded import RecordedFile, RecordedStep, Stream
from hwsim.training.step import TrainingStep
from hwsim.training.trainer import StepMetrics, Trainer

Emits = Generator[Any, Any, Any]


@dataclass
class ReplayLayer:
    """A recorded layer and its matrix on the chip."""

    spec: RecordedLayer
    matrix: Matrix
    updated: Task | None = None

    def kept_words(self, *, last: bool) -> int:  # noqa: ARG002 (one face for all layers)
        """Return the words that the buffer keeps of a sample from the forward pass to the update: inputs and errors."""
        return self.spec.input_words + self.spec.output_words


def bias_forward(layer: RecordedLayer, vectors: int) -> Emits:
    """Emit the addition of the bias to the outputs of ``vectors`` products."""
    if layer.bias:
        width = layer.outputs
        yield _digital("bias-add", layer, vectors // layer.groups, operations(add=width), width, width)


def fold(layer: RecordedLayer, vectors: int, words: int) -> Emits:
    """Emit the sums of a convolution's errors, which come patch by patch, into the ``words`` of its input."""
    if layer.kind == "conv2d" and layer.kernel != (1, 1):
        cols = layer.matrix[1]
        yield _digital("fold", layer, vectors, operations(add=cols), cols, -(-words // vectors))


def bias_update(layer: RecordedLayer, vectors: int) -> Emits:
    """Emit the update of the bias: each vector adds to its gradient, the step is spread over the vectors."""
    if layer.bias:
        width, n = layer.outputs, vectors // layer.groups
        yield _digital("bias", layer, n, operations(add=width + -(-2 * width // n)), width, 0)


def _digital(name: str, layer: RecordedLayer, n: int, work: Operations, words_in: int, words_out: int) -> Digital:
    return Digital(name, layer.name, n, work, lambda: None, words_in=words_in, words_out=words_out)


class ReplayStep(TrainingStep):
    """The program of one recorded step; ``x`` is the :class:`RecordedStep`."""

    _layers: list[Any]
    _x: Any
    known = False
    """True: no device is kept, so streams are those of vectors that are known."""

    def _through(self, group: int) -> Program:
        """Take one group of samples forward through all layers and its errors back."""
        part = self._groups[group]
        n = part.stop - part.start
        if len(self._groups) > 1:
            yield Mark(self._number, self._first_sample + part.start)
        first = self._layers[0].spec
        yield Move(n, first.input_words)
        for index in range(len(self._layers)):
            yield from self._products(index, group)
        self._losses[group] = float("nan")
        yield from self._errors(group)

    def _stream(self, index: int, group: int | None) -> tuple[Stream, Any, Any] | None:
        """Return a layer's stream with the inputs and errors of a group (None: of all); None if it has none."""
        stream: Stream | None = self._x.streams.get(self._layers[index].spec.name)
        if stream is None:
            return None
        x, d = (KnownVectors(part, stream.vectors) if self.known else part for part in (stream.x, stream.d))
        if group is None:
            return stream, x, d
        part, n, samples = self._groups[group], len(x), len(self._x)
        chosen = slice(n * part.start // samples, n * part.stop // samples)
        return stream, x[chosen], d[chosen]

    def _products(self, index: int, group: int) -> Emits:
        found, layer = self._stream(index, group), self._layers[index]
        if found is not None and len(found[1]):
            yield Forward(layer.matrix, found[1])
            yield from bias_forward(layer.spec, len(found[1]))

    def _errors(self, group: int) -> Emits:
        for index in range(len(self._layers) - 1, -1, -1):
            found, layer = self._stream(index, group), self._layers[index]
            if found is not None and len(found[2]) and layer.spec.backward:
                yield Backward(layer.matrix, found[2])
                n, whole = len(found[2]), found[0].vectors
                yield from fold(layer.spec, n, -(-found[0].words[0] * n // whole))
            yield CountDown(self._done[index])

    def _update(self, index: int) -> Emits:
        found, layer = self._stream(index, None), self._layers[index]
        if found is None:
            return
        stream, x, d = found
        yield from bias_update(layer.spec, stream.vectors)
        # The rate of the step is that of the trace, if it has one for all layers.
        rate = self._rate or stream.learning_rate
        if rate:
            yield from self._refreshes.after(self._algorithm.update(layer.matrix, x, d, rate))


class KnownReplayStep(ReplayStep):
    """The same without devices."""

    known = True


class ReplayTrainer(Trainer):
    """Replays a recorded trace on a chip, at either fidelity.

    Args:
        trace: its description.
        file: its vectors.
        chip: where the matrices are placed; at device fidelity they start with the recorded weights.
        algorithm: how they are placed and updated.
        seed: seed of the algorithm's own choices.

    Raises:
        MappingError: the matrices do not fit the chip.
    """

    trace: Any
    layers: list[Any]

    def __init__(
        self, trace: RecordedTraceSpec, file: RecordedFile, chip: Chip, algorithm: Algorithm, seed: int
    ) -> None:
        self.file = file
        self._rates: deque[float] = deque()
        self.step_type = KnownReplayStep if isinstance(chip, ActivityChip) else ReplayStep  # type: ignore[misc]
        super().__init__(trace, None, chip, algorithm, seed)  # type: ignore[arg-type]

    def _loss(self) -> Loss:
        return LOSSES["mse"]  # A recorded step asks for none.

    def _stages(self) -> list[Any]:
        weights = None if isinstance(self.chip, ActivityChip) else self.file.weights()
        placed = []
        for spec in self.trace.layers:
            # Without devices only the shape is looked at: a matrix of zeros that takes no memory.
            start = np.broadcast_to(np.float32(0), spec.matrix) if weights is None else weights[spec.name]
            matrix = self.algorithm.place(spec.name, start)
            if isinstance(self.chip, ActivityChip) and isinstance(matrix, AnalogMatrix):
                self.chip.expectations(spec.name).check(backward=spec.backward)
            placed.append(ReplayLayer(spec, matrix))
        return placed

    def _place(self) -> None:
        """Leave the matrices where they are: a recorded layer is made with its matrix."""

    def _matrices(self) -> Iterator[Matrix]:
        for layer in self.layers:
            yield layer.matrix

    @property
    def samples_per_epoch(self) -> int:
        """Samples of the file."""
        return int(self.trace.samples)

    @property
    def steps_per_epoch(self) -> int:
        """Steps of the file."""
        return int(self.trace.steps)

    def _batches(self, epoch: int) -> Iterator[RecordedStep]:  # noqa: ARG002 (every epoch replays the file)
        return self.file.steps()

    def _samples(self, indices: Any) -> tuple[Any, Any]:
        return indices, Vectors(len(indices), 1)

    def _next_step(self, indices: Any, rate: Any) -> Program:
        first = next(iter(indices.streams.values()))
        self._rates.append(rate or first.learning_rate)
        return super()._next_step(indices, rate)

    def _metrics(self, epoch: int, loss: float, rate: float, test: tuple[float, float]) -> StepMetrics:  # noqa: ARG002
        return super()._metrics(epoch, float("nan"), self._rates.popleft(), test)

    def evaluate(self) -> tuple[float, float]:
        """Return NaN for loss and accuracy: a trace has no held-out data."""
        return float("nan"), float("nan")

    def weights(self) -> dict[str, np.ndarray]:
        """Return the weights of every matrix and of its arrays; nothing where none are kept."""
        if isinstance(self.chip, ActivityChip):
            return {}
        found = {}
        for layer in self.layers:
            found[f"{layer.spec.name}.weight"] = layer.matrix.weights()
            for array in range(layer.matrix.n_arrays):
                found[f"{layer.spec.name}.array{array}"] = layer.matrix.weights(array)
        return found
