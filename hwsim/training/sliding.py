"""A square window that slides over a grid: the patches of a convolution and the windows of a pooling, in NumPy.

A stream holds the positions of samples as vectors, sample by sample and row by row: (n height width, channels). Most
functions go over the kernel's offsets and move whole grids, which is what NumPy is fast at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.spec.layers import Conv2d, Pool, Shape

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Sliding:
    """A window of ``kernel`` (rows, columns) positions, ``dilation`` apart, in steps of ``stride`` over a grid
    ``given`` with ``padding`` positions around it; ``output`` is the grid of its places."""

    given: Shape
    output: Shape
    kernel: tuple[int, int]
    stride: int = 1
    padding: int = 0
    dilation: int = 1

    @classmethod
    def of(cls, layer: Conv2d | Pool, given: Shape) -> Sliding:
        """Return the window of a convolution or a pooling."""
        output = layer.output(given)
        if layer.kernel is None:
            return cls(given, output, (given.height, given.width))
        dilation = layer.dilation if isinstance(layer, Conv2d) else 1
        side = layer.kernel
        return cls(given, output, (side, side), layer.stride or side, layer.padding, dilation)

    @property
    def positions(self) -> int:
        """Positions that the window covers."""
        return self.kernel[0] * self.kernel[1]

    def patches(self, x: Array, groups: int = 1) -> Array:
        """Return the patches of a stream: (n places groups, channels / groups kernel^2).

        The numbers of a patch are in PyTorch's order, channel by channel; the groups of a place follow each other.
        """
        grid = self._grid(x, 0.0)
        samples = grid.reshape(len(grid), -1)
        places = self.output.positions
        return samples.take(self._index, axis=1).reshape(len(grid) * places * groups, -1)

    @cached_property
    def _index(self) -> NDArray[np.intp]:
        """Where the numbers of all patches of a sample are in its padded grid, one patch after the other."""
        height, width = (length + 2 * self.padding for length in self.given[1:])
        channels = self.given.channels
        grid = np.arange(height * width * channels).reshape(height, width, channels)
        return np.stack([grid[rows, cols] for _, rows, cols in self._offsets()], axis=-1).ravel()

    def fold(self, patches: Array, groups: int = 1) -> Array:
        """Return the stream of which every position has the sum of what the patches hold for it.

        This is the transpose of :meth:`patches`, so it takes errors at patches to errors at the input.
        """
        _, height, width = self.output
        channels = self.given.channels
        places = patches.reshape(-1, height, width, channels, self.positions)
        assert patches.shape[1] * groups == channels * self.positions
        grid = self._empty(len(places), channels)
        for number, rows, cols in self._offsets():
            grid[:, rows, cols] += places[..., number]
        return self._stream(grid)

    def largest(self, x: Array) -> tuple[Array, NDArray[np.unsignedinteger[Any]]]:
        """Return the largest number of each window and channel, (n places, channels), and its offset in the window.

        Of equal numbers the first one counts; positions of the padding never do.
        """
        grid = self._grid(x, -np.inf)
        _, height, width = self.output
        best = np.full((len(grid), height, width, grid.shape[3]), -np.inf, np.float32)
        small = np.min_scalar_type(self.positions)
        where = np.zeros(best.shape, small)
        for number, rows, cols in self._offsets():
            there = grid[:, rows, cols]
            # Offsets grow, so the last one that was better is the largest one that was.
            np.maximum(where, (there > best) * small.type(number), out=where)
            np.maximum(best, there, out=best)
        return best.reshape(-1, best.shape[3]), where.reshape(-1, best.shape[3])

    def to_the_largest(self, error: Array, where: NDArray[np.unsignedinteger[Any]]) -> Array:
        """Return the errors at the input of :meth:`largest`: each goes where its number came from."""
        _, height, width = self.output
        shape = (-1, height, width, error.shape[1])
        errors, offsets = error.reshape(shape), where.reshape(shape)
        grid = self._empty(len(errors), error.shape[1])
        for number, rows, cols in self._offsets():
            grid[:, rows, cols] += errors * (offsets == number)
        return self._stream(grid)

    def mean(self, x: Array) -> Array:
        """Return the mean of each window and channel, (n places, channels); the padding counts as zeros."""
        grid = self._grid(x, 0.0)
        _, height, width = self.output
        total = np.zeros((len(grid), height, width, grid.shape[3]), np.float32)
        for _, rows, cols in self._offsets():
            total += grid[:, rows, cols]
        return total.reshape(-1, grid.shape[3]) / np.float32(self.positions)

    def spread(self, error: Array) -> Array:
        """Return the errors at the input of :meth:`mean`: each is shared by its window."""
        _, height, width = self.output
        share = (error / np.float32(self.positions)).reshape(-1, height, width, error.shape[1])
        grid = self._empty(len(share), error.shape[1])
        for _, rows, cols in self._offsets():
            grid[:, rows, cols] += share
        return self._stream(grid)

    def _offsets(self) -> Iterator[tuple[int, slice, slice]]:
        """Yield each offset of the window, with the rows and columns of the grid that it meets."""
        _, height, width = self.output
        for number in range(self.positions):
            row, col = (self.dilation * index for index in divmod(number, self.kernel[1]))
            rows = slice(row, row + self.stride * (height - 1) + 1, self.stride)
            yield number, rows, slice(col, col + self.stride * (width - 1) + 1, self.stride)

    def _grid(self, x: Array, around: float) -> Array:
        grid = x.reshape(-1, self.given.height, self.given.width, x.shape[1])
        if not self.padding:
            return grid
        edge = (self.padding, self.padding)
        return np.pad(grid, ((0, 0), edge, edge, (0, 0)), constant_values=np.float32(around))

    def _empty(self, n: int, channels: int) -> Array:
        padded = 2 * self.padding
        return np.zeros((n, self.given.height + padded, self.given.width + padded, channels), np.float32)

    def _stream(self, grid: Array) -> Array:
        inside = slice(self.padding, -self.padding or None)
        return np.ascontiguousarray(grid[:, inside, inside]).reshape(-1, grid.shape[3])
