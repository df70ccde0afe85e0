"""The layers of a network as stages of a training step: what each sends to matrices and to the digital unit.

Streams are unknown vectors, so a stage only says how many there are, how wide they are and what is done with each.
Operations of the digital unit are counted for one vector, one position of a sample:

========== ============================================= ==============================================
stage      forward                                       backward
========== ============================================= ==============================================
norm       4 additions, 3 products a number (mean,       4 additions, 4 products a number (gradients of
           variance, scale, factor and offset)           factor and offset, and of the input)
max pool   a comparison for each further number          an addition a number
average    an addition for each further number,          a product a number
           a product
add        an addition a number                          none: the error goes both ways
attention  2 tokens x channels products and additions;   twice the products and additions; two products
           a product, a comparison, two additions, an    and an addition a score
           exponential and a division a score
embedding  additions of the looked-up rows               none
========== ============================================= ==============================================

where a score is a head and a token attended to. The unit reads the queries, keys and values of a window once.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from hwsim.chip.operations import Backward, Digital, Forward, Matrix
from hwsim.chip.program import Task
from hwsim.chip.vectors import Vectors
from hwsim.spec.architecture import (
    Activation,
    Add,
    Attention,
    Embedding,
    MatrixLayer,
    NamedLayer,
    Norm,
    Pool,
    Shape,
)
from hwsim.spec.architecture import Digital as DigitalLayer
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.operations import Operations, operations, plus

Emits = Generator[Any, Any, Any]


@dataclass
class Stage:
    """A layer in a training step of ``n`` samples at a time.

    ``given`` and ``output`` are the shapes of a sample, ``readers`` how many layers take the output, ``first`` whether
    it takes the network's input. This one does nothing: a reshape.
    """

    spec: NamedLayer
    given: Shape
    output: Shape
    readers: int
    first: bool
    updated: Task | None = None

    def kept_words(self, *, last: bool) -> int:  # noqa: ARG002 (one face for all stages)
        """Return the words that the buffer keeps for one sample from the forward pass to the update."""
        return self.given.words if self.first else 0

    def forward(self, n: int) -> Emits:  # noqa: ARG002
        """Emit the forward pass of ``n`` samples."""
        yield from ()

    def backward(self, n: int) -> Emits:  # noqa: ARG002
        """Emit the backward pass of ``n`` samples, whose errors have been added up."""
        yield from ()

    def digital_update(self, n: int) -> Emits:  # noqa: ARG002
        """Emit the update of what is digital, by a mini-batch of ``n`` samples."""
        yield from ()

    def error_sum(self, n: int) -> Emits:
        """Add the errors up that come from several layers."""
        if self.readers > 1:
            width = self.output.channels
            yield self.work("error-sum", n, operations(add=(self.readers - 1) * width), self.readers * width, width)

    def work(self, name: str, n: int, work: Operations, words_in: int, words_out: int) -> Digital:
        """Return digital work on every position of the output of ``n`` samples."""
        return self.work_on(name, n * self.output.positions, work, words_in, words_out)

    def work_on(self, name: str, vectors: int, work: Operations, words_in: int, words_out: int) -> Digital:
        """Return digital work on a number of vectors."""
        return Digital(name, self.spec.name, vectors, work, lambda: None, words_in=words_in, words_out=words_out)


class KeptStage(Stage):
    """A stage whose output stays in the buffer until the update."""

    def kept_words(self, *, last: bool) -> int:
        """Return the output, and the network's input where the stage takes it."""
        return super().kept_words(last=last) + self.output.words


@dataclass
class MatrixStage(KeptStage):
    """A linear or convolutional layer; ``matrix`` is on the chip."""

    spec: MatrixLayer
    matrix: Matrix | None = None

    def kept_words(self, *, last: bool) -> int:
        """Return the output, the errors at it, and the network's input where the stage takes it."""
        return super().kept_words(last=last) + self.output.words

    def streams(self, n: int) -> tuple[Vectors, Vectors]:
        """Return the inputs (n vectors, cols) and the errors (n vectors, rows) of ``n`` samples."""
        rows, cols = self.spec.matrix
        vectors = n * self.spec.vectors(self.given)
        return Vectors(vectors, cols), Vectors(vectors, rows)

    def forward(self, n: int) -> Emits:
        """Emit the products, then bias and activation where there are any."""
        x: Any = self.streams(n)[0]
        yield Forward(self._placed, x)
        width = self.output.channels
        work = plus(forward_work(self.spec.activation, width), operations(add=width if self.spec.bias else 0))
        if work:
            yield self.work("activation", n, work, width, width)

    def backward(self, n: int) -> Emits:
        """Emit the activation's share and, unless nobody needs them, the errors at the inputs.

        A convolution's errors come patch by patch; each is added into the map of its input.
        """
        width = self.output.channels
        work = backward_work(self.spec.activation, width)
        if work:
            yield self.work("activation-backward", n, work, 2 * width, width)
        if self.first:
            return
        errors: Any = self.streams(n)[1]
        yield Backward(self._placed, errors)
        if self.spec.folds:
            cols = self.spec.matrix[1]
            vectors = self.spec.vectors(self.given)
            folded = -(-self.given.words // vectors)
            yield self.work_on("fold", n * vectors, operations(add=cols), cols, folded)

    def digital_update(self, n: int) -> Emits:
        """Emit the update of the bias: each vector adds to its gradient, the step is spread over the vectors."""
        if self.spec.bias:
            width = self.output.channels
            share = -(-2 * width // (n * self.output.positions))
            yield self.work("bias", n, operations(add=width + share), width, 0)

    @property
    def _placed(self) -> Matrix:
        assert self.matrix is not None
        return self.matrix


class NormStage(KeptStage):
    """A normalisation. That of a mini-batch goes over its input twice: for mean and variance, and to normalise."""

    spec: Norm

    def forward(self, n: int) -> Emits:
        """Emit the normalisation and the activation."""
        width, passes = self.output.channels, self._passes
        work = plus(
            operations(add=4 * width, mul=3 * width), self._deviation(n), forward_work(self.spec.activation, width)
        )
        yield self.work("norm", n, work, passes * width, width)

    def backward(self, n: int) -> Emits:
        """Emit the gradients."""
        width, passes = self.output.channels, self._passes
        work = plus(operations(add=4 * width, mul=4 * width), backward_work(self.spec.activation, width))
        yield self.work("norm-backward", n, work, 2 * passes * width, width)

    def digital_update(self, n: int) -> Emits:  # noqa: ARG002
        """Emit the step of factor and offset."""
        numbers = 2 * self.output.channels
        yield self.work_on("norm-parameters", 1, operations(mul=numbers, add=numbers), 2 * numbers, numbers)

    @property
    def _passes(self) -> int:
        return 2 if self.spec.kind == "batch_norm" else 1

    def _deviation(self, n: int) -> Operations:
        """A root and a division: for each vector, or for each channel of a mini-batch, spread over its vectors."""
        share = 1
        if self.spec.kind == "batch_norm":
            share = -(-self.output.channels // (n * self.output.positions))
        return operations(div=share, nonlinear=share)


class PoolStage(KeptStage):
    """A pooling."""

    spec: Pool

    def kept_words(self, *, last: bool) -> int:
        """Return the output, and for a maximum where it came from."""
        return super().kept_words(last=last) + (self.output.words if self.spec.kind == "max_pool" else 0)

    def forward(self, n: int) -> Emits:
        """Emit the maxima or means."""
        width, window = self.output.channels, self.spec.window(self.given)
        further = (window - 1) * width
        work = operations(compare=further) if self.spec.kind == "max_pool" else operations(add=further, mul=width)
        yield self.work("pool", n, work, window * width, width)

    def backward(self, n: int) -> Emits:
        """Emit the errors of every input."""
        width = self.output.channels
        most = self.spec.kind == "max_pool"
        spread = -(-self.given.words // self.output.positions)
        work = operations(add=width) if most else operations(mul=width)
        yield self.work("pool-backward", n, work, (2 if most else 1) * width, spread)


class AddStage(KeptStage):
    """A residual connection."""

    spec: Add

    def forward(self, n: int) -> Emits:
        """Emit the sums and the activation."""
        width = self.output.channels
        work = plus(operations(add=width), forward_work(self.spec.activation, width))
        yield self.work("add", n, work, 2 * width, width)

    def backward(self, n: int) -> Emits:
        """Emit the activation's share."""
        width = self.output.channels
        work = backward_work(self.spec.activation, width)
        if work:
            yield self.work("activation-backward", n, work, 2 * width, width)


class AttentionStage(KeptStage):
    """Attention on the digital unit; its scores are kept for the backward pass."""

    spec: Attention

    def kept_words(self, *, last: bool) -> int:
        """Return output and scores."""
        return super().kept_words(last=last) + self.output.positions * self._scores

    @property
    def _scores(self) -> int:
        return self.spec.heads * self.spec.tokens(self.given)

    def forward(self, n: int) -> Emits:
        """Emit scores, their softmax, and the mean of the values."""
        width, scores = self.output.channels, self._scores
        products = 2 * self.spec.tokens(self.given) * width
        bias = scores if self.spec.relative_bias else 0
        work = operations(
            mul=products + scores, add=products + 2 * scores + bias, compare=scores, nonlinear=scores, div=scores
        )
        yield self.work("attention", n, work, 3 * width, width + scores)

    def backward(self, n: int) -> Emits:
        """Emit the errors of queries, keys and values."""
        width, scores = self.output.channels, self._scores
        products = 4 * self.spec.tokens(self.given) * width
        work = operations(mul=products + 2 * scores, add=products + scores)
        yield self.work("attention-backward", n, work, 4 * width + scores, 3 * width)

    def digital_update(self, n: int) -> Emits:
        """Emit the update of the relative biases: every score adds to a gradient."""
        numbers = self.spec.parameters(self.given)
        if numbers:
            share = -(-2 * numbers // (n * self.output.positions))
            yield self.work("relative-bias", n, operations(add=self._scores + share), self._scores, 0)


class EmbeddingStage(KeptStage):
    """Look-ups in tables that are in the buffer."""

    spec: Embedding

    def forward(self, n: int) -> Emits:
        """Emit the look-ups and their sum."""
        width, tables = self.spec.width, len(self.spec.entries)
        yield self.work("embedding", n, operations(add=(tables - 1) * width), tables * (width + 1), width)

    def digital_update(self, n: int) -> Emits:
        """Emit the steps of the rows that were looked up."""
        width, rows = self.spec.width, len(self.spec.entries) * self.spec.width
        yield self.work("embedding-update", n, operations(mul=width, add=rows), width + rows, rows)


class DigitalStage(KeptStage):
    """Any work of the digital unit; it reads all that it takes once, and backward also what it gave."""

    spec: DigitalLayer

    def kept_words(self, *, last: bool) -> int:
        """Return the output; a reshape keeps nothing of its own."""
        return super().kept_words(last=last) if self.spec.forward else Stage.kept_words(self, last=last)

    @property
    def _share(self) -> int:
        """Numbers that come in for each position of the output."""
        return -(-self.given.words * (1 + len(self.spec.also)) // self.output.positions)

    def forward(self, n: int) -> Emits:
        """Emit the work."""
        width = self.output.channels
        if self.spec.forward:
            work = operations(**{kind: count * width for kind, count in self.spec.forward.items()})
            yield self.work(self.spec.operator, n, work, self._share, width)

    def backward(self, n: int) -> Emits:
        """Emit the work of its derivative."""
        width = self.output.channels
        if self.spec.backward:
            work = operations(**{kind: count * width for kind, count in self.spec.backward.items()})
            yield self.work(f"{self.spec.operator}-backward", n, work, width + self._share, self._share)

    def digital_update(self, n: int) -> Emits:
        """Emit the step of its trained numbers."""
        if self.spec.trained:
            vectors, numbers = (n, self.output.words) if self.spec.looks_up else (1, self.spec.trained)
            yield self.work_on("parameters", vectors, operations(mul=numbers, add=numbers), 2 * numbers, numbers)


STAGES: dict[type[NamedLayer], type[Stage]] = {
    Norm: NormStage,
    Pool: PoolStage,
    Add: AddStage,
    Attention: AttentionStage,
    Embedding: EmbeddingStage,
    DigitalLayer: DigitalStage,
}
"""The stage of each kind of digital layer; a reshape has none of its own."""


def forward_work(activation: Activation, width: int) -> Operations:
    """Return the operations of an activation for one vector; GELU is a look-up and a product a number."""
    if activation == "gelu":
        return operations(mul=width, nonlinear=width)
    return ACTIVATIONS[activation].forward_operations(width)


def backward_work(activation: Activation, width: int) -> Operations:
    """Return the operations of its derivative; that of GELU is a look-up and a product a number."""
    if activation == "gelu":
        return operations(mul=width, nonlinear=width)
    return ACTIVATIONS[activation].backward_operations(width)
