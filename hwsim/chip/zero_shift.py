"""Zero-shifting of an array: pulse it to its symmetric points, read these, and take them as the new zero."""

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
from hwsim.chip.read_path import ReadWork
from hwsim.components.interconnect import Delivery, Share
from hwsim.devices import DeviceArray, ZeroShiftResult
from hwsim.devices.unit_cell_pair import ReferenceCells
from hwsim.engine.ledger import Origin
from hwsim.engine.station import Stream
from hwsim.errors import UsageError
from hwsim.spec.unit_cell import OneSidedCell


@dataclass
class ZeroShift(Operation):
    """Zero-shifting of one array; the result is the (planes, rows, cols) references that were programmed.

    Every device gets ``n_pulses`` alternating up and down pulses and so drifts to its symmetric point: all lines of
    the array fire in every slot, without draws. The array is then read column by column through the transfer
    converters, and what was read becomes its reference: by the write noise, the read noise and the resolution of that
    read the symmetric points stay off zero. Cells of the kind ``reference`` write it into their second device.
    Otherwise the reference cells that are read along with the array hold it, and their devices are not modelled:
    programming takes, column by column, as many pulses of the mean step as it needs at the conductance of w = 0, and
    is exact (an assumption).
    ``n_pulses`` None: four times the number of states. Pulses are logged in the weights before the reference.
    Source: Gokmen and Haensch, Front. Neurosci. 14:103 (2020), "symmetry point shifting technique"; Kim et al., arXiv
    1907.10228, "zero-shifting".

    Raises:
        UsageError: no such array, an odd number of pulses, devices without a symmetric point, or one-sided pairs.
    """

    matrix: AnalogMatrix
    array: int
    n_pulses: int | None = None

    kind: ClassVar[str] = "zero_shift"
    phase = "zero_shift"

    def __post_init__(self) -> None:
        self.layer = self.matrix.name
        if not 0 <= self.array < self.matrix.n_arrays:
            raise UsageError(
                f"array {self.array} does not exist; layer '{self.layer}' has arrays 0 to {self.matrix.n_arrays - 1}"
            )
        cells = self.matrix.pieces[0].tile.arrays[self.array]
        if isinstance(cells.spec.unit_cell, OneSidedCell):
            raise UsageError(
                f"one-sided pairs are only pulsed up and have no symmetric point; '{cells.spec.name}' is refreshed"
            )
        self._n = cells.devices[0].check_zero_shift(self.n_pulses)

    def _shifted(self, piece: Piece) -> Sequence[DeviceArray]:
        """Return the planes of devices of a tile that are pulsed."""
        cells = piece.tile.arrays[self.array]
        return cells.devices[:1] if isinstance(cells, ReferenceCells) else cells.devices

    def run(self, chip: Platform) -> np.ndarray:
        """Shift the array."""
        for piece in self.matrix.pieces:
            self._pulse(chip, piece)
        lines = []
        for line in range(self.matrix.shape[1]):
            reads = [self.matrix.read_line(self.array, line, "column", device=plane) for plane in range(self._planes)]
            lines.append(self._values(chip, reads))
        return self._finish(chip, np.stack(lines, axis=2))

    def time(self, chip: Platform, origin: Origin) -> Steps:
        """Shift the array; it changes when its pulses and the programming of its references end."""
        pieces = self.matrix.pieces
        yield from chip.together([_hold(chip, piece, self._n * piece.tile.slot, chip.stream(1)) for piece in pieces])
        for piece in pieces:
            results = self._pulse(chip, piece)
            self._book_pulses(chip, origin, piece, results)
            self._log(chip, origin, piece, results)
            self._log_lines(chip, origin, piece, len(results))
            piece.tile.station.release()
        lines = []
        for line in range(self.matrix.shape[1]):
            reads = []
            for plane in range(self._planes):
                reads.append((yield from self.matrix.time_read_line(origin, self.array, line, "column", device=plane)))
            values = self._values(chip, reads)
            yield from self._time_program(chip, origin, line, values)
            lines.append(values)
        return self._finish(chip, np.stack(lines, axis=2))

    # Numbers

    def _pulse(self, chip: Platform, piece: Piece) -> list[ZeroShiftResult]:
        piece.tile.let_time_pass()
        probe = chip.probes.get(piece.tile.index) if chip.pulse_book is not None else None
        return [device.seek_symmetric_point(self._n, probe) for device in self._shifted(piece)]

    @property
    def _planes(self) -> int:
        return len(self._shifted(self.matrix.pieces[0]))

    def _values(self, chip: Platform, reads: list[tuple[np.ndarray, list[ReadWork]]]) -> np.ndarray:
        """Return what was read of a column of each plane, (planes, rows)."""
        for _, works in reads:
            chip.count("adc_conversions", sum(work.conversions * work.shape.lines_out for work in works))
        return np.stack([values for values, _ in reads])

    def _finish(self, chip: Platform, references: np.ndarray) -> np.ndarray:
        """Program the references (planes, rows, cols)."""
        for piece in self.matrix.pieces:
            piece.tile.let_time_pass()
            part = references[:, piece.block.rows, piece.block.cols]
            cells = piece.tile.arrays[self.array]
            if isinstance(cells, ReferenceCells):
                cells.program_reference(part[0])
            else:
                for device, reference in zip(cells.devices, part, strict=True):
                    device.subtract(reference)
        chip.count(self.kind, 1)
        chip.count("zero_shift_pulses", self._n * references.size)
        chip.count("reference_pulses", int(self._programmed(references).sum()))
        return references

    def _programmed(self, references: np.ndarray) -> np.ndarray:
        """Return the pulses that program each reference."""
        return np.rint(np.abs(references) / self.matrix.granularity(self.array)).astype(np.int64)

    # Time and energy

    def _book_pulses(self, chip: Platform, origin: Origin, piece: Piece, results: list[ZeroShiftResult]) -> None:
        tile = piece.tile
        rows, cols = tile.shape
        duration = self._n * tile.slot
        start = chip.env.now - duration
        energy = 0.0
        for result in results:
            # Every cell is selected in every slot, none half: its lines carry the mean of what the pulses found.
            mean = result.sum_w / self._n
            sums = np.full(rows, mean / rows), np.full(cols, mean / cols)
            fires = np.full(rows, float(self._n)), np.full(cols, float(self._n))
            energy += tile.pulse_energy(self._n * rows * cols, result.sum_w, *fires, sums)
        tile.crossbar.book(
            origin, "write", start, duration, self._n * rows * cols * len(results), energy=energy, array=self.array
        )

    def _time_program(self, chip: Platform, origin: Origin, line: int, values: np.ndarray) -> Generator[Any, Any, None]:
        """Program a column of references: values from the buffer, pulses from the digital unit, trains of the tiles."""
        pulses = self._programmed(values)
        bits = chip.spec.word_bits
        stream = yield from chip.load(origin, chip.stream(1), -(-values.size * bits // 8))
        stream = yield from chip.digital.compute(origin, stream, {"mul": values.size})
        pieces = [piece for piece, _ in self.matrix.along("column", line)]
        slots = int(pulses.max())
        planes = len(pulses)

        def n_bytes(lines: int) -> int:
            return -(-planes * lines * PROBABILITY_BITS // 8)

        deliveries = [
            Delivery(
                piece.tile.index,
                n_bytes(piece.block.shape[0]),
                partial(_hold, chip, piece, piece.tile.train_time(slots)),
            )
            for piece in pieces
        ]
        share = Share(stream, n_bytes(self.matrix.shape[0]), "digital")
        yield from chip.interconnect.scatter(origin, share, deliveries)
        for piece in pieces:
            tile = piece.tile
            own = pulses[:, piece.block.rows]
            fires = np.zeros(tile.shape[1])
            fires[0] = slots
            at_zero = np.zeros(tile.shape[0]), np.zeros(tile.shape[1])
            energy = sum(tile.pulse_energy(int(of.sum()), 0.0, of.astype(float), fires, at_zero) for of in own)
            duration = tile.train_time(slots)
            tile.crossbar.book(
                origin, "program", chip.env.now - duration, duration, int(own.sum()), energy=energy, array=self.array
            )
            tile.station.release()

    def _log_lines(self, chip: Platform, origin: Origin, piece: Piece, planes: int) -> None:
        start = chip.env.now - self._n * piece.tile.slot
        region = chip.probes.get(piece.tile.index)
        for plane in range(planes):
            chip.lines.slots(origin, (piece.tile, self.array, plane), region, start, [+1, -1] * (self._n // 2))

    def _log(self, chip: Platform, origin: Origin, piece: Piece, results: list[ZeroShiftResult]) -> None:
        start = chip.env.now - self._n * piece.tile.slot
        for plane, result in enumerate(results):
            if chip.pulse_book is None or result.log is None:
                continue
            columns = result.log.columns()
            columns["t_ps"] = start + result.log.slot.astype(np.int64) * piece.tile.slot
            chip.pulse_book.add(origin, (piece.tile.index, self.array, plane), columns)


def _hold(chip: Platform, piece: Piece, duration: int, stream: Stream) -> Generator[Any, Any, Stream]:
    """Hold a tile for ``duration`` ps; the caller releases it when the devices have changed."""
    yield from piece.tile.station.acquire()
    yield from chip.wait_until(max(chip.env.now, stream.last) + duration)
    return Stream(1, chip.env.now, chip.env.now)
