"""The ways of one matrix's streams through the chip: to its tiles and back, for reads, transfers and updates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from hwsim.chip.piece import Piece
from hwsim.chip.platform import Platform
from hwsim.components.interconnect import Share, Unit
from hwsim.devices import IOParameters, TrainPlan
from hwsim.engine.station import Stream
from hwsim.engine.way import Way

Axis = Literal["column", "row"]

PROBABILITY_BITS = 8
"""Bits of a pulse probability on its way to a pulse generator, whose comparator has 8 bits (an assumption)."""


class Lane(NamedTuple):
    """A slice of the input, of ``n_bytes`` a vector, and the pieces that read it with the bytes of their results."""

    n_bytes: int
    pieces: Sequence[tuple[Piece, int]]


class Rules(NamedTuple):
    """How numbers become pulse probabilities: with the managements, and with a product for each."""

    managed: bool
    scaled: bool


class Direction(NamedTuple):
    """The ways of a forward or backward read through the chip.

    Vectors are on the way ``entering`` until they leave ``source`` for the tiles, whose results come to ``target`` and
    are on the way ``leaving`` from there. ``lanes`` are the slices of the input, each with the pieces that read it.
    """

    entering: Way
    source: Unit
    lanes: Sequence[Lane]
    target: Unit
    leaving: Way


class MatrixWays:
    """The ways of a (rows, cols) matrix on a ``grid`` of tiles; each is worked out once.

    ``forward`` and ``backward`` are the converters of its reads.
    """

    def __init__(
        self,
        chip: Platform,
        shape: tuple[int, int],
        grid: list[list[Piece]],
        forward: IOParameters,
        backward: IOParameters,
    ) -> None:
        self._chip = chip
        self._shape = shape
        self._grid = grid
        self._io = {False: forward, True: backward}
        self._word = chip.spec.word_bits
        self._directions: dict[bool, Direction] = {}
        self._round_trips: dict[bool, tuple[Way, Way]] = {}
        self._after_line: dict[tuple[Axis, int], Way] = {}
        self._line_results: dict[Axis, Way] = {}
        self._of_line: dict[tuple[Axis, int], Way] = {}
        self._trains: dict[tuple[int, int, bool, bool], Way] = {}

    # Reads of the whole matrix

    def direction(self, transposed: bool) -> Direction:
        """Return the ways of a read: with digital work before (after) it by way of the digital unit, else from (to) the
        buffer."""
        known = self._directions.get(transposed)
        if known is None:
            known = self._directions[transposed] = self._new_direction(transposed)
        return known

    def round_trip(self, transposed: bool) -> tuple[Way, Way]:
        """Return the whole ways to the tile and back of a read of a matrix on a single tile."""
        known = self._round_trips.get(transposed)
        if known is None:
            way = self.direction(transposed)
            (lane,) = way.lanes
            ((piece, n_bytes),) = lane.pieces
            links = self._chip.interconnect
            there = links.way_to(lane.n_bytes, lane.n_bytes, way.source, piece.tile.index)
            back = links.way(n_bytes, piece.tile.index, way.target)
            known = self._round_trips[transposed] = ((*way.entering, *there), (*back, *way.leaving))
        return known

    def _new_direction(self, transposed: bool) -> Direction:
        chip = self._chip
        io = self._io[transposed]
        n_in, n_out = (
            n_bytes(lines, self._word) for lines in (self._shape if transposed else self._shape[::-1])
        )  # fmt: skip
        before, after = self.digital_work(transposed)
        entering: Way = (chip.buffer.leg("read", n_in),)
        leaving: Way = (chip.buffer.leg("write", n_out),)
        if before:
            entering = (*chip.loading(n_in), chip.digital.leg(before))
        if after:
            leaving = (chip.digital.leg(after), *chip.storing(n_out))
        return Direction(
            entering, "digital" if before else "buffer", self._sliced(transposed, io.inp_bits or self._word),
            "digital" if after else "buffer", leaving,
        )  # fmt: skip

    def _sliced(self, transposed: bool, bits: int) -> list[Lane]:
        """Return the slices of an input of ``bits`` bits."""
        inputs, outputs = (0, 1) if transposed else (1, 0)
        return [
            Lane(
                n_bytes(lane[0].block.shape[inputs], bits),
                [(piece, n_bytes(piece.block.shape[outputs], self._word)) for piece in lane],
            )
            for lane in self._lanes(transposed)
        ]

    def _lanes(self, transposed: bool) -> list[Sequence[Piece]]:
        """The pieces that read the same slice of the input, for each slice."""
        return list(self._grid) if transposed else list(zip(*self._grid, strict=True))

    def digital_work(self, transposed: bool) -> tuple[dict[str, int], dict[str, int]]:
        """Return the operations of the digital unit before and after a read, for each vector.

        Before: the input scale, and the sum of the inputs where a crossbar has no reference cells. After: partial sums,
        the subtraction of what that sum gives at weight 0, and the output scale.
        """
        io = self._io[transposed]
        n_in, n_out = self._shape if transposed else self._shape[::-1]
        partial_sums = (len(self._lanes(transposed)) - 1) * n_out
        before = {"add": 0, "compare": 0, "div": 0, "mul": 0}
        after = {"add": partial_sums, "mul": 0}
        if io.noise_management not in ("none", "constant") and not io.is_perfect:
            mean = 2 if io.noise_management == "average_abs_max" else 0
            before |= {"add": mean // 2, "compare": n_in, "div": 1, "mul": n_in + mean}
            after["mul"] += n_out
        if self._single_ended:
            before["add"] += n_in - 1
            before["mul"] += 1
            after["add"] += n_out
        return tuple({name: n for name, n in work.items() if n} for work in (before, after))  # type: ignore[return-value]

    @property
    def _single_ended(self) -> bool:
        """Whether the digital unit subtracts what the inputs would give at weight 0."""
        return self._chip.spec.tile.crossbar.reference == "digital" and self._grid[0][0].tile.needs_reference

    # Reads of one column or row

    def after_line(self, axis: Axis, piece: Piece) -> Way:
        """Return the way of what a tile has read of a line."""
        known = self._after_line.get((axis, piece.tile.index))
        if known is None:
            outputs = piece.block.shape[0 if axis == "column" else 1]
            target: Unit = "digital" if self._single_ended else "buffer"
            way = self._chip.interconnect.way(n_bytes(outputs, self._word), piece.tile.index, target)
            known = self._after_line[axis, piece.tile.index] = way
        return known

    def of_line(self, axis: Axis, piece: Piece) -> Way:
        """Return the whole way of a line that a single tile has read."""
        known = self._of_line.get((axis, piece.tile.index))
        if known is None:
            known = (*self.after_line(axis, piece), *self.line_results(axis))
            self._of_line[axis, piece.tile.index] = known
        return known

    def line_results(self, axis: Axis) -> Way:
        """Return the way of a whole line into the digital unit's buffer."""
        known = self._line_results.get(axis)
        if known is None:
            chip = self._chip
            outputs = self._shape[0 if axis == "column" else 1]
            stored = n_bytes(outputs, self._word)
            known = (chip.buffer.leg("write", stored),)
            if self._single_ended:
                known = (chip.digital.leg({"add": outputs}), *chip.storing(stored))
            self._line_results[axis] = known
        return known

    # Updates

    def of_trains(self, lines: int, rules: Rules) -> Way:
        """Return the way of the numbers on ``lines`` lines to the digital unit, where they become pulse
        probabilities."""
        managed, scaled = rules
        known = self._trains.get((lines, -1, managed, scaled))
        if known is None:
            chip = self._chip
            known = chip.loading(n_bytes(lines, self._word))
            prepare = self._preparation(lines, managed=managed, scaled=scaled)
            if prepare:
                known += (chip.digital.leg(prepare),)
            self._trains[lines, -1, managed, scaled] = known
        return known

    def of_trains_to(self, piece: Piece, lines: int, of_tile: int, rules: Rules) -> Way:
        """Return the whole way to the one tile that takes an update, ``of_tile`` lines of which are its own."""
        managed, scaled = rules
        key = (lines, piece.tile.index, managed, scaled)
        known = self._trains.get(key)
        if known is None:
            sent, own = n_bytes(lines, PROBABILITY_BITS), n_bytes(of_tile, PROBABILITY_BITS)
            there = self._chip.interconnect.way_to(sent, own, "digital", piece.tile.index)
            known = self._trains[key] = (*self.of_trains(lines, rules), *there)
        return known

    def share(self, lines: int, stream: Stream) -> Share:
        """Return the probabilities of ``lines`` lines on their way to several tiles."""
        return Share(stream, n_bytes(lines, PROBABILITY_BITS), "digital")

    def _preparation(self, lines: int, *, managed: bool, scaled: bool) -> dict[str, int]:
        """Return the digital work of turning the numbers on ``lines`` lines into pulse probabilities.

        A product a line; managed, also the largest |x| and |d| (a comparison a line), bit length and both gains.
        """
        if self._chip.spec.digital.preparation == "all_lines":
            lines = sum(self._shape)
        prepare = {"compare": lines} if managed else {}
        if scaled:
            prepare |= {"mul": lines + 4, "div": 2} if managed else {"mul": lines}
        return prepare


def rules(plan: TrainPlan) -> Rules:
    """Return the rules of a stream.

    Numbers that are the probabilities already, as whole steps that are written by single pulses, take no product.
    """
    managed = plan.params.update_management or plan.params.update_bl_management
    scaled = not _are_one(plan.row_gain) or not _are_one(plan.col_gain) or (managed and plan.bl.max() > 1)
    return Rules(managed, bool(scaled))


def rules_of_parts(plan: TrainPlan, firsts: Sequence[int]) -> list[Rules]:
    """Return the rules of the parts of a stream that begin at ``firsts``."""
    managed = plan.params.update_management or plan.params.update_bl_management
    scaled = (plan.row_gain != 1) | (plan.col_gain != 1)
    if managed:
        scaled |= plan.bl > 1
    return [Rules(managed, part) for part in np.logical_or.reduceat(scaled, firsts).tolist()]


def _are_one(gains: np.ndarray) -> bool:
    return bool(gains[0] == 1 and (gains == 1).all())


def n_bytes(n_words: int, bits: int) -> int:
    """Return the bytes that ``n_words`` words of ``bits`` bits take."""
    return -(-n_words * bits // 8)
