"""Tiles without devices: what a read or an update asks of them is expected from statistics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from hwsim.chip.read_path import ReadShape, ReadWork
from hwsim.chip.tile import Tile
from hwsim.chip.vectors import Vectors
from hwsim.components.coding import LineDrive
from hwsim.devices import Cells, IOParameters, Region, TrainPlan, UpdateResult, make_cells
from hwsim.errors import RunError, UsageError
from hwsim.spec.activity import ANY, LayerStatistics, ReadStatistics, Span, StateStatistics, TrainStatistics
from hwsim.spec.device import DeviceSpec

AnySpan = TypeVar("AnySpan", bound=Span)


class Tallies:
    """Turns expected numbers into whole ones whose running sum is never off by more than a half."""

    def __init__(self) -> None:
        self._rest: dict[Any, float] = defaultdict(lambda: 0.5)

    def take(self, key: Any, expected: float) -> int:
        """Return the whole number for what is expected this time under ``key``."""
        total = self._rest[key] + expected
        whole = int(total)
        self._rest[key] = total - whole
        return whole

    def state(self) -> list[Any]:
        """Return what is left over under each key."""
        return [[list(key) if isinstance(key, tuple) else key, rest] for key, rest in self._rest.items()]

    def restore(self, state: Sequence[Any]) -> None:
        """Continue from what ``state()`` returned."""
        self._rest.update({tuple(key) if isinstance(key, list) else key: float(rest) for key, rest in state})


class Expectations:
    """The statistics of one layer, as one part of the chip looks them up, operation after operation.

    Each look-up of a kind of operation counts as one, and moves on through the spans of its statistics.

    Raises:
        RunError: the statistics have no entry for it.
    """

    def __init__(self, layer: str, statistics: LayerStatistics) -> None:
        self.layer = layer
        self._statistics = statistics
        self._done: dict[str, int] = defaultdict(int)

    def _next(self, what: str, spans: Sequence[AnySpan] | None) -> AnySpan:
        """Return the span that the next operation falls into."""
        if not spans:
            raise RunError(
                f"the statistics have no layers.{self.layer}.{what}, which this algorithm needs; record them with the "
                "same algorithm (every run at device fidelity writes statistics.yaml) and give --statistics RUN"
            )
        number = self._done[what]
        self._done[what] += 1
        for span in spans:
            if span.operations is None or number < span.operations:
                return span
            number -= span.operations
        return spans[-1]

    def done(self) -> dict[str, int]:
        """Return how many operations of each kind have been looked up."""
        return dict(self._done)

    def go_on_after(self, done: Mapping[str, int]) -> None:
        """Continue after the operations of ``done()``."""
        self._done.update({what: int(number) for what, number in done.items()})

    def check(self, *, backward: bool) -> None:
        """Check that forward reads, and backward ones if the layer has any, are known.

        Raises:
            UsageError: they are not.
        """
        for kind in ("forward", "backward") if backward else ("forward",):
            if not getattr(self._statistics, kind):
                raise UsageError(
                    f"the statistics do not fit the network: layers.{self.layer}.{kind} is missing; "
                    "give those of a run of this network, --statistics RUN"
                )

    def read(self, kind: str) -> ReadStatistics:
        """Return the statistics of the next forward or backward read."""
        return self._next(kind, self._statistics.forward if kind == "forward" else self._statistics.backward)

    def line_read(self, array: int) -> ReadStatistics:
        """Return the statistics of the next read of one line of an array."""
        return self._next(f"transfer_read.array{array}", _entry(self._statistics.transfer_read, f"array{array}"))

    def trains(self, kind: str, array: int) -> TrainStatistics:
        """Return the statistics of the next ``update`` or ``transfer_write`` of an array."""
        known = self._statistics.update if kind == "update" else self._statistics.transfer_write
        return self._next(f"{kind}.array{array}", _entry(known, f"array{array}"))

    def state(self, name: str) -> StateStatistics:
        """Return the statistics of the next work on a digital state."""
        return self._next(f"state.{name}", _entry(self._statistics.state, name))

    def weights(self, array: int, devices: int) -> tuple[float, ...]:
        """Return the mean weight of each device of an array's unit cells."""
        found = _entry(self._statistics.weight, f"array{array}")
        if found is None:
            raise UsageError(
                f"the statistics do not fit the algorithm: layers.{self.layer}.weight.array{array} is missing; "
                "give those of a run with the same algorithm, --statistics RUN"
            )
        return of_devices(found, devices)


def _entry(entries: Any, key: str) -> Any:
    return entries.get(key, entries.get(ANY))


def of_devices(values: tuple[float, ...], devices: int) -> tuple[float, ...]:
    """Return a value for each of ``devices`` devices; one value stands for all of them."""
    return values * devices if len(values) == 1 else values


@dataclass(frozen=True, slots=True)
class ExpectedPlan(TrainPlan):
    """Trains as the statistics have them."""

    statistics: TrainStatistics


class ExpectedDevices:
    """A plane of devices of which only the mean weight is known."""

    ages = False

    def __init__(self, shape: tuple[int, int], weight: float) -> None:
        rows, cols = shape
        self.weights = np.broadcast_to(np.float32(weight), shape)
        self._sums = np.full(rows, weight * cols), np.full(cols, weight * rows)
        self._tallies = Tallies()

    def state(self) -> list[Any]:
        """Return what is left over of expected resets."""
        return self._tallies.state()

    def restore(self, state: Sequence[Any]) -> None:
        """Continue from what ``state()`` returned."""
        self._tallies.restore(state)

    def line_sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of the weights over each row, (rows,), and over each column, (cols,)."""
        return self._sums

    def reset(self, rows: slice, cols: Sequence[int], probability: float) -> np.ndarray:
        """Return which devices (rows, cols) of whole columns are reset: as many as expected, the first ones."""
        chosen = np.zeros(self.weights.shape, bool)
        for col in cols:
            chosen[rows, col][: self._tallies.take("reset", probability * len(chosen))] = True
        return chosen

    def check_zero_shift(self, n_pulses: int | None) -> int:
        """Refuse zero-shifting.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"zero-shifting by {n_pulses} pulses needs the symmetric points of single devices, which activity fidelity "
            "does not know: use --fidelity device, or --set algorithm.zero_shift_pulses=0"
        )


class ExpectedCells:
    """What a tile needs to know of an array that is not kept: its shape, and the mean weight of its devices."""

    def __init__(self, device: DeviceSpec, shape: tuple[int, int], array: int, expectations: Expectations) -> None:
        one: Cells = make_cells(device, (1, 1))
        self.spec = device
        self.shape = shape
        self.gains = tuple(one.gains)
        self.references = one.references
        self.granularity = one.granularity
        self.n_states = one.n_states
        means = expectations.weights(array, len(one.devices))
        self.devices = tuple(ExpectedDevices(shape, weight) for weight in means)


class ExpectedTile(Tile):
    """A tile whose reads and updates are expected; its converters, generators, times and costs are a tile's."""

    expectations: Expectations

    def expect(self, expectations: Expectations) -> ExpectedTile:
        """Take the statistics of the layer; returns the tile."""
        self.expectations = expectations
        self._tallies = Tallies()
        return self

    def state(self) -> dict[str, Any]:
        """Return all that changes: how far the statistics are, and what is left over of expected numbers."""
        return {
            "told": self.told,
            "done": self.expectations.done(),
            "rest": self._tallies.state(),
            "devices": [[devices.state() for devices in cells.devices] for cells in self.arrays],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned."""
        self.told = int(state["told"])
        self.expectations.go_on_after(state["done"])
        self._tallies.restore(state["rest"])
        for cells, parts in zip(self.arrays, state["devices"], strict=True):
            for devices, part in zip(cells.devices, parts, strict=True):
                devices.restore(part)

    def read(
        self, x: Any, io: IOParameters, *, transposed: bool, input_scale: np.ndarray | None, purpose: str
    ) -> tuple[Any, ReadWork]:
        """Return a stream of unknown results, and the work that reading the stream ``x`` is expected to be."""
        del input_scale
        lines_in, lines_out = self.shape if transposed else self.shape[::-1]
        statistics, n = self.expectations.read(purpose), len(x)
        drive = LineDrive(np.full(lines_in, n * statistics.heat), np.full(lines_in, n * statistics.charges))
        work = self._expected_work(purpose, statistics, n, io, drive, (lines_in, lines_out), transposed)
        return Vectors(n, lines_out), work

    def read_line(
        self, array: int, index: int, io: IOParameters, *, axis: str, device: int | None = None
    ) -> tuple[np.ndarray, ReadWork]:
        """Return what stands for a line of an array, (outputs,), and the work that reading it is expected to be."""
        transposed = axis == "row"
        outputs = self._lines(transposed)[1]
        statistics = self.expectations.line_read(array)
        drive = LineDrive(np.array([statistics.heat]), np.array([statistics.charges]))
        work = self._expected_work(f"array{array}", statistics, 1, io, drive, (1, outputs), transposed)
        return np.ones(outputs, np.float32), work._replace(line=index, device=device)

    def _expected_work(
        self,
        key: str,
        statistics: ReadStatistics,
        n: int,
        io: IOParameters,
        drive: LineDrive,
        lines: tuple[int, int],
        transposed: bool,
    ) -> ReadWork:
        slices = self._paths[transposed].dac.slices
        conversions = max(self._tallies.take((key, "conversions"), n * statistics.conversions), n) * slices
        retries = self._tallies.take((key, "retries"), n * statistics.retries)
        shape = ReadShape(
            statistics.passes_per_conversion, io.conversions * slices, *lines, slices, io.out_bits
        )  # fmt: skip
        return ReadWork(shape, conversions, retries, drive, transposed)

    def apply(self, array: int, x: Any, d: Any, plan: TrainPlan, probe: Region | None = None) -> UpdateResult:
        """Return what the trains of a stream are expected to do.

        The counts are sums over the stream. A vector that is an array drives the lines where it is not zero.
        """
        del probe
        assert isinstance(plan, ExpectedPlan)
        n, slots = len(plan.bl), plan.slots
        rows, cols = (driven_lines(vectors) for vectors in (d, x))
        devices = len(self.arrays[array].devices)
        means = {
            name: of_devices(getattr(plan.statistics, name), devices)
            for name in ("row_fires", "col_fires", "pulses_up", "pulses_down", "weight")
        }
        parts = []
        for device in range(devices):
            fires = [
                np.full((1, length), n * means[name][device] * driven / length)
                for name, driven, length in zip(("row_fires", "col_fires"), (rows, cols), self.shape, strict=True)
            ]
            up, down = (
                self._tallies.take((array, name, rows, cols, device), n * rows * cols * means[name][device])
                for name in ("pulses_up", "pulses_down")
            )
            counts = (np.array([up]), np.array([down]), np.array([(up + down) * means["weight"][device]]))
            parts.append(UpdateResult(plan.bl, slots, *counts, fires[0], fires[1], None))
        return parts[0] if devices == 1 else UpdateResult.together(plan.bl, slots, parts)


def driven_lines(vectors: Any) -> int:
    """Return how many lines a vector drives: all lines of an unknown stream, those of an array that are not zero."""
    return int(vectors.shape[1]) if isinstance(vectors, Vectors) else int(np.count_nonzero(vectors[0]))


def spread_slots(n: int, total: int) -> np.ndarray:
    """Return whole bit lengths (n,) as equal as they can be, int32, that add up to ``total``."""
    bl = np.full(n, total // n, np.int32)
    bl[: total % n] += 1
    return bl
