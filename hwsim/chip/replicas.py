"""A matrix that stands on the chip several times, so that a long stream is read in parts side by side."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.matrix_ways import Axis
from hwsim.chip.piece import Piece
from hwsim.chip.platform import Platform
from hwsim.chip.read_path import ReadWork
from hwsim.chip.vectors import joined
from hwsim.devices import TrainPlan, UpdateParameters
from hwsim.engine.ledger import Origin
from hwsim.engine.station import Stream


class ReplicatedMatrix(AnalogMatrix):
    """Several copies of a matrix, each on tiles and with devices of its own.

    A read sends every copy an equal part of its stream, and the parts run side by side. An update goes to every copy,
    with trains of the same lengths at the same time, and that is what keeps them equal but for the differences of
    their devices; so replicas shorten reads, not updates. Single lines are read from the first copy.
    """

    def __init__(self, chip: Platform, copies: Sequence[AnalogMatrix]) -> None:
        first = copies[0]
        io = (first.forward_io, first.backward_io, first.transfer_io)
        super().__init__(chip, first.name, first.shape, first.grid, io)
        self._copies = list(copies)
        for copy in copies:
            copy.share_scales(self)

    @cached_property
    def pieces(self) -> list[Piece]:
        """Every block of every copy with its tile."""
        return [piece for copy in self._copies for piece in copy.pieces]

    def along(self, axis: Axis, line: int) -> list[tuple[Piece, int]]:
        """Return the tiles of every copy that hold a column or row, and its index within them."""
        return [found for copy in self._copies for found in copy.along(axis, line)]

    def weights(self, array: int | None = None) -> np.ndarray:
        """Return the (rows, cols) weights, as the mean of the copies."""
        return np.asarray(np.mean([copy.weights(array) for copy in self._copies], axis=0), np.float32)

    def set_weights(self, array: int, weights: np.ndarray) -> None:
        """Write weights into one array of every copy."""
        for copy in self._copies:
            copy.set_weights(array, weights)

    def set_polarity(self, array: int, rows: np.ndarray, cols: np.ndarray) -> None:
        """Set the signs of the lines with which an array counts in reads, in every copy."""
        for copy in self._copies:
            copy.set_polarity(array, rows, cols)

    def mean_weights(self, array: int) -> tuple[float, ...]:
        """Return the mean weight of each device of an array's unit cells, over all copies."""
        return tuple(np.mean([copy.mean_weights(array) for copy in self._copies], axis=0).tolist())

    def read(self, x: Any, *, transposed: bool = False, purpose: str = "forward") -> tuple[Any, list[ReadWork]]:
        """Multiply a stream, a part of it by each copy; see :meth:`AnalogMatrix.read`."""
        done = [copy.read(part, transposed=transposed, purpose=purpose) for copy, part in self._shares(x)]
        return joined([y for y, _ in done]), [work for _, works in done for work in works]

    def time_read(
        self, origin: Origin, x: Any, *, transposed: bool = False, purpose: str = "forward"
    ) -> Generator[Any, Any, tuple[Any, list[ReadWork]]]:
        """Let the hardware read a stream, side by side on all copies."""
        found: dict[int, tuple[Any, list[ReadWork]]] = {}

        def read(number: int, copy: AnalogMatrix, part: Any) -> Generator[Any, Any, Stream]:
            found[number] = yield from copy.time_read(origin, part, transposed=transposed, purpose=purpose)
            return self._chip.stream(len(part))

        shares = enumerate(self._shares(x))
        yield from self._chip.together([read(number, copy, part) for number, (copy, part) in shares])
        done = [found[number] for number in sorted(found)]
        return joined([y for y, _ in done]), [work for _, works in done for work in works]

    def _shares(self, x: Any) -> Iterator[tuple[AnalogMatrix, Any]]:
        n, copies = len(x), len(self._copies)
        edges = [n * part // copies for part in range(copies + 1)]
        for copy, start, stop in zip(self._copies, edges, edges[1:], strict=False):
            if stop > start:
                yield copy, x[start:stop]

    def read_line(self, *arguments: Any, **options: Any) -> tuple[np.ndarray, list[ReadWork]]:
        """Read one line of the first copy."""
        return self._copies[0].read_line(*arguments, **options)

    def time_read_line(self, *arguments: Any, **options: Any) -> Generator[Any, Any, tuple[np.ndarray, list[ReadWork]]]:
        """Let the hardware read one line of the first copy."""
        return self._copies[0].time_read_line(*arguments, **options)

    def plan(self, array: int, x: Any, d: Any, lr: float | np.ndarray, params: UpdateParameters) -> TrainPlan:
        """Choose the pulse trains, the same for every copy."""
        return self._copies[0].plan(array, x, d, lr, params)
