"""A weight matrix on tiles: numbers and time of its reads, pulsed updates and transfers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np

from hwsim.chip.matrix_ways import PROBABILITY_BITS, Axis, Direction, Lane, MatrixWays, Rules, n_bytes, rules
from hwsim.chip.piece import Piece
from hwsim.chip.platform import Platform
from hwsim.chip.read_path import ReadWork
from hwsim.chip.tile import Tile
from hwsim.components.interconnect import Delivery, Share
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
from hwsim.engine.under_way import Kind, Player
from hwsim.engine.way import Way
from hwsim.errors import DataError

LOGGED_SLOTS = 1 << 22
"""Slots of probed devices, coincidence or not, that are logged in one go."""


class Act(NamedTuple):
    """An operation that is played: by whom, its kind, step and first sample."""

    player: Player
    kind: Kind
    step: int
    sample: int


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
        self._ways = MatrixWays(chip, shape, grid, self.forward_io, self.backward_io)

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

        if len(self.pieces) == 1:
            stream = yield from self._on_one_tile(origin, len(x), transposed, read)
        else:
            way = self._ways.direction(transposed)
            stream = yield from chip.travel(origin, chip.stream(len(x)), way.entering)
            stream = yield from chip.together([self._lane(origin, stream, lane, read, way) for lane in way.lanes])
            stream = yield from chip.travel(origin, stream, way.leaving)
        yield from chip.wait_until(stream.last)
        done = [parts[piece.tile.index] for piece in self.pieces]
        return self._sum([y for y, _ in done], len(x), transposed=transposed), [work for _, work in done]

    def _on_one_tile(self, origin: Origin, n: int, transposed: bool, read: Reads) -> Part:
        """Send a stream to the only tile, read it there, and bring the results back."""
        chip = self._chip
        there, back = self._ways.round_trip(transposed)
        (piece,) = self.pieces
        found = chip.set_out(origin, chip.stream(n), there)
        stream = found if isinstance(found, Stream) else (yield from found)
        stream = yield from piece.tile.pass_through(origin, stream, partial(read, piece))
        found = chip.set_out(origin, stream, back)
        return found if isinstance(found, Stream) else (yield from found)

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

    # Operations that have the chip for themselves

    @cached_property
    def is_playable(self) -> bool:
        """Whether the devices of a single tile hold the whole matrix, whose pulses nobody logs."""
        return type(self) is AnalogMatrix and len(self.pieces) == 1 and self._chip.pulse_book is None

    def play_read(
        self, act: Act, x: np.ndarray, *, transposed: bool = False, purpose: str = "forward"
    ) -> tuple[np.ndarray, list[ReadWork]]:
        """Do what :meth:`time_read` does on the only tile, while nothing else is under way."""
        player, kind, step, sample = act
        (piece,) = self.pieces
        there, back = self._ways.round_trip(transposed)
        scale = self._input_scale(x, transposed=transposed, purpose=purpose)
        origin = player.reach(kind, step, sample, len(x), there, piece.tile.station)
        y, work = self._read_piece(piece, x, scale, transposed=transposed, purpose=purpose)
        first, last = piece.tile.read_now(origin, player.arrived, work)
        player.leave(kind, step, origin, len(x), first, last, back)
        return y, [work]

    def play_read_line(self, act: Act, array: int, line: int, axis: Axis) -> tuple[np.ndarray, list[ReadWork]]:
        """Do what :meth:`time_read_line` does on the only tile, while nothing else is under way."""
        player, kind, step, sample = act
        (piece,) = self.pieces
        origin = player.reach(kind, step, sample, 1, (), piece.tile.station)
        values, work = piece.tile.read_line(array, line, self.transfer_io, axis=axis)
        first, last = piece.tile.read_now(origin, player.arrived, work, array)
        player.leave(kind, step, origin, 1, first, last, self.way_of_line(axis))
        return values, [work]

    def play_update(
        self, act: Act, array: int, x: np.ndarray, d: np.ndarray, plan: TrainPlan, driven: Sequence[Axis]
    ) -> list[UpdateResult]:
        """Do what :meth:`time_update` does on the only tile, while nothing else is under way."""
        player, kind, step, sample = act
        (piece,) = self.pieces
        tile = piece.tile
        slots = plan.slots.tolist()
        total = sum(slots)
        origin = player.reach(kind, step, sample, len(x), self.way_of_trains(driven, rules(plan)), tile.station)
        duration = tile.train_time(total)
        player.until(max(self._chip.env.now + duration, player.arrived + tile.train_time(slots[-1])))
        start = self._chip.env.now - duration
        tile.let_time_pass()
        sums = [device.line_sums() for device in tile.arrays[array].devices]
        result = tile.apply(array, x, d, plan)
        tile.book_update(origin, start, array, total, result, sums)
        tile.station.release()
        player.end(kind, step)
        return [result]

    # Reads of one column or row

    def along(self, axis: Axis, line: int) -> list[tuple[Piece, int]]:
        """Return the tiles that hold a column or row, and its index within them."""
        if len(self.pieces) == 1:
            return [(self.pieces[0], line)]
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
        along = self.along(axis, line)
        parts: dict[int, tuple[np.ndarray, ReadWork]] = {}

        def one(piece: Piece, index: int) -> Part:
            def read() -> tuple[np.ndarray, ReadWork]:
                part = piece.tile.read_line(array, index, io or self.transfer_io, axis=axis, device=device)
                parts[piece.tile.index] = part
                if chip.pulse_book is not None:
                    start = chip.env.now + piece.tile.read_delay(transposed=axis == "row")
                    chip.pulse_book.add_line_read(start, (piece.tile.index, array, device), axis, index)
                return part

            stream = yield from piece.tile.pass_through(origin, chip.stream(1), read, array)
            found = chip.set_out(origin, stream, self._ways.after_line(axis, piece))
            return found if isinstance(found, Stream) else (yield from found)

        stream = yield from chip.together([one(piece, index) for piece, index in along])
        found = chip.set_out(origin, stream, self._ways.line_results(axis))
        stream = found if isinstance(found, Stream) else (yield from found)
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
        each = plan.slots
        slots = int(np.add.reduce(each)), int(each[-1])
        if len(pieces) == 1:
            (piece,) = pieces
            way = self._ways.of_trains_to(piece, lines, _lines(piece.block.shape, driven), rules(plan))
            found = chip.set_out(origin, chip.stream(len(x)), way)
            stream = found if isinstance(found, Stream) else (yield from found)
            yield from self._pulse_tile(piece.tile, slots, stream)
        else:
            stream = yield from chip.travel(origin, chip.stream(len(x)), self._ways.of_trains(lines, rules(plan)))
            deliveries = [
                Delivery(
                    piece.tile.index,
                    n_bytes(_lines(piece.block.shape, driven), PROBABILITY_BITS),
                    partial(self._pulse_tile, piece.tile, slots),
                )
                for piece in pieces
            ]
            yield from chip.interconnect.scatter(origin, self._ways.share(lines, stream), deliveries)
        starts = [chip.env.now - piece.tile.train_time(slots[0]) for piece in pieces]
        for piece in pieces:
            piece.tile.let_time_pass()
        sums = [[device.line_sums() for device in piece.tile.arrays[array].devices] for piece in pieces]
        results = self._apply_logged(origin, array, x, d, plan, pieces, starts)
        for piece, result, start, before in zip(pieces, results, starts, sums, strict=True):
            piece.tile.book_update(origin, start, array, slots[0], result, before)
            piece.tile.station.release()
        return results

    def way_of_trains(self, driven: Sequence[Axis], rules: Rules) -> Way:
        """Return the way of an update to the only tile of the matrix."""
        (piece,) = self.pieces
        lines = _lines(self.shape, driven)
        return self._ways.of_trains_to(piece, lines, lines, rules)

    def way_of_line(self, axis: Axis) -> Way:
        """Return the way of a line that the only tile of the matrix has read."""
        (piece,) = self.pieces
        return self._ways.of_line(axis, piece)

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


def _lines(shape: tuple[int, int], driven: Sequence[Axis]) -> int:
    """Return the lines of the given sides of (rows, cols)."""
    return (shape[0] if "row" in driven else 0) + (shape[1] if "column" in driven else 0)
