"""What the run folder keeps of every device: its place, its weight at the start and the end, its bounds, its pulses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.piece import Piece
from hwsim.devices import DeviceArray

DEVICE_COLUMNS: dict[str, tuple[str, str, str]] = {
    "tile": ("int16", "1", "tile"),
    "array": ("int16", "1", "array of the tile"),
    "row": ("int32", "1", "row of the tile"),
    "col": ("int32", "1", "column of the tile"),
    "device": ("int16", "1", "device of the unit cell; 0 where a cell has one"),
    "layer": ("name", "1", "layer of the network"),
    "w_start": ("float32", "1", "the device's weight when the run started"),
    "w_end": ("float32", "1", "its weight when the run ended"),
    "w_low": ("float32", "1", "its lower bound when the run ended"),
    "w_high": ("float32", "1", "its upper bound when the run ended"),
    "pulses_up": ("int64", "1", "up pulses that it received"),
    "pulses_down": ("int64", "1", "down pulses that it received"),
}
"""Columns of ``devices.parquet``: name to type, unit and description."""

Key = tuple[str, int, int, int]
"""Layer, tile, array and device of the unit cell."""


class DeviceRecord:
    """Takes down the weights of all devices of a chip now; :meth:`blocks` tells what has become of them."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self._start = {key: np.array(cells.weights) for key, _, cells in _planes(chip)}

    def state(self) -> list[np.ndarray]:
        """Return the weights at the start, in the order of the arrays."""
        return list(self._start.values())

    def restore(self, state: Iterable[np.ndarray]) -> None:
        """Take over the weights at the start of a run that is continued."""
        for weights, started in zip(self._start.values(), state, strict=True):
            weights[...] = started

    def blocks(self) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """Yield the columns of the devices of one array after the other, and the names that ``layer`` counts in."""
        names = list(self._chip.matrices)
        for key, piece, cells in _planes(self._chip):
            layer, tile, array, device = key
            rows, cols = np.indices(cells.shape)
            low, high = cells.bounds
            up, down = cells.pulse_counts
            same = {"tile": tile, "array": array, "device": device, "layer": names.index(layer)}
            columns = {
                **{name: np.full(rows.size, value) for name, value in same.items()},
                "row": rows.ravel() + piece.block.first_row,
                "col": cols.ravel() + piece.block.first_col,
                "w_start": self._start[key].ravel(),
                "w_end": cells.weights.ravel(),
                "w_low": low.ravel(),
                "w_high": high.ravel(),
                "pulses_up": up.ravel(),
                "pulses_down": down.ravel(),
            }
            yield columns, names


def _planes(chip: Chip) -> Iterator[tuple[Key, Piece, DeviceArray]]:
    """Every array of devices on the chip, in the order of tiles."""
    found = [
        ((name, piece.tile.index, array, device), piece, plane)
        for name, matrix in chip.matrices.items()
        if isinstance(matrix, AnalogMatrix)
        for piece in matrix.pieces
        for array, cells in enumerate(piece.tile.arrays)
        for device, plane in enumerate(cells.devices)
    ]
    yield from sorted(found, key=lambda each: (each[0][1:], each[1].block.first_row))
