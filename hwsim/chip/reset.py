"""The reset of columns of an array: one slot a column, in which each device is reset with a probability."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.matrix_ways import PROBABILITY_BITS
from hwsim.chip.operations import Operation, Steps
from hwsim.chip.piece import Piece
from hwsim.chip.platform import Platform
from hwsim.components.interconnect import Delivery, Share
from hwsim.devices import DeviceArray
from hwsim.engine.ledger import Origin
from hwsim.engine.station import Stream
from hwsim.errors import UsageError

RESET = 0
"""Polarity of a reset pulse in the pulse log."""


@dataclass
class Reset(Operation):
    """A reset of columns of one array; the result is the number of devices that were reset.

    Columns follow each other. In a column's slot each row fires with ``probability``, drawn by its pulse generator, in
    each plane of devices by itself. A device whose lines both fire goes to its reset weight, with noise; see
    :meth:`DeviceArray.reset`. The write voltage is over these devices, half of it over the others of the firing lines
    (an assumption: the RESET pulse costs what a write pulse does). The command carries the number of the column and
    the probability.
    Source: AIHWKit ``with_reset_prob`` of ``TransferCompound``, ``reset_columns``.

    Raises:
        UsageError: no such array or column, or no probability.
    """

    matrix: AnalogMatrix
    array: int
    columns: Sequence[int]
    probability: float = 1.0

    kind: ClassVar[str] = "reset"
    phase = "reset"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name
        cols = self.matrix.shape[1]
        if not 0 <= self.array < self.matrix.n_arrays:
            raise UsageError(
                f"array {self.array} does not exist; layer '{self.layer}' has arrays 0 to {self.matrix.n_arrays - 1}"
            )
        for column in self.columns:
            if not 0 <= column < cols:
                raise UsageError(f"column {column} does not exist; layer '{self.layer}' has columns 0 to {cols - 1}")
        if not 0 <= self.probability <= 1:
            raise UsageError(f"a reset probability must be between 0 and 1, got {self.probability!r}")

    def run(self, chip: Platform) -> int:
        """Reset the columns."""
        total = 0
        for column in self.columns:
            for piece, col in self.matrix.along("column", column):
                piece.tile.let_time_pass()
                for device in piece.tile.arrays[self.array].devices:
                    total += int(device.reset(slice(None), [col], self.probability).sum())
        return self._counted(chip, total)

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Reset the columns; each changes when its slot ends."""
        total = 0
        n_bytes = -(-(PROBABILITY_BITS + self.matrix.shape[1].bit_length()) // 8)
        for column in self.columns:
            pieces = self.matrix.along("column", column)
            deliveries = [Delivery(piece.tile.index, n_bytes, partial(_slot, chip, piece)) for piece, _ in pieces]
            yield from chip.interconnect.scatter(origin, Share(chip.stream(1), n_bytes, "digital"), deliveries)
            for piece, col in pieces:
                total += self._reset(chip, origin, piece, col)
                piece.tile.station.release()
        return self._counted(chip, total)

    def _counted(self, chip: Platform, total: int) -> int:
        chip.count(self.kind, 1)
        chip.count("reset_devices", total)
        return total

    def _reset(self, chip: Platform, origin: Origin, piece: Piece, col: int) -> int:
        """Reset a column of a tile at the end of its slot, and book it."""
        tile = piece.tile
        tile.let_time_pass()
        start = chip.env.now - tile.slot
        energy, count = 0.0, 0
        fires = np.zeros(tile.shape[1])
        fires[col] = 1
        for plane, device in enumerate(tile.arrays[self.array].devices):
            sums, before = device.line_sums(), device.weights[:, col]
            chosen = device.reset(slice(None), [col], self.probability)[:, col]
            energy += tile.pulse_energy(
                int(chosen.sum()), float(before[chosen].sum(dtype=float)), chosen.astype(float), fires, sums
            )
            count += int(chosen.sum())
            log_resets(chip, origin, piece, (self.array, plane), device, col, chosen, before)
        if self.probability < 1:
            draws = len(tile.arrays[self.array].devices) * tile.shape[0]
            each = tile.row_pulser.cost("draw").energy
            tile.row_pulser.book(origin, "draw", start, tile.slot, draws, energy=draws * each)
        tile.crossbar.book(origin, "reset", start, tile.slot, count, energy=energy, array=self.array)
        return count


def _slot(chip: Platform, piece: Piece, stream: Stream) -> Generator[Any, Any, Stream]:
    """Hold a tile for one slot; the caller releases it when the devices have changed."""
    yield from piece.tile.station.acquire()
    yield from chip.wait_until(max(chip.env.now, stream.last) + piece.tile.slot)
    return Stream(1, chip.env.now, chip.env.now)


def log_resets(
    chip: Platform,
    origin: Origin,
    piece: Piece,
    place: tuple[int, int],
    device: DeviceArray,
    col: int,
    chosen: np.ndarray,
    before: np.ndarray,
) -> None:
    """Log the reset pulses of a slot that ends now, in the probed region of a tile, with polarity 0, and its lines.

    ``place`` is the array and the plane of devices, ``chosen`` a mask of the rows (rows,) that were reset in column
    ``col``, ``before`` their weights before, (rows,).
    """
    region = chip.probes.get(piece.tile.index)
    start = chip.env.now - piece.tile.slot
    chip.lines.reset(origin, (piece.tile, *place), region, start, chosen, col)
    if region is None or chip.pulse_book is None or col not in range(*region[1].indices(piece.tile.shape[1])):
        return
    inside = np.zeros(len(chosen), bool)
    inside[region[0]] = True
    rows = np.flatnonzero(chosen & inside)
    n = len(rows)
    after = device.weights[rows, col]
    chip.pulse_book.add(
        origin,
        (piece.tile.index, *place),
        {
            "t_ps": np.full(n, start, np.int64),
            "sample": np.zeros(n, np.int64),
            "row": rows.astype(np.int32),
            "col": np.full(n, col, np.int32),
            "polarity": np.full(n, RESET, np.int8),
            "dw": after - before[rows],
            "w": after,
        },
    )
