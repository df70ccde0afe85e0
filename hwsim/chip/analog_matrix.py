"""A weight matrix on tiles: numbers and time of its reads, pulsed updates and transfers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import numpy as np

from hwsim.chip.mapping import Block
from hwsim.chip.platform import Platform
from hwsim.chip.read_path import ReadWork
from hwsim.chip.tile import Tile
from hwsim.components.interconnect import Delivery, Share, Unit
from hwsim.devices import (
    IOParameters,
    RunningScale,
    TrainPlan,
    UpdateParameters,
    UpdateResult,
    input_scale,
    plan_trains,
)
from hwsim.engine.ledger import Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Stream
from hwsim.engine.way import Way
from hwsim.errors import DataError

PROBABILITY_BITS = 8
"""Bits of a pulse probability on its way to a pulse generator, whose comparator has 8 bits (an assumption)."""

LOGGED_SLOTS = 1 << 22
"""Slots of probed devices, coincidence or not, that are logged in one go."""


@dataclass(frozen=True)
class Piece:
    """A block of the matrix and the tile that holds it."""

    block: Block
    tile: Tile


class Lane(NamedTuple):
    """A slice of the input, of ``n_bytes`` a vector, and the pieces that read it with the bytes of their results."""

    n_bytes: int
    pieces: Sequence[tuple[Piece, int]]


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


Axis = Literal["column", "row"]
Reads = Callable[[Piece], tuple[np.ndarray, ReadWork]]


class AnalogMatrix:
    """A (rows, cols) weight matrix split over a grid of tiles; row i is output i, column j input j."""

    def __init__(
        self,
        chip: Platform,
        name: str,
        shape: tuple[int, int],
        grid: list[list[Piece]],
        io: tuple[IOParameters, IOParameters, IOParameters],
    ) -> None:
        self.name = name
        self.shape = shape
        self.grid = grid
        self.forward_io, self.backward_io, self.transfer_io = io
        self._chip = chip
        self._scales = (RunningScale(), RunningScale())
        self._directions: dict[bool, Direction] = {}

    def share_scales(self, other: AnalogMatrix) -> None:
        """Use the running input scales of another matrix."""
        self._scales = other._scales

    @cached_property
    def pieces(self) -> list[Piece]:
        """Every block with its tile."""
        return [piece for row in self.grid for piece in row]

    @property
    def tiles_of_a_vector(self) -> int:
        """Tiles that each vector of a read goes to."""
        return len(self.grid) * len(self.grid[0])

    @property
    def n_arrays(self) -> int:
        """Arrays that each tile uses."""
        return len(self.grid[0][0].tile.arrays)

    def weights(self, array: int | None = None) -> np.ndarray:
        """Return the (rows, cols) weights of one array, or what a read sees if ``array`` is None."""
        result = np.empty(self.shape, dtype=np.float32)
        for piece in self.pieces:
            tile = piece.tile
            tile.let_time_pass()
            value = tile.seen_weights() if array is None else tile.arrays[array].weights
            result[piece.block.rows, piece.block.cols] = value
        return result

    def set_weights(self, array: int, weights: np.ndarray) -> None:
        """Write weights into one array; each device keeps within its own bounds."""
        for piece in self.pieces:
            piece.tile.let_time_pass()
            piece.tile.arrays[array].set_weights(weights[piece.block.rows, piece.block.cols])

    def mean_weights(self, array: int) -> tuple[float, ...]:
        """Return the mean weight of each device of an array's unit cells."""
        sums = np.sum(
            [[part.line_sums()[0].sum() for part in piece.tile.arrays[array].devices] for piece in self.pieces], axis=0
        )
        return tuple(float(total) for total in sums / (self.shape[0] * self.shape[1]))

    def granularity(self, array: int) -> float:
        """Return the mean weight change of one pulse on an array."""
        return self.grid[0][0].tile.arrays[array].granularity

    def n_states(self, array: int) -> float:
        """Return the mean number of steps between the weight bounds of an array."""
        return self.grid[0][0].tile.arrays[array].n_states

    def set_polarity(self, array: int, rows: np.ndarray, cols: np.ndarray) -> None:
        """Set the signs (+1 or -1) of the (rows,) and (cols,) lines with which an array counts in reads."""
        for piece in self.pieces:
            piece.tile.polarity[array] = (rows[piece.block.rows], cols[piece.block.cols])

    # Reads of the whole matrix

    def read(
        self, x: np.ndarray, *, transposed: bool = False, purpose: str = "forward"
    ) -> tuple[np.ndarray, list[ReadWork]]:
        """Multiply (n, inputs) by the matrix as the tiles do it; returns (n, outputs) and each tile's work.

        Every tile sees the input scale of the whole vector; partial sums of column blocks are added in float32.
        """
        scale = self._input_scale(x, transposed=transposed, purpose=purpose)
        parts = [self._read_piece(piece, x, scale, transposed=transposed, purpose=purpose) for piece in self.pieces]
        return self._sum([y for y, _ in parts], len(x), transposed=transposed), [work for _, work in parts]

    def _input_scale(self, x: np.ndarray, *, transposed: bool, purpose: str) -> np.ndarray | None:
        io = self.backward_io if transposed else self.forward_io
        return input_scale(x, io, self._scales[transposed], learn=purpose in ("forward", "backward"))

    def _read_piece(
        self, piece: Piece, x: np.ndarray, scale: np.ndarray | None, *, transposed: bool, purpose: str
    ) -> tuple[np.ndarray, ReadWork]:
        io = self.backward_io if transposed else self.forward_io
        inputs = piece.block.rows if transposed else piece.block.cols
        return piece.tile.read(x[:, inputs], io, transposed=transposed, input_scale=scale, purpose=purpose)

    def _sum(self, parts: list[np.ndarray], n: int, *, transposed: bool) -> np.ndarray:
        if len(parts) == 1:
            return parts[0]
        y = np.zeros((n, self.shape[1] if transposed else self.shape[0]), dtype=np.float32)
        for piece, part in zip(self.pieces, parts, strict=True):
            y[:, piece.block.cols if transposed else piece.block.rows] += part
        return y

    def time_read(
        self, origin: Origin, x: np.ndarray, *, transposed: bool = False, purpose: str = "forward"
    ) -> Generator[Any, Any, tuple[np.ndarray, list[ReadWork]]]:
        """Let the hardware read (n, inputs): buffer, digital work, tiles, partial sums, digital work, buffer.

        Each tile reads its devices as they stand when it is free for the read. Returns what :meth:`read` returns.
        """
        chip = self._chip
        scale = self._input_scale(x, transposed=transposed, purpose=purpose)
        parts: dict[int, tuple[np.ndarray, ReadWork]] = {}

        def read(piece: Piece) -> tuple[np.ndarray, ReadWork]:
            part = self._read_piece(piece, x, scale, transposed=transposed, purpose=purpose)
            parts[piece.tile.index] = part
            return part

        way = self._direction(transposed)
        stream = yield from chip.travel(origin, chip.stream(len(x)), way.entering)
        stream = yield from chip.together([self._lane(origin, stream, lane, read, way) for lane in way.lanes])
        stream = yield from chip.travel(origin, stream, way.leaving)
        yield from chip.wait_until(stream.last)
        done = [parts[piece.tile.index] for piece in self.pieces]
        return self._sum([y for y, _ in done], len(x), transposed=transposed), [work for _, work in done]

    def _direction(self, transposed: bool) -> Direction:
        """Return the ways of a read: with digital work before (after) it by way of the digital unit, else from (to) the
        buffer."""
        known = self._directions.get(transposed)
        if known is not None:
            return known
        chip = self._chip
        io = self.backward_io if transposed else self.forward_io
        n_in, n_out = (_bytes(lines, chip.spec.word_bits) for lines in (self.shape if transposed else self.shape[::-1]))
        before, after = self.digital_work(transposed=transposed)
        entering: Way = (chip.buffer.leg("read", n_in),)
        leaving: Way = (chip.buffer.leg("write", n_out),)
        if before:
            entering = (*chip.loading(n_in), chip.digital.leg(before))
        if after:
            leaving = (chip.digital.leg(after), *chip.storing(n_out))
        known = self._directions[transposed] = Direction(
            entering, "digital" if before else "buffer", self._sliced(transposed, io.inp_bits or chip.spec.word_bits),
            "digital" if after else "buffer", leaving,
        )  # fmt: skip
        return known

    def _sliced(self, transposed: bool, bits: int) -> list[Lane]:
        """Return the slices of an input of ``bits`` bits."""
        inputs, outputs = (0, 1) if transposed else (1, 0)
        word = self._chip.spec.word_bits
        return [
            Lane(
                _bytes(lane[0].block.shape[inputs], bits),
                [(piece, _bytes(piece.block.shape[outputs], word)) for piece in lane],
            )
            for lane in self._lanes(transposed=transposed)
        ]

    def _lanes(self, *, transposed: bool) -> list[Sequence[Piece]]:
        """The pieces that read the same slice of the input, for each slice."""
        return list(self.grid) if transposed else list(zip(*self.grid, strict=True))

    def digital_work(self, *, transposed: bool) -> tuple[dict[str, int], dict[str, int]]:
        """Return the operations of the digital unit before and after a read, for each vector.

        Before: the input scale, and the sum of the inputs where a crossbar has no reference cells. After: partial sums,
        the subtraction of what that sum gives at weight 0, and the output scale.
        """
        io = self.backward_io if transposed else self.forward_io
        n_in, n_out = self.shape if transposed else self.shape[::-1]
        partial_sums = (len(self._lanes(transposed=transposed)) - 1) * n_out
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
        return self._chip.spec.tile.crossbar.reference == "digital" and self.grid[0][0].tile.needs_reference

    def _lane(self, origin: Origin, stream: Stream, lane: Lane, read: Reads, way: Direction) -> Part:
        """Send one slice of the input to every tile that needs it, read them, and send the results back."""
        chip = self._chip

        def one(piece: Piece, n_bytes: int, arrived: Stream) -> Part:
            done = yield from piece.tile.pass_through(origin, arrived, partial(read, piece))
            return (yield from chip.interconnect.transfer(origin, done, n_bytes, piece.tile.index, way.target))

        deliveries = [
            Delivery(piece.tile.index, lane.n_bytes, partial(one, piece, n_bytes)) for piece, n_bytes in lane.pieces
        ]
        return chip.interconnect.scatter(origin, Share(stream, lane.n_bytes, way.source), deliveries)

    # Reads of one column or row

    def along(self, axis: Axis, line: int) -> list[tuple[Piece, int]]:
        """Return the tiles that hold a column or row, and its index within them."""
        found = []
        for piece in self.pieces:
            start, stop = (
                (piece.block.col_start, piece.block.col_stop)
                if axis == "column"
                else (piece.block.row_start, piece.block.row_stop)
            )
            if start <= line < stop:
                found.append((piece, line - start))
        return found

    def read_line(
        self, array: int, line: int, axis: Axis, io: IOParameters | None = None, device: int | None = None
    ) -> tuple[np.ndarray, list[ReadWork]]:
        """Read one column (or row) of one array by a one-hot input.

        ``io`` are the converters, by default those of transfers; ``device`` picks one device of the unit cells.
        """
        parts = [
            piece.tile.read_line(array, index, io or self.transfer_io, axis=axis, device=device)
            for piece, index in self.along(axis, line)
        ]
        return self._join(axis, line, [y for y, _ in parts]), [work for _, work in parts]

    def _join(self, axis: Axis, line: int, parts: list[np.ndarray]) -> np.ndarray:
        if len(parts) == 1:
            return parts[0]
        values = np.empty(self.shape[0] if axis == "column" else self.shape[1], dtype=np.float32)
        for (piece, _), part in zip(self.along(axis, line), parts, strict=True):
            values[piece.block.rows if axis == "column" else piece.block.cols] = part
        return values

    def time_read_line(
        self,
        origin: Origin,
        array: int,
        line: int,
        axis: Axis,
        io: IOParameters | None = None,
        device: int | None = None,
    ) -> Generator[Any, Any, tuple[np.ndarray, list[ReadWork]]]:
        """Let the hardware read one line of one array; the results go to the digital unit's buffer.

        Returns what :meth:`read_line` returns.
        """
        chip = self._chip
        word = chip.spec.word_bits
        along = self.along(axis, line)
        parts: dict[int, tuple[np.ndarray, ReadWork]] = {}

        def one(piece: Piece, index: int) -> Generator[Any, Any, Stream]:
            def read() -> tuple[np.ndarray, ReadWork]:
                part = piece.tile.read_line(array, index, io or self.transfer_io, axis=axis, device=device)
                parts[piece.tile.index] = part
                if chip.pulse_book is not None:
                    start = chip.env.now + piece.tile.read_delay(transposed=axis == "row")
                    chip.pulse_book.add_line_read(start, (piece.tile.index, array, device), axis, index)
                return part

            stream = yield from piece.tile.pass_through(origin, chip.stream(1), read, array)
            outputs = piece.block.shape[0 if axis == "column" else 1]
            return (
                yield from chip.interconnect.transfer(origin, stream, _bytes(outputs, word), piece.tile.index, target)
            )

        target: Unit = "digital" if self._single_ended else "buffer"
        stream = yield from chip.together([one(piece, index) for piece, index in along])
        outputs = self.shape[0 if axis == "column" else 1]
        n_bytes = _bytes(outputs, word)
        way: Way = (chip.buffer.leg("write", n_bytes),)
        if self._single_ended:
            way = (chip.digital.leg({"add": outputs}), *chip.storing(n_bytes))
        stream = yield from chip.travel(origin, stream, way)
        yield from chip.wait_until(stream.last)
        done = [parts[piece.tile.index] for piece, _ in along]
        return self._join(axis, line, [y for y, _ in done]), [work for _, work in done]

    # Pulsed updates

    def plan(
        self, array: int, x: np.ndarray, d: np.ndarray, lr: float | np.ndarray, params: UpdateParameters
    ) -> TrainPlan:
        """Choose the pulse trains of a stream of rank-1 updates from the whole vectors.

        ``lr`` is one number, or (n,) with one for each vector.
        """
        return plan_trains(x, d, lr, self.granularity(array), params)

    def apply(
        self, array: int, x: np.ndarray, d: np.ndarray, plan: TrainPlan, pieces: list[Piece]
    ) -> list[UpdateResult]:
        """Apply pulse trains to the given tiles."""
        return [piece.tile.apply(array, x[:, piece.block.cols], d[:, piece.block.rows], plan) for piece in pieces]

    def _apply_logged(
        self,
        origin: Origin,
        array: int,
        x: np.ndarray,
        d: np.ndarray,
        plan: TrainPlan,
        pieces: list[Piece],
        starts: list[int],
    ) -> list[UpdateResult]:
        """Apply pulse trains that start on each tile at ``starts`` (ps) and log the pulses of probed regions.

        A long stream is applied in parts, so that its pulses need not fit into memory.
        """
        book = self._chip.pulse_book
        regions = [self._chip.probes.get(piece.tile.index) for piece in pieces]
        if book is None or not any(regions):
            return self.apply(array, x, d, plan, pieces)
        done: list[list[UpdateResult]] = [[] for _ in pieces]
        for part in self._parts(array, plan, regions):
            own, before = plan.part(part), int(plan.slots[: part.start].sum())
            for piece, region, start, results in zip(pieces, regions, starts, done, strict=True):
                tile = piece.tile
                probe = tile.timed(region, start + tile.train_time(before), own.slots)
                result = tile.apply(array, x[part, piece.block.cols], d[part, piece.block.rows], own, probe)
                self._chip.log_pulses(origin, part.start, (tile.index, array), result)
                self._chip.lines.trains(origin, part.start, (tile, array), result, start + tile.train_time(before))
                results.append(result)
            slots = before + int(own.slots.sum())
            book.tell(
                {piece.tile.index: at + piece.tile.train_time(slots) for piece, at in zip(pieces, starts, strict=True)}
            )
        return [results[0] if len(results) == 1 else UpdateResult.in_turn(results) for results in done]

    def _parts(self, array: int, plan: TrainPlan, regions: Sequence[tuple[slice, slice] | None]) -> list[slice]:
        """Return the samples of a logged stream in parts with at most ``LOGGED_SLOTS``, or one sample.

        Cells of several devices, and devices that age, take a stream as a whole.
        """
        cells = self.grid[0][0].tile.arrays[array]
        if len(cells.devices) > 1 or cells.devices[0].ages:
            return [slice(0, len(plan.bl))]
        probed = sum((rows.stop - rows.start) * (cols.stop - cols.start) for rows, cols in filter(None, regions))
        number = np.cumsum(plan.slots) * probed // LOGGED_SLOTS
        firsts = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist()]
        return [slice(first, last) for first, last in zip(firsts, [*firsts[1:], len(plan.bl)], strict=True)]

    def time_update(
        self,
        origin: Origin,
        array: int,
        x: np.ndarray,
        d: np.ndarray,
        plan: TrainPlan,
        pieces: list[Piece],
        driven: Sequence[Axis],
    ) -> Generator[Any, Any, list[UpdateResult]]:
        """Let the hardware do a stream of updates; the arrays change when it ends.

        ``driven`` are the sides whose probabilities are computed and sent; a one-hot side needs none.
        """
        chip = self._chip
        lines = _lines(self.shape, driven)
        way = chip.loading(_bytes(lines, chip.spec.word_bits))
        prepare = self._preparation(plan, lines)
        if prepare:
            way += (chip.digital.leg(prepare),)
        stream = yield from chip.travel(origin, chip.stream(len(x)), way)
        each = plan.slots
        slots = int(np.add.reduce(each)), int(each[-1])
        deliveries = [
            Delivery(
                piece.tile.index,
                _bytes(_lines(piece.block.shape, driven), PROBABILITY_BITS),
                partial(self._pulse_tile, piece.tile, slots),
            )
            for piece in pieces
        ]
        share = Share(stream, _bytes(lines, PROBABILITY_BITS), "digital")
        yield from chip.interconnect.scatter(origin, share, deliveries)
        starts = [chip.env.now - piece.tile.train_time(slots[0]) for piece in pieces]
        for piece in pieces:
            piece.tile.let_time_pass()
        sums = [[device.line_sums() for device in piece.tile.arrays[array].devices] for piece in pieces]
        results = self._apply_logged(origin, array, x, d, plan, pieces, starts)
        for piece, result, start, before in zip(pieces, results, starts, sums, strict=True):
            piece.tile.book_update(origin, start, array, slots[0], result, before)
            piece.tile.station.release()
        return results

    def _preparation(self, plan: TrainPlan, lines: int) -> dict[str, int]:
        """Return the digital work of turning the numbers on ``lines`` lines into pulse probabilities.

        A product a line; managed, also the largest |x| and |d| (a comparison a line), bit length and both gains.
        Numbers that are the probabilities already, as whole steps that are written by single pulses, take no product.
        """
        if self._chip.spec.digital.preparation == "all_lines":
            lines = sum(self.shape)
        managed = plan.params.update_management or plan.params.update_bl_management
        prepare = {"compare": lines} if managed else {}
        if not _are_one(plan.row_gain) or not _are_one(plan.col_gain) or (managed and plan.bl.max() > 1):
            prepare |= {"mul": lines + 4, "div": 2} if managed else {"mul": lines}
        return prepare

    def _pulse_tile(self, tile: Tile, slots: tuple[int, int], stream: Stream) -> Part:
        """Hold a tile for trains, of all samples and of the last one; the caller releases it when the array has
        changed."""
        chip = self._chip
        yield from tile.station.acquire()
        # The trains end no earlier than the last sample's own train after its arrival.
        total, last_train = (tile.train_time(n) for n in slots)
        yield from chip.wait_until(max(chip.env.now + total, stream.last + last_train))
        return Stream(stream.n, chip.env.now, chip.env.now)

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return all that changes: the arrays of every tile with their polarities, and the running input scales."""
        return {
            "scales": [scale.mean for scale in self._scales],
            "tiles": [[cells.state() for cells in piece.tile.arrays] for piece in self.pieces],
            "polarity": [dict(piece.tile.polarity) for piece in self.pieces],
            "told": [piece.tile.told for piece in self.pieces],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, bit for bit.

        Raises:
            DataError: the state is of a matrix with other tiles or devices.
        """
        shape = [len(piece.tile.arrays) for piece in self.pieces]
        if set(state) != {"scales", "tiles", "polarity", "told"} or [len(arrays) for arrays in state["tiles"]] != shape:
            raise DataError(f"this is no state of the matrix '{self.name}' on {len(shape)} tiles of {shape[0]} arrays")
        for piece, arrays, polarity in zip(self.pieces, state["tiles"], state["polarity"], strict=True):
            for cells, part in zip(piece.tile.arrays, arrays, strict=True):
                cells.restore(part)
            piece.tile.polarity = {int(index): (rows.copy(), cols.copy()) for index, (rows, cols) in polarity.items()}
        for piece, told in zip(self.pieces, state["told"], strict=True):
            piece.tile.told = int(told)
        for scale, mean in zip(self._scales, state["scales"], strict=True):
            scale.mean = float(mean)


def _bytes(n_words: int, bits: int) -> int:
    return -(-n_words * bits // 8)


def _are_one(gains: np.ndarray) -> bool:
    return bool(gains[0] == 1 and (gains == 1).all())


def _lines(shape: tuple[int, int], driven: Sequence[Axis]) -> int:
    """Return the lines of the given sides of (rows, cols)."""
    return (shape[0] if "row" in driven else 0) + (shape[1] if "column" in driven else 0)
