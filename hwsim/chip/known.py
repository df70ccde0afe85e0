"""Streams whose vectors are known, or some of them, where no device is kept: what they ask of a tile is computed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwsim.chip.expected import ExpectedPlan, ExpectedTile, of_devices
from hwsim.chip.read_path import ReadWork
from hwsim.chip.vectors import Vectors
from hwsim.components.coding import LineDrive
from hwsim.devices import IOParameters, Region, TrainPlan, UpdateResult, applied_inputs
from hwsim.spec.unit_cell import OneSidedCell, ReferenceCell, UnitCellSpec, VectorCell


class KnownVectors(Vectors):
    """A stream of ``n`` vectors for which the ``values`` (m, lines) stand: all of them, or a sample that was drawn."""

    __slots__ = ("values",)

    def __init__(self, values: np.ndarray, n: int | None = None) -> None:
        super().__init__(len(values) if n is None else n, values.shape[1])
        self.values = values

    @property
    def share(self) -> float:
        """How many vectors of the stream each of ``values`` stands for."""
        return len(self) / len(self.values)

    def __getitem__(self, key: slice | tuple[slice, slice]) -> KnownVectors:
        vectors, lines = key if isinstance(key, tuple) else (key, slice(None))
        n = len(range(len(self))[vectors])
        # A part of a stream of which only some vectors are known is like the whole.
        kept = self.values[vectors] if len(self.values) == len(self) else self.values
        return KnownVectors(kept[:, lines], n)

    def __mul__(self, factor: Any) -> KnownVectors:
        return KnownVectors(self.values * np.asarray(factor, np.float32), len(self))

    @staticmethod
    def joined(parts: Sequence[Any]) -> KnownVectors:
        """Return one stream of all parts, one after the other; of parts of a sampled stream each holds the sample."""
        n = sum(len(part) for part in parts)
        if all(len(part.values) == len(part) for part in parts):
            return KnownVectors(np.concatenate([part.values for part in parts]), n)
        return KnownVectors(parts[0].values, n)


@dataclass(frozen=True, slots=True)
class KnownPlan(ExpectedPlan):
    """Trains of a stream of known vectors: ``bl_of``, ``rows_of`` and ``cols_of`` are bit lengths (m,) and gains (m,)
    for x and d of the vectors that are known, each of which stands for ``share``."""

    bl_of: np.ndarray
    rows_of: np.ndarray
    cols_of: np.ndarray
    share: float


@dataclass(frozen=True)
class ExpectedPulses:
    """Expected pulses of a stream: on each row (rows,) and column (cols,), and up and down on all cells together."""

    row_fires: np.ndarray
    col_fires: np.ndarray
    up: float
    down: float

    def times(self, share: float) -> ExpectedPulses:
        """Return a share of all of them."""
        return ExpectedPulses(self.row_fires * share, self.col_fires * share, self.up * share, self.down * share)


def of_each_device(cell: UnitCellSpec, pulses: ExpectedPulses) -> list[ExpectedPulses]:
    """Return what each device of a unit cell gets of the pulses on it: see the kinds of unit cells."""
    if isinstance(cell, OneSidedCell):
        return [replace(pulses, down=0.0), replace(pulses, up=pulses.down, down=0.0)]
    if isinstance(cell, ReferenceCell):
        return [pulses, pulses.times(0.0)]
    n = cell.n_devices
    alone = isinstance(cell, VectorCell) and cell.update_policy != "all"
    return [pulses.times(1 / n if alone else 1.0)] * n


def expected_pulses(plan: KnownPlan, x: KnownVectors, d: KnownVectors) -> ExpectedPulses:
    """Return the pulses that the trains of ``plan`` are expected to give, for the lines of ``x`` and ``d``.

    A line fires in a slot with probability min(1, gain |value|), rows and columns independently; coincidences of equal
    signs step down. Source: the pulse schemes of ``hwsim.devices.plan``.
    """
    rows, cols = (
        np.minimum(np.abs(part.values) * gain[:, None], 1.0) for part, gain in ((d, plan.rows_of), (x, plan.cols_of))
    )
    slots = plan.bl_of * plan.share
    rows_up, cols_up = ((chance * (part.values > 0)).sum(axis=1) for chance, part in ((rows, d), (cols, x)))
    rows_down, cols_down = rows.sum(axis=1) - rows_up, cols.sum(axis=1) - cols_up
    equal = float(slots @ (rows_up * cols_up + rows_down * cols_down))
    unlike = float(slots @ (rows_up * cols_down + rows_down * cols_up))
    up, down = (equal, unlike) if plan.negative else (unlike, equal)
    return ExpectedPulses(slots @ rows, slots @ cols, up, down)


class KnownTile(ExpectedTile):
    """A tile without devices; of streams that are known it takes drive, trains and pulses from the vectors.

    Statistics stand for the rest: unknown streams, transfers, and the mean weight of the devices. Bound management
    depends on what comes out, so known vectors are taken to need no retry.
    """

    def read(
        self, x: Any, io: IOParameters, *, transposed: bool, input_scale: np.ndarray | None, purpose: str
    ) -> tuple[Any, ReadWork]:
        """Return a stream of unknown results, and the work that reading the stream ``x`` is expected to be."""
        if not isinstance(x, KnownVectors):
            return super().read(x, io, transposed=transposed, input_scale=input_scale, purpose=purpose)
        lines_in, lines_out = self.shape if transposed else self.shape[::-1]
        result, path = applied_inputs(x.values, io, input_scale), self._paths[transposed]
        work = path.work(result, io, (lines_in, lines_out), transposed=transposed)
        drive = LineDrive(*(part * x.share for part in work.drive))
        conversions = round(work.turns * x.share) * work.shape.slices
        return Vectors(len(x), lines_out), work._replace(conversions=conversions, drive=drive)

    def apply(self, array: int, x: Any, d: Any, plan: TrainPlan, probe: Region | None = None) -> UpdateResult:
        """Return what the trains of a stream are expected to do."""
        if not isinstance(plan, KnownPlan):
            return super().apply(array, x, d, plan, probe)
        devices = of_each_device(self._device.unit_cell, expected_pulses(plan, x, d))
        weights = of_devices(plan.statistics.weight, len(devices))
        parts = []
        for device, (pulses, weight) in enumerate(zip(devices, weights, strict=True)):
            up, down = (
                self._tallies.take((array, name, "known", device), count)
                for name, count in (("pulses_up", pulses.up), ("pulses_down", pulses.down))
            )
            counts = (np.array([up]), np.array([down]), np.array([(up + down) * weight]))
            rows: Any = pulses.row_fires[None, :]
            cols: Any = pulses.col_fires[None, :]
            parts.append(UpdateResult(plan.bl, plan.slots, *counts, rows, cols, None))
        return parts[0] if len(parts) == 1 else UpdateResult.together(plan.bl, plan.slots, parts)
