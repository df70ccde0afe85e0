"""Layers of which only shapes and operation counts are known, as files of other programs give them: time and energy
only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.vectors import Vectors
from hwsim.spec.layers import DigitalWork, Products
from hwsim.training.operations import Operations, operations
from hwsim.training.stages.base import Emits, KeptStage, Pass, Stage
from hwsim.training.stages.matrix import MatrixStage


class ProductsStage(MatrixStage):
    """A matrix that is multiplied with a number of vectors a sample."""

    spec: Products
    computes: ClassVar[bool] = False

    def _vectors(self, n: int, x: Any) -> Any:  # noqa: ARG002
        return Vectors(n * self.spec.per_sample, self.spec.inputs)

    def _of_own_group(self, n: int, z: Any) -> Any:  # noqa: ARG002
        return Vectors(n * self.output.positions, self.output.channels)

    def _to_own_group(self, n: int, d: Any) -> Any:  # noqa: ARG002
        return Vectors(n * self.spec.per_sample, self.spec.outputs)

    def _folded(self, n: int, errors: Any) -> Emits:  # noqa: ARG002
        cols, vectors = self.spec.inputs, self.spec.per_sample
        work: Operations = operations(add=cols) if self.spec.patches else {}
        words = -(-self.given.words // vectors)
        return (yield from self.work_on("fold", n * vectors, work, cols, words, lambda: None, self.at_inputs(n)))


class DigitalWorkStage(KeptStage):
    """Any work of the digital unit; it reads all that it takes once, and backward also what it gave."""

    spec: DigitalWork
    computes: ClassVar[bool] = False

    def kept_words(self, *, last: bool) -> int:
        """Return the output; a reshape keeps nothing of its own."""
        return super().kept_words(last=last) if self.spec.forward else Stage.kept_words(self, last=last)

    @property
    def _share(self) -> int:
        """Numbers that come in for each position of the output."""
        return -(-self.given.words * (1 + len(self.spec.also)) // self.output.positions)

    def _operations(self, counts: dict[Any, int]) -> Operations:
        return operations(**{kind: count * self.output.channels for kind, count in counts.items()})

    def forward(self, seen: Pass, *inputs: Any) -> Emits:  # noqa: ARG002
        """Emit the work."""
        work = self._operations(self.spec.forward)
        return (yield from self.work(self.spec.operator, seen.n, work, self._share, self.output.channels))

    def backward(self, seen: Pass, error: Any) -> Emits:  # noqa: ARG002
        """Emit the work of its derivative."""
        work, words = self._operations(self.spec.backward), self.output.channels + self._share
        vectors = seen.n * self.output.positions
        name = f"{self.spec.operator}-backward"
        return (
            yield from self.work_on(name, vectors, work, words, self._share, lambda: None, self.at_inputs(seen.n))
        )  # fmt: skip

    def digital_update(self, passes: Sequence[Pass], rate: np.float32) -> Emits:  # noqa: ARG002
        """Emit the step of its trained numbers."""
        if self.spec.trained:
            n = sum(seen.n for seen in passes)
            vectors, numbers = (n, self.output.words) if self.spec.looks_up else (1, self.spec.trained)
            work = operations(mul=numbers, add=numbers)
            yield from self.work_on("parameters", vectors, work, 2 * numbers, numbers, lambda: None, (0, 0))
