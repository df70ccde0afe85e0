"""A chip that has been built: components on one SimPy clock, matrices placed on tiles, and the program's controller."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.faults import Faults
from hwsim.chip.line_log import NamedSink
from hwsim.chip.mapping import Block, Placement
from hwsim.chip.piece import Piece
from hwsim.chip.platform import Platform
from hwsim.chip.probe import Probe, probed_regions
from hwsim.chip.program import Program
from hwsim.chip.pulse_book import RowSink
from hwsim.chip.replicas import ReplicatedMatrix
from hwsim.chip.sequencer import NumbersOnly, Sequencer
from hwsim.chip.tile import Tile
from hwsim.components.base import Component
from hwsim.devices import make_cells
from hwsim.engine.ledger import Table
from hwsim.errors import MappingError, UsageError
from hwsim.html import html_table
from hwsim.spec.chip import ChipSpec
from hwsim.spec.device import DeviceSpec


class Chip(Platform):
    """A chip in operation.

    Args:
        spec: description of the chip.
        device: device of its crossbars.
        seed: seed of every random stream.
        threads: threads of the device kernels; they change no number.
        timing: False: only the numbers, no time and no energy.
        events: receives blocks of ledger rows in time order.
        pulses: receives the pulses of the probed regions in time order.
        line_reads: receives the reads of single lines of the probed tiles; given with ``pulses``.
        gauges: receives blocks of gauge changes in time order.
        lines: receives the firings of the lines of the probed regions.
        probes: regions whose pulses are logged.
        replicas: how many times each layer stands on the chip, by name; 1 where it is not named.

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
        pulses: RowSink | None = None,
        line_reads: RowSink | None = None,
        gauges: NamedSink | None = None,
        lines: NamedSink | None = None,
        probes: Sequence[Probe] = (),
        replicas: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(
            spec, device.unit_cell, events=events, pulses=pulses, line_reads=line_reads, gauges=gauges, lines=lines
        )
        self.device = device
        # A run tells how many pulses each device got; counting them takes about 1 % of an update.
        counting = device.parameters.model_copy(update={"count_pulses": True})
        self._counted_device = device.model_copy(update={"parameters": counting})
        self.seed = seed
        self.threads = threads
        self.timing = timing
        self.tiles: list[Tile] = []
        self.placement = Placement((spec.tile.rows, spec.tile.cols), share=spec.mapping.share_tiles)
        self.faults = Faults(spec, seed, device.unit_cell.n_devices)
        self.matrices: dict[str, AnalogMatrix | DigitalMatrix] = {}
        self.runner = Sequencer(self) if timing else NumbersOnly(self)
        self._leakage = 0.0
        self._wanted_probes = list(probes)
        self._wanted_replicas = dict(replicas or {})
        self._reads = (spec.tile.forward, spec.tile.backward, spec.tile.transfer)

    # Building

    def place_analog(self, name: str, weights: np.ndarray, *, arrays: int, gains: Sequence[float]) -> AnalogMatrix:
        """Map a (rows, cols) matrix on free tiles; its last array starts with ``weights``, the others with zero.

        Raises:
            MappingError: the chip has too few tiles or too few arrays in a tile.
        """
        matrix = self._analog_matrix(name, (weights.shape[0], weights.shape[1]), arrays, gains)
        matrix.set_weights(arrays - 1, weights)
        self.matrices[name] = matrix
        return matrix

    def _analog_matrix(self, name: str, shape: tuple[int, int], arrays: int, gains: Sequence[float]) -> AnalogMatrix:
        copies = []
        taken: set[int] = set()
        for _ in range(self._wanted_replicas.get(name, 1)):
            grid = self._grid(name, shape, arrays, gains, taken)
            taken |= {piece.tile.index for row in grid for piece in row}
            copies.append(self._one_matrix(name, shape, grid))
        return copies[0] if len(copies) == 1 else ReplicatedMatrix(self, copies)

    def _one_matrix(self, name: str, shape: tuple[int, int], grid: list[list[Piece]]) -> AnalogMatrix:
        return AnalogMatrix(self, name, shape, grid, self._reads)

    def _grid(
        self,
        name: str,
        shape: tuple[int, int],
        arrays: int,
        gains: Sequence[float],
        apart_from: Collection[int] = (),
    ) -> list[list[Piece]]:
        """Find tiles for a matrix, none of those in ``apart_from``, and make what is on them."""
        tile = self.spec.tile
        if arrays > tile.arrays:
            raise MappingError(
                f"layer '{name}' needs {arrays} arrays in a tile, but chip '{self.spec.name}' has {tile.arrays}; "
                f"use --set chip.tile.arrays={arrays} or another algorithm",
                at="tile.arrays",
            )
        blocks = self.placement.place(shape, arrays, apart_from)
        needed = self.placement.tiles
        if needed > self.spec.tiles:
            raise MappingError(
                f"layer '{name}' ({shape[0]} x {shape[1]}) does not fit: with it the network needs {needed} tiles of "
                f"{tile.rows} x {tile.cols}, but chip '{self.spec.name}' has {self.spec.tiles}; "
                f"use --set chip.tiles={needed} or larger tiles",
                at="tiles",
            )
        return [[Piece(block, self._tile_for(name, block, arrays, gains)) for block in row] for row in blocks]

    def _tile_for(self, name: str, block: Block, arrays: int, gains: Sequence[float]) -> Tile:
        """Make the tile of a block, or let it move in where another matrix is."""
        if block.tile == len(self.tiles):
            tile = self._new_tile(name, block, f"tile{block.tile}", arrays, gains)
            self.tiles.append(tile)
            return tile
        host = self.tiles[block.tile]
        path = f"tile{block.tile}.row{block.first_row}"
        guest = self._new_tile(name, block, path, arrays, gains)
        guest.move_in(host)
        return guest

    def _new_tile(self, name: str, block: Block, path: str, arrays: int, gains: Sequence[float]) -> Tile:  # noqa: ARG002
        cells = [
            self.make_cells(block.shape, f"{path}.array{number}", self.faults.of_array(block, number))
            for number in range(arrays)
        ]
        return Tile(self.env, block.tile, self.spec.tile, self.tables, self.ledger, self.device, cells, gains)

    def make_cells(self, shape: tuple[int, int], path: str, faults: Any) -> Any:
        """Make the cells of one array, with those of its devices that are ``faults``."""
        return make_cells(self._counted_device, shape, seed=self.seed, threads=self.threads, path=path, faults=faults)

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
        if self.pulse_book is not None:
            self.pulse_book.probed = {index: self.tiles[index].station for index in self.probes}
        for matrix in self.matrices.values():
            self._check_probes(matrix)

    def _check_probes(self, matrix: AnalogMatrix | DigitalMatrix) -> None:
        for piece in matrix.pieces if isinstance(matrix, AnalogMatrix) else []:
            if (piece.block.first_row or piece.block.first_col) and piece.tile.index in self.probes:
                raise UsageError(
                    f"cannot probe tile {piece.tile.index}: several layers share it; "
                    "use --set chip.mapping.share_tiles=false"
                )

    def probed(self) -> dict[int, dict[str, Any]]:
        """Return what of each probed tile is logged: half-open ``rows`` and ``cols``, its arrays and devices a cell."""
        found = {}
        for index, (rows, cols) in self.probes.items():
            arrays = self.tiles[index].arrays
            found[index] = {
                "rows": [rows.start, rows.stop],
                "cols": [cols.start, cols.stop],
                "shape": list(self.tiles[index].shape),
                "arrays": len(arrays),
                "devices": len(arrays[0].devices),
            }
        return found

    @property
    def cells_by_tile(self) -> dict[int, int]:
        """Cells of each tile that hold a weight, all arrays in use together."""
        found: dict[int, int] = defaultdict(int)
        for matrix in self.matrices.values():
            for piece in matrix.pieces if isinstance(matrix, AnalogMatrix) else []:
                found[piece.tile.index] += piece.block.shape[0] * piece.block.shape[1] * len(piece.tile.arrays)
        return found

    @property
    def cells_used(self) -> int:
        """Cells that hold a weight."""
        return sum(self.cells_by_tile.values())

    @property
    def cell_utilization(self) -> float:
        """Part of the cells of the used tiles that hold a weight."""
        tile = self.spec.tile
        there = len(self.tiles) * tile.rows * tile.cols * tile.arrays
        return self.cells_used / there if there else 0.0

    def _repr_html_(self) -> str:
        rows = [
            (name, " x ".join(map(str, place["shape"])), str(place["arrays"]), ", ".join(map(str, place["tiles"])))
            for name, place in self.mapping().items()
        ]
        title = f"Chip {self.spec.name}: {len(self.tiles)} of {self.spec.tiles} tiles used"
        return html_table(title, rows, ("layer", "shape", "arrays", "tiles"))

    def mapping(self) -> dict[str, dict[str, Any]]:
        """Return where every analog matrix is: its shape, blocks of one copy, replicas, arrays and tiles."""
        found = {}
        for name, matrix in self.matrices.items():
            if isinstance(matrix, AnalogMatrix):
                blocks = len(matrix.grid) * len(matrix.grid[0])
                found[name] = {
                    "shape": list(matrix.shape),
                    "blocks": [len(matrix.grid), len(matrix.grid[0])],
                    "replicas": len(matrix.pieces) // blocks,
                    "arrays": matrix.n_arrays,
                    "tiles": [piece.tile.index for piece in matrix.pieces],
                }
        return found

    def note_weights(self) -> None:
        """Let the recorder note the mean weight of every array."""
        for name, matrix in self.matrices.items():
            if isinstance(matrix, AnalogMatrix):
                self.recorder.weights[name] = {
                    f"array{array}": matrix.mean_weights(array) for array in range(matrix.n_arrays)
                }

    # Running

    def run(self, program: Program) -> Any:
        """Run a program to its end; returns what it returns.

        Raises:
            RunError: it comes to a standstill.
        """
        return self.runner.run(program)

    @property
    def time_by(self) -> dict[tuple[str, str], float]:
        """Simulated time by phase and layer, ps; empty without timing."""
        return self.runner.time_by if isinstance(self.runner, Sequencer) else {}

    # Results

    @property
    def components(self) -> list[Component]:
        """Every component in use."""
        return [*self.central_components, *(part for tile in self.tiles for part in tile.components)]

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
        self.env.gauges.flush()
        self.lines.flush()
        if self.pulse_book is not None:
            self.pulse_book.flush()

    def expected_state(self) -> dict[str, Any]:
        """Return what changes beside matrices and hardware: of a chip at activity fidelity, its statistics."""
        return {}

    def restore_expected(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``expected_state()`` returned."""

    @property
    def idle(self) -> bool:
        """Whether nothing is under way, as between two steps of a training that do not overlap."""
        return self.runner.idle and self.env.idle

    def phases_so_far(self) -> dict[str, tuple[float, float]]:
        """Return simulated time (ps) and energy (J, leakage under ``static``) of every phase until now."""
        energy = self.ledger.energy_by_phase() | {"static": self._leakage * self.env.now * 1e-12}
        time: dict[str, float] = defaultdict(float)
        for (phase, _), duration in self.time_by.items():
            time[phase] += duration
        return {phase: (time.get(phase, 0.0), energy.get(phase, 0.0)) for phase in sorted({*time, *energy})}

    def energy_so_far(self) -> float:
        """Return the energy until now, leakage included, J."""
        return self.ledger.energy + self._leakage * self.env.now * 1e-12
