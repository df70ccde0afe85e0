"""What every layer is in a training step: what it sends to matrices and to the digital unit, and its numbers.

Between layers go streams of vectors, a vector for each position of each sample: (n positions, channels). At activity
fidelity they are :class:`Vectors`, and nothing is computed; what is emitted is the same.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.operations import Digital
from hwsim.chip.program import Task
from hwsim.chip.vectors import Vectors
from hwsim.spec.layers import NamedLayer, Shape
from hwsim.training.operations import Operations, operations

Emits = Generator[Any, Any, Any]
Numbers = Callable[[Callable[[], Any], int, int], Any]
"""What stands for the (vectors, lines) that a function would compute."""


def known(compute: Callable[[], Any], vectors: int, lines: int) -> Any:  # noqa: ARG001
    """Compute it."""
    return compute()


def unknown(compute: Callable[[], Any], vectors: int, lines: int) -> Any:
    """Return a stream of that size, and compute nothing."""
    del compute
    return Vectors(vectors, lines)


@dataclass
class Pass:
    """What a layer keeps of one group of ``n`` samples from its forward pass to its update.

    ``x`` are its inputs (those of a matrix: its vectors), ``z`` a matrix's own output, ``output`` what the layer gives,
    ``d`` the error at scale z + bias and ``at_matrix`` that at the matrix; ``memory`` is whatever else its backward
    pass needs.
    """

    n: int
    x: Any = None
    z: Any = None
    output: Any = None
    d: Any = None
    at_matrix: Any = None
    memory: Any = None


@dataclass
class Stage(ABC):
    """A layer in a training step of ``n`` samples at a time.

    ``given`` and ``output`` are the shapes of a sample, ``sources`` the layers whose outputs it takes, ``readers`` how
    many take its own. ``first``: it takes the network's input; ``learns``: it has trained numbers; ``wanted``: a layer
    before it has some, and needs the errors at this one's inputs. Without either there is no backward pass.
    """

    spec: NamedLayer
    given: Shape
    output: Shape
    sources: tuple[str, ...]
    readers: int
    first: bool
    learns: bool
    wanted: bool
    numbers: Numbers = known
    updated: Task | None = None

    computes: ClassVar[bool] = True
    """Whether it has numbers; False: time and energy only, at activity fidelity."""

    def kept_words(self, *, last: bool) -> int:  # noqa: ARG002 (one face for all stages)
        """Return the words that the buffer keeps for one sample from the forward pass to the update."""
        return self.given.words if self.first else 0

    @abstractmethod
    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Emit the forward pass of a group of samples; returns the output."""

    @abstractmethod
    def backward(self, seen: Pass, error: Any) -> Emits:
        """Emit the backward pass, given the error at the output; returns that at the inputs, None if it is not wanted.

        Several inputs share one error.
        """

    def evaluate(self, n: int, *inputs: Any) -> Any:  # noqa: ARG002 (those that compute have one)
        """Return the output for ``n`` samples, as a trained network gives it; emits nothing and changes nothing.

        Raises:
            TypeError: the stage computes nothing.
        """
        raise TypeError(f"{type(self).__name__} has no numbers to evaluate")

    def digital_update(self, passes: Sequence[Pass], rate: np.float32) -> Emits:  # noqa: ARG002
        """Emit the update of what is digital by a mini-batch, which came in groups."""
        yield from ()

    def parameters(self) -> dict[str, np.ndarray]:
        """Return copies of the digital numbers that it has learnt, by name."""
        return {}

    def error_sum(self, n: int, errors: Sequence[Any]) -> Emits:
        """Add the errors up that come from several layers; returns the sum."""
        if len(errors) == 1:
            return errors[0]
        width = self.output.channels
        return (
            yield from self.work(
                "error-sum", n, operations(add=(len(errors) - 1) * width), len(errors) * width, width,
                lambda: np.add.reduce(errors),
            )
        )  # fmt: skip

    def work(
        self,
        name: str,
        n: int,
        work: Operations,
        words_in: int,
        words_out: int,
        compute: Callable[[], Any] = lambda: None,
    ) -> Emits:
        """Emit digital work on every position of the output of ``n`` samples, if there is any.

        Returns the stream of outputs that ``compute`` gives.
        """
        return (
            yield from self.work_on(
                name, n * self.output.positions, work, words_in, words_out, compute,
                (n * self.output.positions, self.output.channels),
            )
        )  # fmt: skip

    def work_on(
        self,
        name: str,
        vectors: int,
        work: Operations,
        words_in: int,
        words_out: int,
        compute: Callable[[], Any],
        size: tuple[int, int],
    ) -> Emits:
        """Emit digital work on a number of vectors, if there is any; ``size`` is that of the stream it results in."""
        if not work:
            return self.numbers(compute, *size)
        return (
            yield Digital(
                name, self.spec.name, vectors, work, lambda: self.numbers(compute, *size), words_in=words_in,
                words_out=words_out,
            )
        )  # fmt: skip

    def at_inputs(self, n: int) -> tuple[int, int]:
        """Return the size of the stream of ``n`` samples that it takes."""
        return n * self.given.positions, self.given.channels


class KeptStage(Stage):
    """A stage whose output stays in the buffer until the update."""

    def kept_words(self, *, last: bool) -> int:
        """Return the output, and the network's input where the stage takes it."""
        return super().kept_words(last=last) + self.output.words
