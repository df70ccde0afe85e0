"""Layers that only say which numbers of the buffer belong together: nothing moves, so nothing is emitted."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from hwsim.spec.layers import Shape, SpaceToDepth
from hwsim.training.stages.base import Emits, Pass, Stage


class ReshapeStage(Stage):
    """A layer without work of its own."""

    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Return the output."""
        yield from ()
        vectors = seen.n * self.output.positions
        return self.numbers(lambda: self.evaluate(seen.n, *inputs), vectors, self.output.channels)

    def backward(self, seen: Pass, error: Any) -> Emits:
        """Return the error at the input."""
        yield from ()
        return self.numbers(lambda: self.error(seen.n, error), *self.at_inputs(seen.n))

    @abstractmethod
    def error(self, n: int, error: np.ndarray) -> np.ndarray:
        """Return the error at the input for that at the output."""


class FlattenStage(ReshapeStage):
    """All numbers of a sample as one vector, in PyTorch's order: channel by channel."""

    def evaluate(self, n: int, *inputs: Any) -> Any:  # noqa: ARG002
        """Return (n, words)."""
        return by_channel(inputs[0], self.given)

    def error(self, n: int, error: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """Return (n positions, channels)."""
        return by_position(error, self.given)


class SpaceToDepthStage(ReshapeStage):
    """Squares of positions as one position with all their channels."""

    spec: SpaceToDepth

    def evaluate(self, n: int, *inputs: Any) -> Any:
        """Return the stream of the smaller grid."""
        channels, height, width = self.output
        side = self.spec.factor
        grid = inputs[0].reshape(n, height, side, width, side, self.given.channels)
        return np.ascontiguousarray(grid.transpose(0, 1, 3, 5, 2, 4)).reshape(-1, channels)

    def error(self, n: int, error: np.ndarray) -> np.ndarray:
        """Return the errors on the larger grid."""
        _, height, width = self.output
        side = self.spec.factor
        grid = error.reshape(n, height, width, self.given.channels, side, side)
        return np.ascontiguousarray(grid.transpose(0, 1, 4, 2, 5, 3)).reshape(-1, self.given.channels)


class FirstPositionStage(ReshapeStage):
    """The first position of each sample."""

    def evaluate(self, n: int, *inputs: Any) -> Any:
        """Return (n, channels)."""
        return np.ascontiguousarray(inputs[0].reshape(n, self.given.positions, self.given.channels)[:, 0])

    def error(self, n: int, error: np.ndarray) -> np.ndarray:
        """Return zeros but at the first position."""
        grid = np.zeros((n, self.given.positions, self.given.channels), np.float32)
        grid[:, 0] = error
        return grid.reshape(-1, self.given.channels)


def by_position(x: np.ndarray, shape: Shape) -> np.ndarray:
    """Return samples (n, words), stored channel by channel, as a stream (n positions, channels)."""
    if 1 in (shape.channels, shape.positions):
        return x.reshape(-1, shape.channels)
    return np.ascontiguousarray(x.reshape(-1, shape.channels, shape.positions).swapaxes(1, 2)).reshape(
        -1, shape.channels
    )


def by_channel(x: np.ndarray, shape: Shape) -> np.ndarray:
    """Return a stream (n positions, channels) as samples (n, words), stored channel by channel."""
    if 1 in (shape.channels, shape.positions):
        return x.reshape(-1, shape.words)
    return np.ascontiguousarray(x.reshape(-1, shape.positions, shape.channels).swapaxes(1, 2)).reshape(-1, shape.words)
