"""Runs small programs on the chips of published designs and takes times, energies and counts from their event logs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from hwsim.chip.chip import Chip
from hwsim.chip.operations import Backward, Forward
from hwsim.chip.program import Mark, Program
from hwsim.cost import CostTables
from hwsim.devices import ReadResult, TrainPlan, UpdateResult, load_device, make_cells
from hwsim.engine.ledger import Table
from hwsim.spec.chip import ChipSpec
from hwsim.spec.device import DeviceSpec
from hwsim.spec.load import Document, assign, build, load_chip, mutable, named_document
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.algorithms.base import Algorithm

STEP = 2.0**-7
"""Step of the noise-free device; a power of two, so that gains of pulse trains come out exactly."""
UPDATE_PHASES = ("update", "transfer")


@dataclass
class Bench:
    """A chip with its event log; ``settings`` change its description.

    Its devices are noise-free with steps of ``STEP``, or with ``own_device`` those that its description names. Without
    ``keep_devices`` the tiles hold :class:`NoDevices`.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    own_device: bool = False
    keep_devices: bool = True

    def __post_init__(self) -> None:
        data = mutable(named_document("chips", self.name).data)
        for path, value in self.settings.items():
            assign(data, path, mutable(value))
        exact = {"dw_min": STEP, "dw_min_dtod": 0.0, "dw_min_std": 0.0, "up_down_dtod": 0.0, "w_max_dtod": 0.0,
                 "w_min_dtod": 0.0}  # fmt: skip
        spec = build(ChipSpec, Document(data))
        device = load_device(spec.device) if self.own_device else load_device("constant_step", **exact)
        self._blocks: list[pd.DataFrame] = []
        kind = Chip if self.keep_devices else _DevicelessChip
        self.chip = kind(spec, device, events=self._keep)

    def _keep(self, table: Table) -> None:
        block = pd.DataFrame(table.columns)
        for column in ("component", "action", "operation", "phase", "layer"):
            block[column] = np.array(table.names)[block[column]]
        self._blocks.append(block)

    def algorithm(self, name: str, parameters: Mapping[str, Any]) -> Algorithm:
        """Return an algorithm on this chip."""
        kind = ALGORITHMS.get(name)
        given = mutable(parameters)
        return kind(build(kind.Parameters, Document(given)), self.chip, 0)

    def place(
        self, name: str, parameters: Mapping[str, Any], layers: Mapping[str, tuple[int, int]]
    ) -> tuple[Algorithm, dict[str, Any]]:
        """Place layers of (rows, cols) zeros with an algorithm; returns it and the matrices."""
        algorithm = self.algorithm(name, parameters)
        matrices = {layer: algorithm.place(layer, np.zeros(shape, np.float32)) for layer, shape in layers.items()}
        return algorithm, matrices

    def run(self, program: Program) -> pd.DataFrame:
        """Run a program to its end and return its events."""
        self.chip.finish_placement()
        self.chip.run(program)
        self.chip.finish()
        return pd.concat(self._blocks)


class NoDevices:
    """An array too large to keep, for operations whose time depends on no weight: it reads ones, and forgets pulses."""

    ages = False

    def __init__(self, device: DeviceSpec, shape: tuple[int, int]) -> None:
        one = make_cells(device, (1, 1))
        self.shape = shape
        self.granularity, self.n_states, self.references = one.granularity, one.n_states, one.references
        self.devices = (self,)

    def set_weights(self, w: np.ndarray) -> None:
        """Forget the weights."""

    def line_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Return sums of zeros."""
        return np.zeros(self.shape[0]), np.zeros(self.shape[1])

    def apply_trains(self, x: np.ndarray, _d: np.ndarray, plan: TrainPlan, **_: Any) -> UpdateResult:
        """Take the trains without a coincidence."""
        none = np.zeros(len(x), np.int64)
        rows, cols = (np.zeros((len(x), lines), np.uint32) for lines in self.shape)
        return UpdateResult(plan.bl, plan.slots, none, none, none.astype(float), rows, cols, None)

    def read_line(self, _index: int, *, axis: str, **_: Any) -> ReadResult:
        """Return ones."""
        y = np.ones((1, self.shape[0 if axis == "column" else 1]), np.float32)
        x = np.ones((1, 1), np.float32)
        return ReadResult(y, np.zeros(1, np.int32), 0, 0, x, np.ones(1, np.float32))


class _DevicelessChip(Chip):
    """A chip whose tiles hold :class:`NoDevices`."""

    def make_cells(self, shape: tuple[int, int], path: str, faults: Any) -> Any:  # noqa: ARG002
        """Return what stands for the devices of an array."""
        return NoDevices(self.device, shape)


@dataclass(frozen=True)
class Training:
    """Single-layer training steps with an algorithm: ``samples`` vectors in mini-batches of ``batch``.

    ``values`` are the sizes of the inputs and errors, which decide how many pulses there are; ``ready`` prepares the
    algorithm, such as past the periods in which it does not write yet.
    """

    algorithm: str
    shape: tuple[int, int]
    samples: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 1
    lr: float = 0.01
    values: tuple[float, float] = (0.5, 0.5)
    ready: Callable[[Algorithm], None] | None = None
    reads: bool = False

    def on(self, bench: Bench) -> pd.DataFrame:
        """Run it and return its events."""
        algorithm, matrices = bench.place(self.algorithm, self.parameters, {"layer": self.shape})
        matrix = matrices["layer"]
        if self.ready is not None:
            self.ready(algorithm)
        rows, cols = self.shape
        x = np.full((self.batch, cols), self.values[0], np.float32)
        d = np.full((self.batch, rows), self.values[1], np.float32)

        def program() -> Program:
            for step in range(self.samples // self.batch):
                yield Mark(step, step * self.batch)
                if self.reads:
                    yield Forward(matrix, x)
                    yield Backward(matrix, d)
                yield from algorithm.update(matrix, x, d, self.lr)

        return bench.run(program())


@dataclass(frozen=True)
class Reads:
    """What reads of one tile are: time of a read and of a further one in a stream, both in ns, and energy in nJ.

    ``energy`` is without static power; ``static`` is the static power of the parts in use, mW.
    """

    latency: float
    interval: float
    energy: float
    static: float


def reads_of(
    name: str, shape: tuple[int, int], settings: Mapping[str, Any] | None = None, *, transposed: bool = False
) -> Reads:
    """Read a (rows, cols) matrix of zeros on a chip, one vector after the other and in streams."""
    kind, lines = (Backward, shape[0]) if transposed else (Forward, shape[1])
    x = np.random.default_rng(0).uniform(-1, 1, (16, lines)).astype(np.float32)

    def run(vectors: Sequence[np.ndarray]) -> tuple[pd.DataFrame, Bench]:
        platform = Bench(name, settings or {}, own_device=True)
        matrix = platform.chip.place_analog("layer", np.zeros(shape, np.float32), arrays=1, gains=(1.0,))

        def program() -> Program:
            for step, stream in enumerate(vectors):
                yield Mark(step, step)
                yield kind(matrix, stream)

        return platform.run(program()), platform

    single, platform = run([x[:1], x[1:2], x[2:3], x[3:4]])
    worked = single[single.action != "leak"]
    starts = worked.groupby("step").t_ps.min()
    short, long = (span(_of_tiles(run([x[:n]])[0])) for n in (8, 16))
    return Reads(
        latency=float(starts.iloc[-1] - starts.iloc[0]) / 3e3,
        interval=(long - short) / 8,
        energy=float(worked.energy_J.sum()) * 1e9 / 4,
        static=sum(part.leakage for part in platform.chip.components) * 1e3,
    )


def _of_tiles(events: pd.DataFrame) -> pd.DataFrame:
    return events[events.component.str.startswith("tile") & (events.action != "leak")]


def span(events: pd.DataFrame) -> float:
    """Return the time in ns from the start of the first event to the end of the last one."""
    return float((events.t_ps + events.dur_ps).max() - events.t_ps.min()) / 1e3


def time_of(events: pd.DataFrame, *phases: str) -> float:
    """Return the time in ns in which the events of these phases go on, step by step."""
    chosen = events[events.phase.isin(phases)]
    return sum(span(step) for _, step in chosen.groupby("step"))


def update_time(events: pd.DataFrame, samples: int) -> float:
    """Return the update time of a sample in ns, the transfers of its share included."""
    return time_of(events, *UPDATE_PHASES) / samples


def count_of(events: pd.DataFrame, **where: Any) -> float:
    """Return how many actions there were; ``component`` matches the end of a name."""
    for column, value in where.items():
        names = events[column]
        events = events[names.str.endswith(value) if isinstance(value, str) else names.isin(value)]
    return float(events["count"].sum())


def writes_every_time(events: pd.DataFrame) -> bool:
    """Return whether every transfer has written pulses, as the published averages take it."""
    reads = (events.operation == "transfer_read") & (events.component.str.endswith("crossbar"))
    writes = (events.operation == "transfer_write") & (events.component.str.endswith("crossbar"))
    return int(reads.sum()) == int(writes.sum()) > 0


def vector_bytes(chip: Chip, batch: int, *, last: bool = False) -> int:
    """Return the bytes that a training step claims for inputs and errors, of ``batch`` samples.

    ``last``: the last layer's outputs are kept as well, as at the end of a network.
    """
    shapes = [matrix.shape for matrix in chip.matrices.values()]
    words = sum(rows + cols for rows, cols in shapes) + (shapes[-1][0] if last else 0)
    return batch * words * chip.spec.word_bits // 8


def step_of(algorithm: Algorithm, matrices: Mapping[str, Any]) -> Program:
    """Emit one sample's step through the layers: forward, back to the second one, updates."""
    chain = list(matrices.values())
    rng = np.random.default_rng(0)
    vectors = [
        (rng.uniform(-1, 1, (1, m.shape[1])).astype(np.float32), rng.uniform(-1, 1, (1, m.shape[0])).astype(np.float32))
        for m in chain
    ]
    yield Mark(0, 0)
    for matrix, (x, _) in zip(chain, vectors, strict=True):
        yield Forward(matrix, x)
    for matrix, (_, d) in zip(chain[:0:-1], vectors[:0:-1], strict=True):
        yield Backward(matrix, d)
    for matrix, (x, d) in zip(chain, vectors, strict=True):
        yield from algorithm.update(matrix, x, d, 0.01)


def energy_of(events: pd.DataFrame, operation: str) -> float:
    """Return the energy of one kind of operation, nJ."""
    return float(events[events.operation == operation].energy_J.sum()) * 1e9


def array_area(name: str, layers: Mapping[str, tuple[int, int]]) -> float:
    """Return the area of the cells of some (rows, cols) layers, mm^2."""
    cell = CostTables.for_chip(load_chip(name))["tile.crossbar"].area
    return sum(rows * cols for rows, cols in layers.values()) * cell * 1e6
