"""A tile: arrays of devices with their converters and pulse generators. It reads and updates, and books both."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import numpy as np

from hwsim.chip.read_path import ReadPath, ReadTiming, ReadWork
from hwsim.components.base import Component
from hwsim.components.converters import Accumulator, Adc, Dac, Integrator, SampleHold
from hwsim.components.crossbar import Conductance, Crossbar, Exposure, Firings, Numbers, firing_energy
from hwsim.components.pulse_generator import PulseGenerator
from hwsim.cost import CostTables
from hwsim.devices import Cells, IOParameters, Region, TimedRegion, TrainPlan, UpdateResult
from hwsim.engine.bill import Bill
from hwsim.engine.env import Env
from hwsim.engine.gauges import QUEUE
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.station import Station, Stream
from hwsim.engine.under_way import Kind, LineReads, Trains
from hwsim.engine.way import Way
from hwsim.spec.device import DeviceSpec
from hwsim.spec.tile import TileSpec
from hwsim.units import to_picoseconds

Slots = TypeVar("Slots", int, np.ndarray)
"""Slots of one train or of many."""


class Tile:
    """One tile that holds a block of a matrix.

    Args:
        env: SimPy environment.
        index: number of the tile on the chip.
        spec: its description.
        tables: cost tables of the chip.
        ledger: where its actions are booked.
        device: the device of its arrays.
        arrays: the arrays in use, all of the block's shape.
        gains: how each array counts in a forward or backward read.
    """

    def __init__(
        self,
        env: Env,
        index: int,
        spec: TileSpec,
        tables: CostTables,
        ledger: Ledger,
        device: DeviceSpec,
        arrays: Sequence[Cells],
        gains: Sequence[float],
    ) -> None:
        self.env = env
        self.ledger = ledger
        self.index = index
        self.spec = spec
        self.arrays = list(arrays)
        self.gains = tuple(gains)
        self.shape = self.arrays[0].shape
        self.polarity: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._exposures: dict[tuple[int, bool, int], Exposure] = {}
        self._reads: dict[int | None, list[tuple[int, float, int]]] = {}
        self.station = Station(env, note=env.gauges.of(f"tile{index}", QUEUE))
        self._told = env.now
        self._ages = any(part.ages for cells in self.arrays for part in cells.devices)
        self._device = device
        self.needs_reference = device.unit_cell.needs_reference
        self._conductance = Conductance.of(device.cell, device.parameters.w_min, device.parameters.w_max)
        name = f"tile{index}"
        counts = {name: count for name, (_, count) in spec.placements().items()}

        def part(kind: type[Component], component: str, instances: int | None = None) -> Any:
            number = counts[component] if instances is None else instances
            return kind(f"{name}.{component}", tables[f"tile.{component}"], ledger, instances=number, tile=index)

        self.crossbar: Crossbar = part(Crossbar, "crossbar", self._devices())
        self.crossbar.standby_power = device.cell.standby_power
        self.row_dac: Dac = part(Dac, "row_dac")
        self.col_dac: Dac = part(Dac, "col_dac")
        self.row_dac.sign_slice = spec.row_dac.sign == "slice"
        self.col_dac.sign_slice = spec.col_dac.sign == "slice"
        self.row_pulser: PulseGenerator = part(PulseGenerator, "row_pulser")
        self.col_pulser: PulseGenerator = part(PulseGenerator, "col_pulser")
        self.row_pulser.kind, self.col_pulser.kind = spec.row_pulser.kind, spec.col_pulser.kind
        self.integrator: Integrator = part(Integrator, "integrator")
        self.sample_hold: SampleHold | None = None
        if spec.sample_hold is not None:
            self.sample_hold = part(SampleHold, "sample_hold")
            self.sample_hold.double_buffered = spec.sample_hold.double_buffered
        self.adc: Adc = part(Adc, "adc")
        self.adc.kind = spec.adc.kind
        self.shift_add: Accumulator | None = part(Accumulator, "shift_add") if spec.shift_add is not None else None
        self.accumulator: Accumulator = part(Accumulator, "accumulator")
        self.control: Component = part(Component, "control")
        self._paths = {False: self._path(self.col_dac), True: self._path(self.row_dac)}
        self.phases = spec.row_pulser.polarity_phases
        cell = device.cell
        pulse_period = to_picoseconds(cell.pulse_width, rounding="up") + to_picoseconds(cell.pulse_gap, rounding="up")
        self.slot = max(self.row_pulser.slot(pulse_period), self.col_pulser.slot(pulse_period))
        # Lines return to rest between pulses, for a picosecond at least, so that pulses in neighbouring slots differ.
        self.pulse = max(min(to_picoseconds(cell.pulse_width, rounding="up"), self.slot - 1), 1)
        self._slot_drawn = self._slot_bill()
        per_cell = tables["tile.crossbar"].property("line_capacitance_per_cell")
        self._line_capacitance = (per_cell * spec.cols, per_cell * spec.rows)

    def _devices(self) -> int:
        """Devices of the arrays in use, with the reference cells that they are compared with."""
        cells, references = self.spec.rows * self.spec.cols, self.spec.reference_cells()
        return sum(len(array.devices) * (cells + (references if array.references else 0)) for array in self.arrays)

    def _path(self, dac: Dac) -> ReadPath:
        crossbar = self.spec.crossbar
        window = dac.window(crossbar.integration_time, self.crossbar.costs.clock, rounding=crossbar.rounding)
        return ReadPath(
            self.ledger, dac, window, self.integrator, self.sample_hold, self.adc, self.shift_add, self.accumulator
        )  # fmt: skip

    def _slot_bill(self) -> Bill:
        """Return what the generators of both sides take for one slot."""
        rows, cols = self.shape
        return self.ledger.bill([self.row_pulser.draws(self.slot, rows), self.col_pulser.draws(self.slot, cols)])

    def move_in(self, host: Tile) -> None:
        """Use the hardware of ``host``, where a block of another matrix is: its converters, generators and queue.

        The two take turns, and what this tile does is booked on the host's components.
        """
        vars(self).update({name: part for name, part in vars(host).items() if isinstance(part, Component | Station)})
        self._paths = {False: self._path(self.col_dac), True: self._path(self.row_dac)}
        self._slot_drawn = self._slot_bill()
        self._reads = {}

    @property
    def components(self) -> list[Component]:
        """Every component of the tile."""
        parts: list[Component | None] = [
            self.crossbar, self.row_dac, self.col_dac, self.row_pulser, self.col_pulser, self.integrator,
            self.sample_hold, self.adc, self.shift_add, self.accumulator, self.control,
        ]  # fmt: skip
        return [part for part in parts if part is not None]

    @property
    def told(self) -> int:
        """The time up to which the devices know of, ps."""
        return self._told

    @told.setter
    def told(self, time: int) -> None:
        self._told = time

    def let_time_pass(self) -> None:
        """Tell the devices how much simulated time has passed; each pays for it when it is next touched or read."""
        elapsed = self.env.now - self._told
        if elapsed and self._ages:
            self._told = self.env.now
            for cells in self.arrays:
                for device in cells.devices:
                    device.elapse(elapsed * 1e-12)

    # Reads

    def read(
        self, x: np.ndarray, io: IOParameters, *, transposed: bool, input_scale: np.ndarray | None, purpose: str
    ) -> tuple[np.ndarray, ReadWork]:
        """Read the weighted sum of the arrays with (n, lines) inputs; returns (n, outputs) and the work it was."""
        self.let_time_pass()
        used = self._used
        weights = None if self._is_plain(used) else self.seen_weights()
        result = self.arrays[used[0]].read(
            x, io, transposed=transposed, input_scale=input_scale, purpose=purpose, weights=weights
        )
        return result.y, self._paths[transposed].work(result, io, self._lines(transposed), transposed=transposed)

    def seen_weights(self) -> np.ndarray:
        """Return the (rows, cols) weights that a read sees: the sum of gain times array.

        An array with a polarity counts with the signs of its lines: its drivers and integrators are reversed there.
        """
        used = self._used
        if self._is_plain(used):
            return self.arrays[used[0]].weights
        return np.add.reduce([np.float32(self.gains[index]) * self._signed(index) for index in used])

    @property
    def _used(self) -> list[int]:
        return [index for index, gain in enumerate(self.gains) if gain]

    def _is_plain(self, used: list[int]) -> bool:
        """Return whether a read sees one array as it is."""
        return len(used) == 1 and self.gains[used[0]] == 1.0 and used[0] not in self.polarity

    def _signed(self, index: int) -> np.ndarray:
        weights = self.arrays[index].weights
        if index not in self.polarity:
            return weights
        rows, cols = self.polarity[index]
        return rows[:, None] * weights * cols

    def read_line(
        self, array: int, index: int, io: IOParameters, *, axis: str, device: int | None = None
    ) -> tuple[np.ndarray, ReadWork]:
        """Read one column or row of one array with a one-hot input; returns (outputs,) and the work it was.

        ``device`` picks one device of the unit cells, as a refresh reads them.
        """
        self.let_time_pass()
        cells = self.arrays[array]
        if device is None:
            result = cells.read_line(index, axis=axis, io=io)
        else:
            result = cells.devices[device].read_line(index, axis=axis, io=io, purpose="refresh")
        transposed = axis == "row"
        lines = (1, self._lines(transposed)[1])
        work = self._paths[transposed].work(result, io, lines, transposed=transposed, line=index, device=device)
        return np.ravel(result.y), work

    def read_columns(
        self, array: int, columns: np.ndarray, seen: np.ndarray, io: IOParameters
    ) -> tuple[np.ndarray, list[ReadWork]]:
        """Read columns of an array of single devices one after the other, as :meth:`read_line` does.

        ``seen`` (n, rows) is what each read finds on its column. Returns (n, rows) and the work that each was.
        """
        result = self.arrays[array].devices[0].read_columns(columns, seen, io)
        path, lines = self._paths[False], (1, self.shape[0])
        known: dict[tuple[float, int], ReadWork] = {}
        works: list[ReadWork] = []
        for k, asked in enumerate(zip(result.x_quantised[:, 0].tolist(), result.retries.tolist(), strict=True)):
            work = known.get(asked)
            if work is None:
                work = known[asked] = path.work(result.one(k), io, lines, transposed=False, line=-1)
            works.append(work)
        return result.y, works

    def column_reads(
        self, kind: Kind, array: int, works: Sequence[ReadWork], weight_sums: np.ndarray, way: Way
    ) -> LineReads:
        """Return reads of columns whose weights add up to ``weight_sums`` for a player; their results go on ``way``."""
        path = self._paths[False]
        energies = np.zeros(len(works))
        turns, busy, passes, latency, span = numbers = np.zeros((5, len(works)), np.int64)
        bills: dict[int, Bill] = {}
        for work in {id(work): work for work in works}.values():
            chosen = np.array([other is work for other in works])
            energies[chosen] = self._exposure(array, work).energies_of_line(work.drive, weight_sums[chosen])
            course = path.course(work.shape)
            bills[id(work)] = course.bill
            of_work = (
                work.turns, path.window * work.passes, work.passes, course.timing.latency, course.last(work)
            )  # fmt: skip
            numbers[:, chosen] = np.reshape(of_work, (5, 1))
        delay, read = path.dac.cost("convert").latency, self.crossbar.action("read", array)
        turn = [bills[id(work)] for work in works]
        return LineReads(
            kind, self.station, read, delay, way, turn, turns, busy, passes, latency, span, energies
        )  # fmt: skip

    def _lines(self, transposed: bool) -> tuple[int, int]:
        """Return how many lines a read drives, and how many it converts."""
        return self.shape if transposed else (self.shape[1], self.shape[0])

    def read_delay(self, *, transposed: bool) -> int:
        """Return the time from the start of a read until its voltages are on the array, ps."""
        return self._paths[transposed].dac.cost("convert").latency

    def read_timing(self, work: ReadWork) -> ReadTiming:
        """Return when the results of a read are there, and which part of the tile sets the pace."""
        return self._paths[work.transposed].timing(work)

    def pass_through(
        self,
        origin: Origin,
        stream: Stream,
        read: Callable[[], tuple[np.ndarray, ReadWork]],
        array: int | None = None,
    ) -> Generator[Any, Any, Stream]:
        """Occupy the tile for a read of a stream; ``array`` is the one read alone, None for all that count.

        ``read`` does the numbers; it is called when the tile is free, so it sees every update that came before.

        Returns the stream of results when the first one is there (:meth:`read_timing`).
        """
        yield from self.station.acquire()
        first, last = self.read_now(origin, stream.last, read()[1], array)
        yield from self.env.sleep(first - self.env.now)
        return Stream(stream.n, first, last)

    def read_now(self, origin: Origin, arrived: int, work: ReadWork, array: int | None = None) -> tuple[int, int]:
        """Begin a read on the tile, which has been taken for it and becomes free afterwards.

        ``arrived`` is when the last vector is there, ps. Returns when the first and the last result will be.
        """
        start = self.env.now
        path = self._paths[work.transposed]
        course = path.course(work.shape)
        latency = course.timing.latency
        self._book_array_read(origin, start + path.dac.cost("convert").latency, work, array)
        self.ledger.post(origin, course.bill, start, work.turns)
        last = max(start + course.last(work), arrived + latency)
        self.station.release_at(last)
        return start + latency, last

    def _book_array_read(self, origin: Origin, start: int, work: ReadWork, only: int | None) -> None:
        passes = work.passes
        busy = self._paths[work.transposed].window * passes
        for index, share, action in self._arrays_read(only):
            self.ledger.book(origin, action, start, busy, passes, share * self._array_read_energy(index, work))

    def _arrays_read(self, only: int | None) -> list[tuple[int, float, int]]:
        """Return the arrays that a read of one array, or of all that count, finds: number, what the square of its gain
        makes of its energy, and the key of the action. The first one counts the time of the crossbar."""
        known = self._reads.get(only)
        if known is None:
            shares = [gain**2 if only is None else float(only == index) for index, gain in enumerate(self.gains)]
            counting = [index for index, share in enumerate(shares) if share]
            known = self._reads[only] = [
                (index, shares[index], self.crossbar.action("read", index, beside=index != counting[0]))
                for index in counting
            ]
        return known

    def _array_read_energy(self, index: int, work: ReadWork) -> float:
        """Return the energy of a read in one array, J."""
        exposure = self._exposure(index, work)
        axis = 0 if work.transposed else 1
        devices = self.arrays[index].devices
        energy = 0.0
        for device in devices if work.device is None else (devices[work.device],):
            sums = device.line_sums()[axis]
            energy += exposure.energy(work.drive, sums if work.line is None else sums[work.line : work.line + 1])
        return energy

    def _exposure(self, index: int, work: ReadWork) -> Exposure:
        """Return what all reads of an array by rows, or by columns, have in common."""
        key = (index, work.transposed, work.shape.lines_out)
        known = self._exposures.get(key)
        if known is None:
            reference = self.spec.crossbar.reference if self.arrays[index].references else None
            known = self._exposures[key] = Exposure.of(
                self._device.cell,
                self._conductance,
                work.shape.lines_out,
                self._paths[work.transposed].window * 1e-12,
                references=reference == "cell",
                shared_reference=reference == "line",
                line_capacitance=self._line_capacitance[0 if work.transposed else 1],
            )
        return known

    # Updates

    def train_time(self, slots: Slots) -> Slots:
        """Return the time that a pulse train of ``slots`` slots takes (or each of many trains), ps."""
        return slots * self.phases * self.slot

    def apply(
        self, array: int, x: np.ndarray, d: np.ndarray, plan: TrainPlan, probe: Region | None = None
    ) -> UpdateResult:
        """Apply the pulse trains of a stream of rank-1 updates to one array."""
        self.let_time_pass()
        return self.arrays[array].apply_trains(x, d, plan, probe=probe)

    def book_update(
        self,
        origin: Origin,
        start: int,
        array: int,
        slots: int,
        result: UpdateResult,
        sums: Sequence[tuple[np.ndarray, np.ndarray]],
    ) -> None:
        """Book the draws and pulses of an update of ``slots`` slots that started at ``start``.

        ``sums`` are the line sums of each device of the unit cell before it; each has lines of its own.
        """
        slots *= self.phases
        duration = slots * self.slot
        self.ledger.post(origin, self._slot_drawn, start, slots)
        pulses, energy = 0, 0.0
        for part, before in zip(result.by_device, sums, strict=True):
            totals = part.totals
            own = totals.up + totals.down
            pulses += own
            energy += self._update_energy(own, totals.weight, Firings.of_update(part, before))
        self.crossbar.book(origin, "write", start, duration, pulses, energy=energy, array=array)

    def trains(
        self,
        kind: Kind,
        array: int,
        ways: list[Way],
        vectors: np.ndarray,
        last: np.ndarray,
        slots: np.ndarray,
        pulses: np.ndarray,
        weight_before: np.ndarray,
        row_fires: np.ndarray,
        col_fires: np.ndarray,
        on_lines: np.ndarray,
    ) -> Trains:
        """Return updates of an array of single devices, one after the other, for a player.

        Of each: its way, its vectors, the ``slots`` of all trains and of the last one, coincidences, the sum of the
        weights before them, firings of rows and columns, and the sum over the firings of the weights on their lines.
        """
        energy = self._update_energy(pulses, weight_before, Firings(self.shape, row_fires, col_fires, on_lines))
        write = self.crossbar.action("write", array)
        return Trains(
            kind, self.station, self._slot_drawn, write, ways, vectors, self.train_time(slots), self.train_time(last),
            slots * self.phases, pulses, energy,
        )  # fmt: skip

    def reset_pairs(self, origin: Origin | None, start: int, array: int, rows: np.ndarray, col: int) -> None:
        """Reset every device of the cells in the chosen ``rows`` (a mask) of column ``col``; books it from ``start``.

        One slot at the write voltage over each device, half of it over the other cells of the firing lines (an
        assumption: the RESET pulse costs what a write pulse does). ``origin`` None: only the numbers.
        """
        self.let_time_pass()
        energy = 0.0
        fires = np.zeros(self.shape[1])
        fires[col] = 1
        for device in self.arrays[array].devices:
            if origin is not None:
                energy += self.pulse_energy(
                    int(rows.sum()),
                    float(device.weights[rows, col].sum()),
                    rows.astype(float),
                    fires,
                    device.line_sums(),
                )
            device.reset(np.flatnonzero(rows), [col])
        if origin is not None:
            count = int(rows.sum()) * len(self.arrays[array].devices)
            self.crossbar.book(origin, "reset", start, self.slot, count, energy=energy, array=array)

    def pulse_energy(
        self,
        pulses: int,
        weight_before: float,
        row_fires: np.ndarray,
        col_fires: np.ndarray,
        sums: tuple[np.ndarray, np.ndarray],
    ) -> float:
        """Return the energy of pulses on one plane of devices, J; see ``update_energy``. ``sums`` are its line sums."""
        return self._update_energy(pulses, weight_before, Firings.of(row_fires, col_fires, sums))

    def _update_energy(self, pulses: Numbers, weight_before: Numbers, firings: Firings) -> Numbers:
        return firing_energy(
            self._device.cell, self._conductance, pulses, weight_before, firings, self._line_capacitance
        )  # fmt: skip

    def timed(self, region: tuple[slice, slice] | None, start: int, slots: np.ndarray) -> TimedRegion | None:
        """Return a probed region with the times of trains from ``start`` on: samples of ``slots`` slots follow each
        other, in each up pulses before down pulses where the generators take two phases."""
        if region is None:
            return None
        starts = start + (np.cumsum(slots, dtype=np.int64) - slots) * self.phases * self.slot
        return TimedRegion(*region, starts, self.slot, self.phases)
