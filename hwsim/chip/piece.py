"""A part of a weight matrix on a tile."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.chip.mapping import Block
from hwsim.chip.tile import Tile


@dataclass(frozen=True)
class Piece:
    """A block of the matrix and the tile that holds it."""

    block: Block
    tile: Tile
