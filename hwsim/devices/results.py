"""What updates and reads return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwsim.devices.lines import LineLog

if TYPE_CHECKING:
    from hwsim._kernels.pulse import LogColumns


class TimedRegion(NamedTuple):
    """Rows and columns whose pulses are logged with their time.

    Sample k starts at ``starts[k]`` ps and takes ``phases`` (1, or 2: up pulses, then down pulses) times its slots, of
    ``slot`` ps each.
    """

    rows: slice
    cols: slice
    starts: NDArray[np.int64]
    slot: int
    phases: int


Region = tuple[slice, slice] | TimedRegion
"""Rows and columns whose pulses are logged."""


@dataclass(frozen=True, slots=True)
class PulseLog:
    """Every pulse on the devices of a probed region, ordered by sample, phase, slot, row and column: in time.

    ``sample`` within the call, ``slot`` within a phase of the sample, ``row``, ``col``, ``polarity`` (+1 up, -1 down),
    ``dw`` the change of the weight that a read sees, ``w`` that weight after the pulse, ``t_ps`` the time at which the
    pulse starts, where the region came with one.
    """

    sample: NDArray[np.int64]
    slot: NDArray[np.int32]
    row: NDArray[np.int32]
    col: NDArray[np.int32]
    polarity: NDArray[np.int8]
    dw: NDArray[np.float32]
    w: NDArray[np.float32]
    t_ps: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.sample)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the columns by name, without copies; ``t_ps`` where the log has times."""
        names = ("sample", "slot", "row", "col", "polarity", "dw", "w")
        times = {} if self.t_ps is None else {"t_ps": self.t_ps}
        return times | {name: getattr(self, name) for name in names}

    @classmethod
    def of_kernel(cls, columns: LogColumns | None) -> PulseLog | None:
        """Return the log whose columns the kernel filled; None where nothing was probed."""
        return None if columns is None else cls(*columns[1:], columns[0])

    @classmethod
    def empty(cls) -> PulseLog:
        """Return a log of no pulses."""
        whole, real = np.zeros(0, np.int32), np.zeros(0, np.float32)
        times = np.zeros(0, np.int64)
        return cls(times, whole, whole, whole, np.zeros(0, np.int8), real, real, times)

    @classmethod
    def in_turn(cls, logs: Sequence[PulseLog]) -> PulseLog:
        """Join the logs of single pulses into that of one sample, each in the slot of its number."""
        if not logs:
            return cls.empty()
        slots = [np.full(len(log), slot, np.int32) for slot, log in enumerate(logs)]
        samples = np.zeros(sum(len(log) for log in logs), np.int64)
        rest = (np.concatenate([getattr(log, name) for log in logs]) for name in ("row", "col", "polarity", "dw", "w"))
        return cls(samples, np.concatenate(slots), *rest)


class PulseTotals(NamedTuple):
    """Sums over the samples of an update: coincidences up and down, weights before them, pulses on rows and columns."""

    up: int
    down: int
    weight: float
    row_fires: int
    col_fires: int


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What an update of n samples did: everything the cost of its pulses depends on.

    ``bl`` (n,) slots of one train; ``slots`` (n,) slots that the sample took, all passes; ``pulses_up``,
    ``pulses_down`` (n,) coincidences; ``sum_w`` (n,) sum over the coincidences of the device's persistent weight before
    the pulse; ``row_fires`` (n, rows), ``col_fires`` (n, cols) pulses on each line; ``log`` the pulses of the probed
    region and ``lines`` the firings of its rows and columns, if there was one (``lines`` is also None where a pulse
    scheme has no trains); ``sums`` those totals that are known already, see ``totals``; ``on_lines`` the sum over the
    pulses on all lines of the line's sum of weights before the update, where those sums were known. Where a unit cell
    has several devices, ``pulses_up``, ``pulses_down`` and ``sum_w`` are sums over its devices, ``parts`` holds the
    result of each device with its logs.
    """

    bl: NDArray[np.int32]
    slots: NDArray[np.int64]
    pulses_up: NDArray[np.int64]
    pulses_down: NDArray[np.int64]
    sum_w: NDArray[np.float64]
    row_fires: NDArray[np.uint32]
    col_fires: NDArray[np.uint32]
    log: PulseLog | None
    parts: tuple[UpdateResult, ...] = ()
    sums: PulseTotals | None = None
    lines: LineLog | None = None
    on_lines: float | None = None

    @property
    def totals(self) -> PulseTotals:
        """Sums over the samples."""
        if self.sums is not None:
            return self.sums
        return PulseTotals(
            int(self.pulses_up.sum()),
            int(self.pulses_down.sum()),
            float(self.sum_w.sum()),
            int(self.row_fires.sum()),
            int(self.col_fires.sum()),
        )

    @property
    def by_device(self) -> tuple[UpdateResult, ...]:
        """The result of each device of the unit cell."""
        return self.parts or (self,)

    @classmethod
    def in_turn(cls, results: Sequence[UpdateResult]) -> UpdateResult:
        """Join the results of updates of one device a cell that followed each other, without their logs."""

        def joined(name: str) -> NDArray[Any]:
            return np.concatenate([getattr(result, name) for result in results])

        return cls(
            joined("bl"),
            joined("slots"),
            joined("pulses_up"),
            joined("pulses_down"),
            joined("sum_w"),
            joined("row_fires"),
            joined("col_fires"),
            None,
        )

    @classmethod
    def together(cls, bl: NDArray[np.int32], slots: NDArray[np.int64], parts: Sequence[UpdateResult]) -> UpdateResult:
        """Join the results of the devices of a cell; their lines fired with the same trains of ``bl`` slots."""
        return cls(
            bl,
            slots,
            np.sum([part.pulses_up for part in parts], axis=0),
            np.sum([part.pulses_down for part in parts], axis=0),
            np.sum([part.sum_w for part in parts], axis=0),
            np.maximum.reduce([part.row_fires for part in parts]),
            np.maximum.reduce([part.col_fires for part in parts]),
            None,
            tuple(parts),
        )


class WatchedUpdate(NamedTuple):
    """An update of n samples, and what was looked at between them.

    ``columns`` (n, rows) are the weights, as a read sees them, of one column after each sample. ``on_lines`` (n,) is
    sum_ij (r_i + c_j) w_ij with the firings r and c of each sample and the weights before it: what the cells on firing
    lines have.
    """

    result: UpdateResult
    columns: NDArray[np.float32]
    on_lines: NDArray[np.float64]


class ColumnWrites(NamedTuple):
    """Updates of one column each, (n,): slots, coincidences of either direction, the sum of the weights before them,
    pulses on all rows and on the column, and ``on_lines`` as in ``WatchedUpdate``."""

    slots: NDArray[np.int64]
    pulses_up: NDArray[np.int64]
    pulses_down: NDArray[np.int64]
    sum_w: NDArray[np.float64]
    row_fires: NDArray[np.int64]
    col_fires: NDArray[np.int64]
    on_lines: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a read of n vectors gave.

    ``y`` (n, outputs); ``retries`` (n,) of bound management, ``retried`` their sum; ``saturated`` conversions that
    stayed at the bound; ``x_quantised`` (n, inputs) values applied in the last attempt, without input noise;
    ``input_scale`` (n,) what the inputs were divided by, before bound management; ``passes_each`` and
    ``conversions_each`` the reads of the array and the conversions of each output that one attempt takes.
    """

    y: NDArray[np.float32]
    retries: NDArray[np.int32]
    retried: int
    saturated: int
    x_quantised: NDArray[np.float32]
    input_scale: NDArray[np.float32]
    passes_each: int = 1
    conversions_each: int = 1

    def one(self, vector: int) -> ReadResult:
        """Return the result of one vector, its saturated outputs left out."""
        own, retries = slice(vector, vector + 1), self.retries[vector : vector + 1]
        return ReadResult(
            self.y[own], retries, int(retries[0]), 0, self.x_quantised[own], self.input_scale[own], self.passes_each,
            self.conversions_each,
        )  # fmt: skip

    @property
    def attempts(self) -> int:
        """Attempts of all vectors."""
        return len(self.y) + self.retried

    @property
    def passes(self) -> NDArray[np.int32]:
        """Reads of the array that each vector took, (n,), retries included."""
        return (1 + self.retries) * np.int32(self.passes_each)

    @property
    def conversions(self) -> NDArray[np.int32]:
        """Conversions of each output that each vector took, (n,), retries included."""
        return (1 + self.retries) * np.int32(self.conversions_each)


@dataclass(frozen=True, slots=True)
class ZeroShiftResult:
    """What bringing devices to their symmetric point took and gave.

    ``n_pulses`` slots, each with one pulse on every device; ``pulses_up``, ``pulses_down`` over all devices; ``sum_w``
    sum over the pulses of the device's weight before the pulse, as in ``UpdateResult``; ``reference`` (rows, cols) the
    weights reached, which zero-shifting subtracts; ``log`` the pulses of the probed region, if there was one.
    """

    n_pulses: int
    pulses_up: int
    pulses_down: int
    sum_w: float
    reference: NDArray[np.float32]
    log: PulseLog | None = None
