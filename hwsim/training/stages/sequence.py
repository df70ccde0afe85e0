"""Attention and embeddings: time and energy only. Operations are counted for one vector, one position of a sample:

========== ============================================= ==============================================
stage      forward                                       backward
========== ============================================= ==============================================
attention  2 tokens x channels products and additions;   twice the products and additions; two products
           a product, a comparison, two additions, an    and an addition a score
           exponential and a division a score
embedding  additions of the looked-up rows               none
========== ============================================= ==============================================

where a score is a head and a token attended to. The unit reads the queries, keys and values of a window once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.operations import Digital
from hwsim.spec.layers import Attention, Embedding
from hwsim.training.operations import operations
from hwsim.training.stages.base import Emits, KeptStage, Pass


class AttentionStage(KeptStage):
    """Attention on the digital unit; its scores are kept for the backward pass."""

    spec: Attention
    computes: ClassVar[bool] = False

    def kept_words(self, *, last: bool) -> int:
        """Return output and scores."""
        return super().kept_words(last=last) + self.output.positions * self._scores

    @property
    def _scores(self) -> int:
        return self.spec.heads * self.spec.tokens(self.given)

    def forward(self, seen: Pass, *inputs: Any) -> Emits:  # noqa: ARG002
        """Emit scores, their softmax, and the mean of the values."""
        width, scores = self.output.channels, self._scores
        products = 2 * self.spec.tokens(self.given) * width
        bias = scores if self.spec.relative_bias else 0
        work = operations(
            mul=products + scores, add=products + 2 * scores + bias, compare=scores, nonlinear=scores, div=scores
        )
        return (yield from self.work("attention", seen.n, work, 3 * width, width + scores))

    def backward(self, seen: Pass, error: Any) -> Emits:  # noqa: ARG002
        """Emit the errors of queries, keys and values."""
        width, scores = self.output.channels, self._scores
        products = 4 * self.spec.tokens(self.given) * width
        work = operations(mul=products + 2 * scores, add=products + scores)
        return (yield from self.work("attention-backward", seen.n, work, 4 * width + scores, 3 * width))

    def digital_update(self, passes: Sequence[Pass], rate: np.float32) -> Emits:  # noqa: ARG002
        """Emit the update of the relative biases: every score adds to a gradient."""
        numbers = self.spec.parameters(self.given)
        if numbers:
            n = sum(seen.n for seen in passes)
            share = -(-2 * numbers // (n * self.output.positions))
            yield from self.work("relative-bias", n, operations(add=self._scores + share), self._scores, 0)


class EmbeddingStage(KeptStage):
    """Look-ups in tables that are in the buffer."""

    spec: Embedding
    computes: ClassVar[bool] = False

    def forward(self, seen: Pass, *inputs: Any) -> Emits:  # noqa: ARG002
        """Emit the look-ups and their sum."""
        width, tables = self.spec.width, len(self.spec.entries)
        vectors = seen.n * self.output.positions
        yield Digital(
            "embedding", self.spec.name, vectors, operations(add=(tables - 1) * width), lambda: None,
            words_in=tables * (width + 1), words_out=width,
        )  # fmt: skip
        return self.numbers(lambda: None, vectors, width)

    def backward(self, seen: Pass, error: Any) -> Emits:  # noqa: ARG002
        """Emit nothing: an index has no error."""
        yield from ()

    def digital_update(self, passes: Sequence[Pass], rate: np.float32) -> Emits:  # noqa: ARG002
        """Emit the steps of the rows that were looked up."""
        n, width, rows = sum(seen.n for seen in passes), self.spec.width, len(self.spec.entries) * self.spec.width
        yield from self.work("embedding-update", n, operations(mul=width, add=rows), width + rows, rows)
