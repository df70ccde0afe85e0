"""A chip at activity fidelity: the same hardware and the same operations, with statistics in place of data and devices.

Nothing here has a time or an energy of its own: matrices, tiles and digital units are those of :mod:`hwsim.chip`, and
only what a vector or a device would have told them comes from statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix, Axis, Piece
from hwsim.chip.chip import Chip
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.expected import (
    Expectations,
    ExpectedCells,
    ExpectedPlan,
    ExpectedTile,
    Tallies,
    spread_slots,
)
from hwsim.chip.mapping import Block
from hwsim.chip.tile import ReadWork, Tile
from hwsim.chip.vectors import Vectors
from hwsim.devices import IOParameters, TrainPlan, UpdateParameters
from hwsim.engine.ledger import Origin
from hwsim.engine.station import Stream
from hwsim.errors import UsageError
from hwsim.spec.activity import ActivitySpec


class ExpectedMatrix(AnalogMatrix):
    """A matrix of which no weight is kept; its streams are :class:`Vectors`."""

    def expect(self, expectations: Expectations) -> ExpectedMatrix:
        """Take the statistics of the layer; returns the matrix."""
        self._expectations = expectations
        self._tallies = Tallies()
        return self

    def set_weights(self, array: int, weights: np.ndarray) -> None:
        """Do nothing: no weights are kept."""

    def set_polarity(self, array: int, rows: np.ndarray, cols: np.ndarray) -> None:
        """Do nothing: signs of lines change no count."""

    def _input_scale(self, x: Any, *, transposed: bool, purpose: str) -> None:  # noqa: ARG002
        return None

    def _sum(self, parts: list[Any], n: int, *, transposed: bool) -> Any:  # noqa: ARG002
        return Vectors(n, self.shape[1] if transposed else self.shape[0])

    def time_read_line(
        self,
        origin: Origin,
        array: int,
        line: int,
        axis: Axis,
        io: IOParameters | None = None,
        device: int | None = None,
    ) -> Generator[Any, Any, tuple[np.ndarray, list[ReadWork]]]:
        """Let the hardware read one line; what stands for it is ones, or zeros as often as the statistics have it."""
        values, works = yield from super().time_read_line(origin, array, line, axis, io, device)
        share = self._expectations.line_read(array).nonzero
        return values * np.float32(min(self._tallies.take(("nonzero", array), share), 1)), works

    def plan(
        self,
        array: int,
        x: Any,
        d: Any,
        lr: float | np.ndarray,
        params: UpdateParameters,
    ) -> TrainPlan:
        """Take the trains of a stream from the statistics; vectors that are arrays are those of a transfer.

        The gains of a transfer, which say whether its numbers take products, are those of what stands for them.
        """
        n = len(x)
        kind = "update" if isinstance(x, Vectors) and isinstance(d, Vectors) else "transfer_write"
        statistics = self._expectations.trains(kind, array)
        bits = self._tallies.take((kind, array), n * statistics.slots / max(params.passes, 1))
        row_gain = col_gain = np.zeros(n)
        if kind == "transfer_write":
            planned = super().plan(array, x, d, lr, params)
            row_gain, col_gain = planned.row_gain, planned.col_gain
        return ExpectedPlan(spread_slots(n, bits), col_gain, row_gain, np.zeros(1), params, False, statistics)


class ReplicatedMatrix(ExpectedMatrix):
    """A matrix that stands on the chip several times.

    A read sends every replica an equal part of its stream, and the parts run side by side. An update goes to every
    replica, with the same trains at the same time, and that is what keeps them equal but for the differences of their
    devices; so replicas shorten reads, not updates. Single lines are read from the first replica.
    """

    def replicate(self, copies: Sequence[ExpectedMatrix]) -> ReplicatedMatrix:
        """Take all replicas, the first one being that of this matrix's grid; returns the matrix."""
        self._copies = list(copies)
        return self

    @property
    def pieces(self) -> list[Piece]:
        """Every block of every replica with its tile."""
        return [piece for copy in self._copies for piece in copy.pieces]

    def along(self, axis: Axis, line: int) -> list[tuple[Piece, int]]:
        """Return the tiles of every replica that hold a column or row, and its index within them."""
        return [found for copy in self._copies for found in copy.along(axis, line)]

    def time_read(
        self, origin: Origin, x: Any, *, transposed: bool = False, purpose: str = "forward"
    ) -> Generator[Any, Any, tuple[Any, list[ReadWork]]]:
        """Let the hardware read a stream, side by side on all replicas."""
        works: list[ReadWork] = []

        def read(copy: ExpectedMatrix, part: Any) -> Generator[Any, Any, Stream]:
            _, done = yield from copy.time_read(origin, part, transposed=transposed, purpose=purpose)
            works.extend(done)
            return self._chip.stream(len(part))

        n, copies = len(x), len(self._copies)
        edges = [n * part // copies for part in range(copies + 1)]
        shares = [(copy, x[start:stop]) for copy, start, stop in zip(self._copies, edges, edges[1:], strict=False)]
        yield from self._chip.together([read(copy, part) for copy, part in shares if len(part)])
        return Vectors(n, self.shape[1] if transposed else self.shape[0]), works

    def time_read_line(self, *arguments: Any, **options: Any) -> Generator[Any, Any, tuple[np.ndarray, list[ReadWork]]]:
        """Let the hardware read one line of the first replica."""
        return self._copies[0].time_read_line(*arguments, **options)


class ExpectedDigitalMatrix(DigitalMatrix):
    """A digital matrix without numbers; it takes its room in the buffer, and the digital unit's time."""

    def set_weights(self, array: int, weights: np.ndarray) -> None:
        """Do nothing: no weights are kept."""

    def read(self, x: Any, *, transposed: bool = False, purpose: str = "forward") -> tuple[Any, None]:  # noqa: ARG002
        """Return a stream of unknown products."""
        return Vectors(len(x), self.shape[1] if transposed else self.shape[0]), None

    def apply_gradient(self, x: Any, d: Any, lr: float) -> None:
        """Do nothing: no weights are kept."""


class ActivityChip(Chip):
    """A chip whose matrices are expected.

    Args:
        statistics: activity statistics of every layer that will be placed.
        replicas: how many times each layer stands on the chip, by name; 1 where it is not named.
        options: those of :class:`Chip`.
    """

    def __init__(
        self, *arguments: Any, statistics: ActivitySpec, replicas: Mapping[str, int] | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self._statistics = statistics
        self._wanted_replicas = dict(replicas or {})
        self._states: dict[str, Expectations] = {}
        self._tallies = Tallies()

    def expectations(self, layer: str) -> Expectations:
        """Return the statistics of a layer.

        Raises:
            UsageError: there are none.
        """
        found = self._statistics.layer(layer)
        if found is None:
            known = ", ".join(self._statistics.layers)
            raise UsageError(
                f"the statistics '{self._statistics.name}' have no layer '{layer}' (they have: {known}); "
                "give those of a run of this network, --statistics RUN"
            )
        return Expectations(layer, found)

    def _analog_matrix(self, name: str, shape: tuple[int, int], arrays: int, gains: Sequence[float]) -> AnalogMatrix:
        copies: list[ExpectedMatrix] = []
        taken: set[int] = set()
        for _ in range(self._wanted_replicas.get(name, 1)):
            grid = self._grid(name, shape, arrays, gains, taken)
            taken |= {piece.tile.index for row in grid for piece in row}
            copies.append(ExpectedMatrix(self, name, shape, grid, self._reads).expect(self.expectations(name)))
        if len(copies) == 1:
            return copies[0]
        matrix = ReplicatedMatrix(self, name, shape, copies[0].grid, self._reads)
        matrix.expect(self.expectations(name))
        return matrix.replicate(copies)

    def _new_tile(self, name: str, block: Block, path: str, arrays: int, gains: Sequence[float]) -> Tile:  # noqa: ARG002
        expectations = self.expectations(name)
        cells: Any = [ExpectedCells(self.device, block.shape, array, expectations) for array in range(arrays)]
        tile = ExpectedTile(self.env, block.tile, self.spec.tile, self.tables, self.ledger, self.device, cells, gains)
        return tile.expect(expectations)

    def place_digital(self, name: str, weights: np.ndarray) -> DigitalMatrix:
        """Keep room for a (rows, cols) float matrix in the buffer.

        Raises:
            MappingError: the buffer is too small.
        """
        matrix = ExpectedDigitalMatrix(self, name, (weights.shape[0], weights.shape[1]))
        self.matrices[name] = matrix
        return matrix

    def observed(
        self,
        layer: str,
        name: str,
        compute: Callable[[], Any],
        written: int,
        expected: Callable[[], Any] | None,
    ) -> Callable[[], Any]:
        """Return what stands for the work on a digital state: ones as often as the statistics let anything go."""
        del compute
        if not written:
            return expected or (lambda: None)
        if layer not in self._states:
            self._states[layer] = self.expectations(layer)
        share = self._states[layer].state(name).written

        def drawn() -> np.ndarray:
            return np.full(written, min(self._tallies.take((layer, name), share), 1), np.float32)

        return drawn
