"""A sweep: gradients pulsed onto one array of a layer, whose columns go to the next array in turn, done as a whole.

Where transfers follow every few samples, a mini-batch is hundreds of short operations of one layer. No read of the
first array depends on what is written to the second one, so their numbers can be computed together; and while no
other program is under way, the times of the operations follow from each other. Numbers, times and rows of the ledger
are those of the operations one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.matrix_ways import rules_of_parts
from hwsim.chip.operations import Digital
from hwsim.chip.platform import Platform
from hwsim.chip.read_path import ReadWork
from hwsim.devices import ColumnWrites, DeviceArray, TrainPlan, UpdateParameters, WatchedUpdate, plan_trains
from hwsim.engine.under_way import Kind, LineReads, Player, Trains
from hwsim.engine.way import Way

Asked = tuple[Kind, int, Way]
"""What a player wants to know of digital work: its kind, its vectors and their way."""

KindOf = Callable[[str, str, str], Kind]
"""What the operations of a kind, phase and layer have in common."""


class Stretch(NamedTuple):
    """A part of the mini-batch that is pulsed in one go; then a column is transferred, unless that is not due."""

    part: slice
    column: int = -1
    may_write: bool = False
    work: Digital | None = None

    @property
    def n(self) -> int:
        """Samples."""
        return self.part.stop - self.part.start


@dataclass(frozen=True)
class Sweep:
    """The stretches of one mini-batch of a layer.

    Attributes:
        matrix: the layer's matrix.
        arrays: which array takes the gradients, and to which one its columns go.
        stretches: what follows each other; only the last one may be without a transfer.
        vectors: the inputs (n, cols) and errors (n, rows) as the first array takes them.
        rates: learning rates, (n,) or one for all.
        update: how the pulse trains of the gradient are made.
        before: the digital work before the update of a stretch of so many samples.
        collect: takes the columns that were read, (transfers, rows), and returns the steps to be written.
        write_rate: learning rate of what is written.
        write: how its pulse trains are made.
    """

    matrix: AnalogMatrix
    arrays: tuple[int, int]
    stretches: Sequence[Stretch]
    vectors: tuple[np.ndarray, np.ndarray]
    rates: float | np.ndarray
    update: UpdateParameters
    before: Callable[[int], Sequence[Digital]]
    collect: Callable[[np.ndarray], np.ndarray]
    write_rate: float
    write: UpdateParameters

    @staticmethod
    def is_possible(
        chip: Platform, matrix: AnalogMatrix, arrays: tuple[int, int], trains: Sequence[UpdateParameters]
    ) -> bool:
        """Return whether the sweep of a matrix gives what its operations would give one by one.

        They need a tile for themselves whose first array counts in no other read, devices that keep still, and trains
        whose pulses nobody logs.
        """
        if type(matrix) is not AnalogMatrix or len(matrix.pieces) != 1 or chip.pulse_book is not None:
            return False
        tile = matrix.pieces[0].tile
        chosen = [tile.arrays[index] for index in arrays]
        return (
            tile.gains[arrays[0]] == 0
            and all(type(cells) is DeviceArray and cells.is_plain for cells in chosen)
            and all(params.pulse_type != "none_with_device" for params in trains)
        )

    def run(self, chip: Platform) -> None:
        """Do the numbers."""
        _Done.of(self).count(chip)

    def play(self, chip: Platform, player: Player, kind_of: KindOf, step: int, sample: int) -> None:
        """Do the numbers, and let the hardware take the time and energy of every operation."""
        done = _Done.of(self)
        done.count(chip)
        _Course(done, chip, player, kind_of, step, sample).play()


@dataclass(frozen=True)
class _Done:
    """The numbers of a sweep: updates, reads and writes in their order."""

    sweep: Sweep
    plan: TrainPlan
    updated: WatchedUpdate
    works: list[ReadWork]
    sums: np.ndarray
    """Sum of the weights on each column as it was read."""
    nonzero: np.ndarray
    """Which reads gave anything."""
    released: np.ndarray
    """Which transfers had anything to write."""
    written: np.ndarray
    """Which of them wrote it."""
    write_plan: TrainPlan
    writes: ColumnWrites

    @classmethod
    def of(cls, sweep: Sweep) -> _Done:
        """Do the numbers."""
        matrix, (source, target) = sweep.matrix, sweep.arrays
        (piece,) = matrix.pieces
        x, d = sweep.vectors
        transfers = [stretch for stretch in sweep.stretches if stretch.column >= 0]
        columns = np.array([stretch.column for stretch in transfers], np.int32)
        watched = np.full(len(x), -1, np.int32)
        watched[[stretch.part.stop - 1 for stretch in transfers]] = columns
        plan = matrix.plan(source, x, d, sweep.rates, sweep.update)
        updated = piece.tile.arrays[source].update_watched(x, d, plan, watched)  # type: ignore[attr-defined]
        seen = updated.columns[watched >= 0]
        values, works = piece.tile.read_columns(source, columns, seen, matrix.transfer_io)
        steps = sweep.collect(values)
        released: np.ndarray = np.any(steps, axis=1)
        written = released & np.array([stretch.may_write for stretch in transfers], bool)
        one_hot = np.zeros((int(written.sum()), matrix.shape[1]), np.float32)
        one_hot[np.arange(len(one_hot)), columns[written]] = 1
        errors = np.ascontiguousarray(-steps[written], np.float32)
        granularity = matrix.granularity(target)
        write_plan = plan_trains(one_hot, errors, sweep.write_rate, granularity, sweep.write)
        writes = piece.tile.arrays[target].write_columns(columns[written], errors, write_plan)  # type: ignore[attr-defined]
        return cls(
            sweep, plan, updated, works, np.add.reduce(seen, axis=1, dtype=np.float64), np.any(values, axis=1),
            released, written, write_plan, writes,
        )  # fmt: skip

    @property
    def firsts(self) -> list[int]:
        """The first sample of each stretch."""
        return [stretch.part.start for stretch in self.sweep.stretches]

    def count(self, chip: Platform) -> None:
        """Count what was done, for the summary and for the statistics."""
        matrix, result = self.sweep.matrix, self.updated.result
        up, down = result.totals.up, result.totals.down
        chip.count("update", len(result.bl))
        chip.count("pulses_up", up)
        chip.count("pulses_down", down)
        chip.count("coincidences", up + down)
        chip.count("transfer_read", len(self.works))
        chip.count("adc_conversions", sum(work.conversions * work.shape.lines_out for work in self.works))
        writes = self.writes
        if len(writes.slots):
            chip.count("transfer_write", len(writes.slots))
            chip.count("transfer_pulses", int(writes.pulses_up.sum() + writes.pulses_down.sum()))
        for n, times in Counter(stretch.n for stretch in self.sweep.stretches).items():
            for work in self.sweep.before(n):
                work.count(chip, times)
        works = {id(stretch.work): stretch.work for stretch in self.sweep.stretches if stretch.work is not None}
        for number, times in Counter(id(stretch.work) for stretch in self.sweep.stretches).items():
            if number in works:
                works[number].count(chip, times)
        self._record(chip, matrix.name)

    def _record(self, chip: Platform, layer: str) -> None:
        recorder, (source, target) = chip.recorder, self.sweep.arrays
        result, firsts, (rows, cols) = self.updated.result, self.firsts, self.sweep.matrix.shape
        vectors = np.array([stretch.n for stretch in self.sweep.stretches])
        counts = np.array(
            [
                np.add.reduce(result.row_fires, axis=1), np.add.reduce(result.col_fires, axis=1), result.pulses_up,
                result.pulses_down, result.sum_w,
            ],
            float,
        )  # fmt: skip
        slots = np.add.reduceat(result.slots, firsts)
        in_parts = np.add.reduceat(counts, firsts, axis=1)
        recorder.trains_in_turn((layer, "update", f"array{source}"), vectors, slots, (rows, cols), in_parts)
        recorder.line_reads(layer, f"array{source}", self.works, self.nonzero)
        works = [stretch.work for stretch in self.sweep.stretches if stretch.work is not None]
        if works:
            recorder.states(layer, works[0].name, self.released)
        writes = self.writes
        counts = np.array(
            [writes.row_fires, writes.col_fires, writes.pulses_up, writes.pulses_down, writes.sum_w], float
        )
        key = (layer, "transfer_write", f"array{target}")
        recorder.trains_in_turn(key, np.ones(len(writes.slots), int), writes.slots, (rows, 1), counts)


class _Course:
    """The operations of a sweep in simulated time."""

    def __init__(self, done: _Done, chip: Platform, player: Player, kind_of: KindOf, step: int, sample: int) -> None:
        self._done = done
        self._sweep = done.sweep
        self._chip = chip
        self._player = player
        self._step, self._sample = step, sample
        self._tile = done.sweep.matrix.pieces[0].tile
        layer = done.sweep.matrix.name
        self._kind_of = lambda operation, phase: kind_of(operation, phase, layer)

    def play(self) -> None:
        """Play every operation in its turn."""
        stretches = self._sweep.stretches
        of_size = {
            n: [self._asked(work) for work in self._sweep.before(n)] for n in {stretch.n for stretch in stretches}
        }
        before = [of_size[stretch.n] for stretch in stretches]
        works = [stretch.work for stretch in stretches if stretch.work is not None]
        asked = {number: self._asked(work) for number, work in {id(work): work for work in works}.items()}
        after = [asked[id(work)] for work in works]
        written = self._done.written.view(np.uint8)
        self._player.sweep(
            self._step, self._sample, self._updates(), before, self._reads(), after, self._writes(), written
        )

    def _asked(self, work: Digital) -> Asked:
        return self._kind_of("digital", work.phase), work.n, work.way(self._chip)

    def _updates(self) -> Trains:
        done, sweep = self._done, self._sweep
        result, firsts = done.updated.result, done.firsts
        ways = {}
        for rules in set(found := rules_of_parts(done.plan, firsts)):
            ways[rules] = sweep.matrix.way_of_trains(("row", "column"), rules)
        slots = result.slots
        pulses = result.pulses_up + result.pulses_down
        fires = [np.add.reduce(lines, axis=1, dtype=np.int64) for lines in (result.row_fires, result.col_fires)]
        sums = [
            np.add.reduceat(counts, firsts) for counts in (slots, pulses, result.sum_w, *fires, done.updated.on_lines)
        ]
        stops = np.array([*firsts[1:], len(slots)])
        return self._tile.trains(
            self._kind_of("update", "update"), sweep.arrays[0], [ways[rules] for rules in found], stops - firsts,
            slots[stops - 1], *sums,
        )  # fmt: skip

    def _writes(self) -> Trains:
        done, sweep = self._done, self._sweep
        writes = done.writes
        n = len(writes.slots)
        found = rules_of_parts(done.write_plan, range(n)) if n else []
        ways = {rules: sweep.matrix.way_of_trains(("row",), rules) for rules in set(found)}
        return self._tile.trains(
            self._kind_of("transfer_write", "transfer"), sweep.arrays[1], [ways[rules] for rules in found],
            np.ones(n, np.int64), writes.slots, writes.slots, writes.pulses_up + writes.pulses_down, writes.sum_w,
            writes.row_fires, writes.col_fires, writes.on_lines,
        )  # fmt: skip

    def _reads(self) -> LineReads:
        done = self._done
        way = self._sweep.matrix.way_of_line("column")
        kind = self._kind_of("transfer_read", "transfer")
        return self._tile.column_reads(kind, self._sweep.arrays[0], done.works, done.sums, way)
