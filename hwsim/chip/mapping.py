"""Splits a weight matrix over tiles."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """The part of a matrix that one tile holds: half-open ranges of rows and columns."""

    tile: int
    row_start: int
    row_stop: int
    col_start: int
    col_stop: int

    @property
    def rows(self) -> slice:
        """Rows of the matrix."""
        return slice(self.row_start, self.row_stop)

    @property
    def cols(self) -> slice:
        """Columns of the matrix."""
        return slice(self.col_start, self.col_stop)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the block."""
        return self.row_stop - self.row_start, self.col_stop - self.col_start


def split(shape: tuple[int, int], tile_shape: tuple[int, int], first_tile: int) -> list[list[Block]]:
    """Split a (rows, cols) matrix into the fewest equal blocks that fit a tile.

    Returns the blocks as a grid ``[row block][column block]``; tiles are numbered row by row from ``first_tile``.
    """
    row_edges = _edges(shape[0], tile_shape[0])
    col_edges = _edges(shape[1], tile_shape[1])
    n_cols = len(col_edges) - 1
    return [
        [
            Block(first_tile + i * n_cols + j, row_edges[i], row_edges[i + 1], col_edges[j], col_edges[j + 1])
            for j in range(n_cols)
        ]
        for i in range(len(row_edges) - 1)
    ]


def _edges(length: int, limit: int) -> list[int]:
    parts = -(-length // limit)
    return [length * part // parts for part in range(parts + 1)]
