"""The refresh of an array of one-sided pairs: read both devices, reset used-up pairs, write their difference back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.operations import Operation, Steps
from hwsim.chip.piece import Piece
from hwsim.chip.platform import Platform
from hwsim.chip.read_path import ReadWork
from hwsim.chip.reset import log_resets
from hwsim.components.interconnect import Delivery, Share
from hwsim.devices import TrainPlan, UpdateResult
from hwsim.engine.ledger import Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Stream
from hwsim.errors import UsageError
from hwsim.spec.unit_cell import OneSidedCell


@dataclass
class Refresh(Operation):
    """A refresh of all pairs of one array, column by column; the result is the number of pairs that were reset.

    Both devices of a column are read with a one-hot input each. A pair whose larger weight is above
    ``refresh_upper_thres`` and whose smaller one is above ``refresh_lower_thres`` (as parts of ``w_max``) is reset, and
    the difference that was read is written to the larger side by one pulsed update of learning rate 1. The trains of
    ``refresh_update`` bound what can be written: ``desired_bl`` pulses, where ``fixed_bl``.
    Source: AIHWKit ``OneSidedUnitCell``.

    Raises:
        UsageError: the array has no one-sided pairs.
    """

    matrix: AnalogMatrix
    array: int

    kind: ClassVar[str] = "refresh"
    phase = "refresh"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name
        device = self.matrix.pieces[0].tile.arrays[self.array].spec
        if not isinstance(device.unit_cell, OneSidedCell):
            raise UsageError(
                f"only one-sided pairs are refreshed; '{device.name}' is of kind '{device.unit_cell.kind}'"
            )
        self._cell = device.unit_cell
        self._w_max = device.parameters.w_max

    def _count_reads(self, chip: Platform, works: list[ReadWork]) -> None:
        chip.count("adc_conversions", sum(work.conversions * work.shape.lines_out for work in works))

    def _read(self, chip: Platform, line: int) -> np.ndarray:
        """Read a column of both devices; returns (2, rows)."""
        values = []
        for device in (0, 1):
            part, works = self.matrix.read_line(self.array, line, "column", self._cell.refresh_forward, device)
            self._count_reads(chip, works)
            values.append(part)
        return np.stack(values)

    def _time_reads(self, chip: Platform, origin: Origin, line: int) -> Generator[Any, Any, np.ndarray]:
        """Read a column of both devices, one after the other."""
        values = []
        for device in (0, 1):
            part, works = yield from self.matrix.time_read_line(
                origin, self.array, line, "column", self._cell.refresh_forward, device
            )
            self._count_reads(chip, works)
            values.append(part)
        return np.stack(values)

    def _used_up(self, values: np.ndarray) -> np.ndarray:
        """Return which pairs (rows,) need a refresh."""
        upper = values.max(axis=0) > self._cell.refresh_upper_thres * self._w_max
        lower = values.min(axis=0) > self._cell.refresh_lower_thres * self._w_max
        return upper & lower

    def _reset(self, chip: Platform, origin: Origin | None, line: int, chosen: np.ndarray) -> None:
        start = chip.env.now - self.matrix.pieces[0].tile.slot if origin is not None else 0
        for piece, col in self.matrix.along("column", line):
            own = chosen[piece.block.rows]
            if not own.any():
                continue
            devices = piece.tile.arrays[self.array].devices
            before = [device.weights[:, col] for device in devices] if chip.pulse_book is not None else []
            piece.tile.reset_pairs(origin, start, self.array, own, col)
            if origin is not None and before:
                for plane, device in enumerate(devices):
                    log_resets(chip, origin, piece, (self.array, plane), device, col, own, before[plane])
        chip.count("refreshed_cells", int(chosen.sum()))

    def _write(self, line: int, values: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray, TrainPlan]:
        """Return x (1, cols), d (1, rows) and the trains that write the difference of the chosen pairs."""
        x = np.zeros((1, self.matrix.shape[1]), dtype=np.float32)
        x[0, line] = 1.0
        d = np.where(chosen, values[1] - values[0], np.float32(0))[None, :]
        return x, d, self.matrix.plan(self.array, x, d, 1.0, self._cell.refresh_update)

    def _count_pulses(self, chip: Platform, results: list[UpdateResult]) -> None:
        chip.count("refresh_pulses", sum(int(result.pulses_up.sum() + result.pulses_down.sum()) for result in results))

    def run(self, chip: Platform) -> int:
        """Refresh the array."""
        total = 0
        for line in range(self.matrix.shape[1]):
            values = self._read(chip, line)
            chosen = self._used_up(values)
            if chosen.any():
                self._reset(chip, None, line, chosen)
                x, d, plan = self._write(line, values, chosen)
                pieces = [piece for piece, _ in self.matrix.along("column", line)]
                self._count_pulses(chip, self.matrix.apply(self.array, x, d, plan, pieces))
                total += int(chosen.sum())
        chip.count(self.kind, 1)
        return total

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Refresh the array; each column changes when its reset and its write end."""
        total = 0
        rows = self.matrix.shape[0]
        for line in range(self.matrix.shape[1]):
            values = yield from self._time_reads(chip, origin, line)
            yield from self._time_choice(chip, origin, rows)
            chosen = self._used_up(values)
            if chosen.any():
                pieces = [piece for piece, _ in self.matrix.along("column", line)]
                yield from self._time_reset(chip, origin, pieces, line, chosen)
                x, d, plan = self._write(line, values, chosen)
                results = yield from self.matrix.time_update(origin, self.array, x, d, plan, pieces, ("row",))
                self._count_pulses(chip, results)
                total += int(chosen.sum())
        chip.count(self.kind, 1)
        return total

    def _time_choice(self, chip: Platform, origin: Origin, rows: int) -> Generator[Any, Any, None]:
        """Compare the weights of each pair with each other and with both thresholds, and subtract them."""
        n_bytes = -(-2 * rows * chip.spec.word_bits // 8)
        stream = yield from chip.load(origin, chip.stream(1), n_bytes)
        stream = yield from chip.digital.compute(origin, stream, {"compare": 3 * rows, "add": rows})
        stream = yield from chip.store(origin, stream, n_bytes // 2)
        yield from chip.wait_until(stream.last)

    def _time_reset(
        self, chip: Platform, origin: Origin, pieces: list[Piece], line: int, chosen: np.ndarray
    ) -> Generator[Any, Any, None]:
        """Send one bit a row and hold the tiles for one slot; the devices change when it ends."""

        def slot(piece: Piece, stream: Stream) -> Part:
            yield from piece.tile.station.acquire()
            yield from chip.wait_until(max(chip.env.now, stream.last) + piece.tile.slot)
            return Stream(1, chip.env.now, chip.env.now)

        deliveries = [
            Delivery(piece.tile.index, -(-piece.block.shape[0] // 8), partial(slot, piece)) for piece in pieces
        ]
        share = Share(chip.stream(1), -(-len(chosen) // 8), "digital")
        yield from chip.interconnect.scatter(origin, share, deliveries)
        self._reset(chip, origin, line, chosen)
        for piece in pieces:
            piece.tile.station.release()
