"""A chip at activity fidelity: the same hardware and the same operations, with statistics in place of data and devices.

Nothing here has a time or an energy of its own: matrices, tiles and digital units are those of :mod:`hwsim.chip`, and
only what a vector or a device would have told them comes from statistics.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
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
from hwsim.chip.known import KnownPlan, KnownTile, KnownVectors
from hwsim.chip.mapping import Block
from hwsim.chip.matrix_ways import Axis
from hwsim.chip.piece import Piece
from hwsim.chip.tile import ReadWork, Tile
from hwsim.chip.vectors import Vectors
from hwsim.devices import IOParameters, TrainPlan, UpdateParameters
from hwsim.engine.ledger import Origin
from hwsim.errors import DataError, UsageError
from hwsim.spec.activity import ActivitySpec


class ExpectedMatrix(AnalogMatrix):
    """A matrix of which no weight is kept; its streams are :class:`Vectors`, known or not."""

    def expect(self, expectations: Expectations) -> ExpectedMatrix:
        """Take the statistics of the layer; returns the matrix."""
        self._expectations = expectations
        self._tallies = Tallies()
        return self

    def _tiles(self) -> list[ExpectedTile]:
        return [piece.tile for piece in self.pieces if isinstance(piece.tile, ExpectedTile)]

    def state(self) -> dict[str, Any]:
        """Return all that changes: how far the statistics are, what is left over of them, and the input scales."""
        return {
            "scales": [scale.mean for scale in self._scales],
            "done": self._expectations.done(),
            "rest": self._tallies.state(),
            "tiles": [tile.state() for tile in self._tiles()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, bit for bit.

        Raises:
            DataError: the state is of a matrix with other tiles.
        """
        tiles = self._tiles()
        if set(state) != {"scales", "done", "rest", "tiles"} or len(state["tiles"]) != len(tiles):
            raise DataError(f"this is no state of the matrix '{self.name}' of {len(tiles)} tiles at activity fidelity")
        for scale, mean in zip(self._scales, state["scales"], strict=True):
            scale.mean = float(mean)
        self._expectations.go_on_after(state["done"])
        self._tallies.restore(state["rest"])
        for tile, part in zip(tiles, state["tiles"], strict=True):
            tile.restore(part)

    def set_weights(self, array: int, weights: np.ndarray) -> None:
        """Do nothing: no weights are kept."""

    def set_polarity(self, array: int, rows: np.ndarray, cols: np.ndarray) -> None:
        """Do nothing: signs of lines change no count."""

    def _input_scale(self, x: Any, *, transposed: bool, purpose: str) -> np.ndarray | None:
        if isinstance(x, KnownVectors):
            return super()._input_scale(x.values, transposed=transposed, purpose=purpose)
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
        if isinstance(x, KnownVectors) and isinstance(d, KnownVectors):
            return self._known_plan(array, x, d, lr, params, statistics)
        bits = self._tallies.take((kind, array), n * statistics.slots / max(params.passes, 1))
        row_gain = col_gain = np.zeros(n)
        if kind == "transfer_write":
            planned = super().plan(array, x, d, lr, params)
            row_gain, col_gain = planned.row_gain, planned.col_gain
        return ExpectedPlan(spread_slots(n, bits), col_gain, row_gain, np.zeros(1), params, False, statistics)

    def _known_plan(
        self, array: int, x: KnownVectors, d: KnownVectors, lr: Any, params: UpdateParameters, statistics: Any
    ) -> KnownPlan:
        """Plan the trains of vectors that are known; where they stand for more, spread their slots over all."""
        rate = lr[: len(x.values)] if isinstance(lr, np.ndarray) and lr.ndim else lr
        known = super().plan(array, x.values, d.values, rate, params)
        n, bl = len(x), known.bl
        if len(bl) != n:
            bl = spread_slots(n, self._tallies.take(("update", array), float(bl.mean()) * n))
        return KnownPlan(
            bl, known.col_gain, known.row_gain, known.rates, params, known.negative, statistics,
            bl_of=known.bl, rows_of=known.row_gain, cols_of=known.col_gain, share=x.share,
        )  # fmt: skip


class ExpectedDigitalMatrix(DigitalMatrix):
    """A digital matrix without numbers; it takes its room in the buffer, and the digital unit's time."""

    def state(self) -> dict[str, Any]:
        """Return nothing: no weights are kept."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Do nothing: no weights are kept."""

    def set_weights(self, array: int, weights: np.ndarray) -> None:
        """Do nothing: no weights are kept."""

    def read(self, x: Any, *, transposed: bool = False, purpose: str = "forward") -> tuple[Any, None]:  # noqa: ARG002
        """Return a stream of unknown products."""
        return Vectors(len(x), self.shape[1] if transposed else self.shape[0]), None

    def apply_gradient(self, x: Any, d: Any, lr: float, noise: Any = None, tau: float = float("inf")) -> None:
        """Do nothing: no weights are kept."""


class ActivityChip(Chip):
    """A chip whose matrices are expected.

    Args:
        statistics: activity statistics of every layer that will be placed.
        options: those of :class:`Chip`.
    """

    def __init__(self, *arguments: Any, statistics: ActivitySpec, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._statistics = statistics
        self._states: dict[str, Expectations] = {}
        self._tallies = Tallies()

    def expected_state(self) -> dict[str, Any]:
        """Return how far the statistics of the digital states are, and what is left over of them."""
        done = {layer: expectations.done() for layer, expectations in self._states.items()}
        return {"done": done, "rest": self._tallies.state()}

    def restore_expected(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``expected_state()`` returned."""
        self._tallies.restore(state["rest"])
        for layer, done in state["done"].items():
            self._states[layer] = self.expectations(layer)
            self._states[layer].go_on_after(done)

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

    def _one_matrix(self, name: str, shape: tuple[int, int], grid: list[list[Piece]]) -> AnalogMatrix:
        return ExpectedMatrix(self, name, shape, grid, self._reads).expect(self.expectations(name))

    def _new_tile(self, name: str, block: Block, path: str, arrays: int, gains: Sequence[float]) -> Tile:  # noqa: ARG002
        expectations = self.expectations(name)
        cells: Any = [ExpectedCells(self.device, block.shape, array, expectations) for array in range(arrays)]
        tile = KnownTile(self.env, block.tile, self.spec.tile, self.tables, self.ledger, self.device, cells, gains)
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
