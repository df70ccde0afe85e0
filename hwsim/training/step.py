"""One training step as a program: a mini-batch goes forward and back through the layers, then every layer is updated.

How much of it runs side by side is the chip's schedule: nothing, the update of a layer beside the backward pass below
it, or groups of samples that follow each other through the layers like the stages of a pipeline.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator
from typing import Any

import numpy as np

from hwsim.chip.operations import Digital, Move
from hwsim.chip.program import Await, Claim, CountDown, Free, Join, Latch, Mark, Program, Start, Task
from hwsim.errors import RunError
from hwsim.spec.chip import ScheduleSpec
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.losses import Loss
from hwsim.training.refresh import Refreshes
from hwsim.training.stages import MatrixStage, Pass, Stage

Emits = Generator[Any, Any, Any]


class TrainingStep:
    """The program of one mini-batch with its targets, at learning rate ``rate``.

    ``x`` (n positions, channels) are the positions of its samples, ``target`` has one row a sample.
    """

    def __init__(
        self,
        layers: list[Stage],
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
        self._n = len(target)
        self._groups = list(_parts(self._n, schedule.group(self._n)))
        self._passes: list[dict[int, Pass]] = [{} for _ in layers]
        self._losses: dict[int, float] = {}
        self._done = [Latch(f"the errors of layer '{layer.spec.name}'", len(self._groups)) for layer in layers]

    def program(self) -> Program:
        """Emit the step; it returns the mean loss of the mini-batch."""
        n = self._n
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
        n, positions = part.stop - part.start, len(self._x) // self._n
        x, target = self._x[part.start * positions : part.stop * positions], self._target[part]
        if len(self._groups) > 1:
            yield Mark(self._number, self._first_sample + part.start)
        yield Move(n, positions * x.shape[1])
        output = yield from self._forward(group, n, x)
        width = output.shape[1]
        loss, error = yield Digital(
            "loss", "", n, self._loss.operations(width), lambda: self._loss.value_and_error(output, target),
            words_in=width, words_out=width,
        )  # fmt: skip
        self._losses[group] = loss
        if len(self._groups) > 1:
            # A loss is the mean over the mini-batch, not over the group.
            error = error * np.float32(n / self._n)
        yield from self._backward(group, n, error)

    def _forward(self, group: int, n: int, x: Any) -> Emits:
        outputs = {"": x}
        for index, layer in enumerate(self._layers):
            seen = self._passes[index][group] = Pass(n)
            x = yield from layer.forward(seen, *(outputs[name] for name in layer.sources))
            if isinstance(x, np.ndarray) and not np.isfinite(x).all():
                raise RunError(
                    f"layer '{layer.spec.name}' gives values that are not finite at step {self._number}: "
                    "it has diverged"
                )
            outputs[layer.spec.name] = x
        return x

    def _backward(self, group: int, n: int, error: Any) -> Emits:
        errors: dict[str, list[Any]] = defaultdict(list)
        errors[self._layers[-1].spec.name] = [error]
        for index in range(len(self._layers) - 1, -1, -1):
            layer = self._layers[index]
            of_readers = errors.pop(layer.spec.name)
            if layer.wanted or layer.learns:
                error = yield from layer.error_sum(n, of_readers)
                error = yield from layer.backward(self._passes[index][group], error)
            for name in layer.sources:
                errors[name].append(error)
            yield CountDown(self._done[index])

    # Updates

    def _update(self, index: int) -> Emits:
        """Update what is digital, and the matrix as the algorithm does."""
        layer = self._layers[index]
        passes = [self._passes[index][group] for group in range(len(self._groups))]
        yield from layer.digital_update(passes, np.float32(self._rate))
        if isinstance(layer, MatrixStage):
            x, d = layer.streams(passes)
            yield from self._refreshes.after(self._algorithm.update(layer.placed, x, d, self._rate))


def kept_words(layers: list[Stage]) -> list[int]:
    """Return the words that the buffer keeps of one sample for each layer."""
    return [layer.kept_words(last=layer is layers[-1]) for layer in layers]


def _parts(n: int, size: int) -> Iterator[slice]:
    for start in range(0, n, size):
        yield slice(start, min(n, start + size))
