"""Splits a weight matrix over tiles, and finds places for the blocks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Block:
    """The part of a matrix that one tile holds: half-open ranges of rows and columns."""

    tile: int
    row_start: int
    row_stop: int
    col_start: int
    col_stop: int
    first_row: int = 0
    """Row of the tile that holds the block's first row; not 0 where layers share a tile."""
    first_col: int = 0

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


@dataclass
class _Used:
    """The rows and columns of a tile that blocks take, and how many arrays the tile uses."""

    rows: int
    cols: int
    arrays: int


class Placement:
    """Hands out places on tiles of ``tile_shape`` (rows, cols).

    Each block gets a tile of its own, unless ``share``: then a block goes to the first tile with enough rows and
    columns left that no other block uses, so that layers on one tile have their own lines, converters and pulse
    generators and their cells do not see each other's voltages.
    """

    def __init__(self, tile_shape: tuple[int, int], *, share: bool = False) -> None:
        self._tile_shape = tile_shape
        self._share = share
        self._tiles: list[_Used] = []

    @property
    def tiles(self) -> int:
        """Tiles in use."""
        return len(self._tiles)

    def place(self, shape: tuple[int, int], arrays: int, apart_from: Collection[int] = ()) -> list[list[Block]]:
        """Split a (rows, cols) matrix as :func:`split` does, and give each block its place.

        No block comes to one of the tiles ``apart_from``.
        """
        grid = split(shape, self._tile_shape, 0)
        return [[self._place(block, arrays, apart_from) for block in row] for row in grid]

    def _place(self, block: Block, arrays: int, apart_from: Collection[int]) -> Block:
        rows, cols = block.shape
        for tile, used in enumerate(self._tiles if self._share else []):
            fits = used.rows + rows <= self._tile_shape[0] and used.cols + cols <= self._tile_shape[1]
            if fits and used.arrays == arrays and tile not in apart_from:
                placed = replace(block, tile=tile, first_row=used.rows, first_col=used.cols)
                used.rows, used.cols = used.rows + rows, used.cols + cols
                return placed
        self._tiles.append(_Used(rows, cols, arrays))
        return replace(block, tile=len(self._tiles) - 1)
