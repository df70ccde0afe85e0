"""A chip that has been built: components on one SimPy clock, matrices placed on tiles, and the program's controller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

import numpy as np
import simpy

from hwsim.chip.analog_matrix import AnalogMatrix, Piece
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.mapping import split
from hwsim.chip.operations import Operation
from hwsim.chip.probe import Probe, probed_regions
from hwsim.chip.tile import Tile
from hwsim.components.base import Component, SharedComponent
from hwsim.components.bus import Bus
from hwsim.components.controller import Controller
from hwsim.components.digital_unit import DigitalUnit
from hwsim.components.memory import Buffer
from hwsim.cost import CostTables
from hwsim.devices import UpdateResult, make_cells
from hwsim.engine.env import Env
from hwsim.engine.ledger import FLUSH_ROWS, Ledger, Origin, Table
from hwsim.engine.station import Stream
from hwsim.errors import MappingError
from hwsim.spec.chip import ChipSpec
from hwsim.spec.device import DeviceSpec

Program = Generator[Operation, Any, Any]
PulseSink = Callable[[dict[str, np.ndarray]], None]


class Chip:
    """A chip in operation.

    Args:
        spec: description of the chip.
        device: device of its crossbars.
        seed: seed of every random stream.
        threads: threads of the device kernels; they change no number.
        timing: False: only the numbers, no time and no energy.
        events: receives blocks of ledger rows in time order.
        pulses: receives the pulses of the probed regions.
        probes: regions whose pulses are logged.

    Raises:
        SpecError: a component model, clock or converter parameter is wrong.
    """

    def __init__(
        self,
        spec: ChipSpec,
        device: DeviceSpec,
        *,
        seed: int = 0,
        threads: int = 1,
        timing: bool = True,
        events: Callable[[Table], None] | None = None,
        pulses: PulseSink | None = None,
        probes: Sequence[Probe] = (),
    ) -> None:
        self.spec = spec
        self.device = device
        self.seed = seed
        self.threads = threads
        self.timing = timing
        self.tables = CostTables.for_chip(spec)
        self.env = Env()
        self.ledger = Ledger(events)
        self.tiles: list[Tile] = []
        self.matrices: dict[str, AnalogMatrix | DigitalMatrix] = {}
        self.buffer = Buffer(
            self.env, self.tables["buffer"], self.ledger, banks=spec.buffer.banks, ports=spec.buffer.ports
        )
        self.bus = Bus(self.env, self.tables["bus"], self.ledger)
        self.digital = DigitalUnit(self.env, self.tables["digital"], self.ledger, lanes=spec.digital.lanes)
        self.controller = Controller(self.env, self.tables["controller"], self.ledger)
        self.counts: dict[str, int] = defaultdict(int)
        self.time_by: dict[tuple[str, str], int] = defaultdict(int)
        self.probes: Mapping[int, tuple[slice, slice]] = {}
        self.step = -1
        self.sample = -1
        self._leakage = 0.0
        self._wanted_probes = list(probes)
        self._pulses = pulses
        self._reads = (spec.tile.forward, spec.tile.backward, spec.tile.transfer)

    # Building

    def place_analog(self, name: str, weights: np.ndarray, *, arrays: int, gains: Sequence[float]) -> AnalogMatrix:
        """Map a (rows, cols) matrix on free tiles; its last array starts with ``weights``, the others with zero.

        Raises:
            MappingError: the chip has too few tiles or too few arrays in a tile.
        """
        shape = (weights.shape[0], weights.shape[1])
        tile = self.spec.tile
        if arrays > tile.arrays:
            raise MappingError(
                f"layer '{name}' needs {arrays} arrays in a tile, but chip '{self.spec.name}' has {tile.arrays}; "
                f"use --set chip.tile.arrays={arrays} or another algorithm"
            )
        blocks = split(shape, (tile.rows, tile.cols), len(self.tiles))
        needed = len(self.tiles) + len(blocks) * len(blocks[0])
        if needed > self.spec.tiles:
            raise MappingError(
                f"layer '{name}' ({shape[0]} x {shape[1]}) does not fit: with it the network needs {needed} tiles of "
                f"{tile.rows} x {tile.cols}, but chip '{self.spec.name}' has {self.spec.tiles}; "
                f"use --set chip.tiles={needed} or larger tiles"
            )
        grid = [
            [Piece(block, self._new_tile(block.tile, block.shape, arrays, gains)) for block in row] for row in blocks
        ]
        matrix = AnalogMatrix(self, name, shape, grid, self._reads)
        matrix.set_weights(arrays - 1, weights)
        self.matrices[name] = matrix
        return matrix

    def _new_tile(self, index: int, shape: tuple[int, int], arrays: int, gains: Sequence[float]) -> Tile:
        cells = [
            make_cells(self.device, shape, seed=self.seed, threads=self.threads, path=f"tile{index}.array{number}")
            for number in range(arrays)
        ]
        tile = Tile(self.env, index, self.spec.tile, self.tables, self.ledger, self.device, cells, gains)
        self.tiles.append(tile)
        return tile

    def place_digital(self, name: str, weights: np.ndarray) -> DigitalMatrix:
        """Keep a (rows, cols) float matrix in the buffer.

        Raises:
            MappingError: the buffer is too small.
        """
        matrix = DigitalMatrix(self, name, (weights.shape[0], weights.shape[1]))
        matrix.set_weights(0, weights)
        self.matrices[name] = matrix
        return matrix

    def finish_placement(self) -> None:
        """Resolve the probes and add up the leakage once every matrix has its tiles.

        Raises:
            UsageError: a probe names a tile, row or column that does not exist.
        """
        self._leakage = sum(component.leakage for component in self.components)
        self.probes = probed_regions(self._wanted_probes, {tile.index: tile.shape for tile in self.tiles})

    # Running

    def stream(self, n: int) -> Stream:
        """Return a stream of ``n`` vectors that are all there now."""
        return Stream(n, self.env.now, self.env.now)

    def wait_until(self, time: int) -> Generator[Any, Any, None]:
        """Wait for a time (ps)."""
        if time > self.env.now:
            yield from self.env.sleep(time - self.env.now)

    def together(self, parts: Sequence[Generator[Any, Any, Stream]]) -> Generator[Any, Any, Stream]:
        """Run parts side by side; returns the stream that has a vector when every part has it."""
        if len(parts) == 1:
            return (yield from parts[0])
        processes = [self.env.process(part) for part in parts]
        yield simpy.AllOf(self.env, processes)
        streams: list[Stream] = [process.value for process in processes]  # type: ignore[misc]
        return Stream(streams[0].n, self.env.now, max(stream.last for stream in streams))

    def run(self, program: Program) -> Any:
        """Run a program of operations to its end, one after the other; returns what the program returns."""
        if not self.timing:
            return self._run_numbers(program)
        process = self.env.process(self._control(program))
        return self.env.run(process)

    def _run_numbers(self, program: Program) -> Any:
        result = None
        try:
            while True:
                result = program.send(result).run(self)
        except StopIteration as stop:
            return stop.value

    def _control(self, program: Program) -> Generator[Any, Any, Any]:
        result = None
        while True:
            try:
                operation = program.send(result)
            except StopIteration as stop:
                return stop.value
            start = self.env.now
            origin = self._origin(operation)
            yield from self.controller.issue(origin)
            result = yield from operation.time(self, origin)
            self.time_by[operation.phase, operation.layer] += self.env.now - start
            if self.ledger.pending >= FLUSH_ROWS:
                self.ledger.flush(until=self.env.now)

    def _origin(self, operation: Operation) -> Origin:
        return self.ledger.origin(operation.kind, operation.phase, operation.layer, self.step, self.sample)

    def count(self, name: str, n: int) -> None:
        """Count events for the summary."""
        self.counts[name] += n

    def log_pulses(
        self, origin: Origin, array: int, tiles: Sequence[Tile], results: Sequence[UpdateResult], starts: Sequence[int]
    ) -> None:
        """Pass the pulses of the probed regions on, in time order."""
        if self._pulses is None:
            return
        parts = []
        for tile, result, start in zip(tiles, results, starts, strict=True):
            for device, part in enumerate(result.by_device):
                log = part.log
                if log is None or not len(log.row):
                    continue
                n = len(log.row)
                columns = {
                    "t_ps": tile.pulse_times(start, result.slots, log.sample, log.slot, log.polarity),
                    "step": np.full(n, origin.step, dtype=np.int32),
                    "sample": origin.sample + log.sample.astype(np.int64),
                    "tile": np.full(n, tile.index, dtype=np.int16),
                    "array": np.full(n, array, dtype=np.int16),
                    "row": log.row.astype(np.int32),
                    "col": log.col.astype(np.int32),
                    "polarity": log.polarity.astype(np.int8),
                    "dw": log.dw,
                    "w": log.w,
                    "device": np.full(n, device, dtype=np.int16),
                }
                parts.append(columns)
        if parts:
            table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
            order = np.argsort(table["t_ps"], kind="stable")
            self._pulses({name: column[order] for name, column in table.items()})

    @property
    def logs_pulses(self) -> bool:
        """Whether pulses of probed regions are logged."""
        return self._pulses is not None

    def log_pulse_rows(self, parts: Sequence[Mapping[str, np.ndarray]]) -> None:
        """Pass on rows of the pulse log that an operation has made up itself, in time order."""
        if self._pulses is None or not parts:
            return
        table = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        order = np.argsort(table["t_ps"], kind="stable")
        self._pulses({name: column[order] for name, column in table.items()})

    # Results

    @property
    def components(self) -> list[Component]:
        """Every component in use."""
        return [
            self.controller,
            self.bus,
            self.buffer,
            self.digital,
            *(part for tile in self.tiles for part in tile.components),
        ]

    @property
    def shared_components(self) -> list[SharedComponent]:
        """The components that operations queue for."""
        return [self.controller, self.bus, self.buffer, self.digital]

    def finish(self) -> None:
        """Book the leakage of the whole run and flush the ledger; no operation may follow.

        Tiles that hold no matrix are powered off.
        """
        if not self.timing:
            return
        elapsed = self.env.now
        origin = self.ledger.origin("static", "static", "", -1, -1)
        for component in self.components:
            if component.leakage:
                component.book_leakage(origin, elapsed)
        self.ledger.flush()

    def energy_so_far(self) -> float:
        """Return the energy until now, leakage included, J."""
        return self.ledger.energy + self._leakage * self.env.now * 1e-12
