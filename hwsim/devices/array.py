"""An array of pulsed devices: write, pulse, update, read."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.devices.float_update import Side, float_update
from hwsim.devices.lines import LineLog
from hwsim.devices.mvm import Reader
from hwsim.devices.plan import TrainPlan, finite_vectors, plan_trains, vectors
from hwsim.devices.population import DevicePopulation
from hwsim.devices.results import (
    ColumnWrites,
    PulseLog,
    PulseTotals,
    ReadResult,
    Region,
    TimedRegion,
    UpdateResult,
    WatchedUpdate,
    ZeroShiftResult,
)
from hwsim.devices.scale import input_scale as divisor_of
from hwsim.engine.rng import normals, uniforms
from hwsim.errors import DataError, UsageError
from hwsim.spec.analog import IOParameters, UpdateParameters

_Trains = tuple[
    NDArray[np.int32], NDArray[np.float64], NDArray[np.float64], bool, str, tuple[float, float], bool
]  # fmt: skip
Lines = slice | int | ArrayLike
"""Rows or columns: a slice, numbers or a mask."""

READ, READ_TRANSPOSED = "forward", "backward"
DIRECTIONS: dict[Side, int] = {"both": 0, "up": 1, "down": -1}
DEFAULT_IO = IOParameters()


class DeviceArray(DevicePopulation):
    """Devices on crossing lines that can be reset, pulsed, updated and read.

    All random numbers after those of the parameters come from streams of the array's seed and path, one for each
    purpose, so equal calls give equal bits for any ``threads``, with and without a probe.

    Raises:
        UsageError: a shape or thread count that is not positive, or a unit cell of several devices.
    """

    @property
    def devices(self) -> tuple[DeviceArray, ...]:
        """The devices of the unit cells: this array alone."""
        return (self,)

    def reset(
        self, rows: Lines = slice(None), cols: Lines = slice(None), probability: float = 1.0
    ) -> NDArray[np.bool_]:
        """Reset the devices of some rows and columns, each with the given probability; returns which, (rows, cols).

        A reset device has the weight ``reset`` + its own spread + ``reset_std`` noise, within its bounds, and fresh
        write noise. The weight is what a read sees: with a symmetry point subtracted by the law, a reset of 0 leads to
        that point; after ``zero_shift`` it leads to the same conductance as before.

        Raises:
            UsageError: no such line, or no probability.
        """
        if not 0 <= probability <= 1:
            raise UsageError(f"a probability must be between 0 and 1, got {probability!r}")
        chosen = np.zeros(self.shape, bool)
        chosen[np.ix_(_lines(rows, self.shape[0], "rows"), _lines(cols, self.shape[1], "columns"))] = True
        size, first = chosen.size, self._resets * chosen.size
        self._resets += 1
        self._line_sums = None
        if probability < 1:
            chosen &= uniforms(self._key("reset.choice"), first, size).reshape(self.shape) < probability
        if self.faults.lines_fail:
            chosen &= self._reached("reset", self._resets - 1)
        noise = normals(self._key("reset.noise"), first, size).reshape(self.shape)
        conductance = self._reset_target + self.spec.parameters.reset_std * noise
        wanted = (conductance - self.reference).astype(np.float32)
        weight = self._cells.weight[:, : self.shape[1]]
        weight[chosen] = np.minimum(np.maximum(wanted, self._low), self._high)[chosen]
        if self._cells.apparent is not None:
            write = normals(self._key("reset.write"), first, size).reshape(self.shape)
            seen = weight + np.float32(self._write_noise) * write
            self._cells.apparent[:, : self.shape[1]][chosen] = seen[chosen]
        if self._aging is not None:
            self._aging.write(weight, chosen)
        return chosen

    def zero_shift(self, n_pulses: int | None = None) -> ZeroShiftResult:
        """Bring each device to its symmetric point by alternating up and down pulses, and subtract what it reached.

        Afterwards the weights are 0 and bounds, symmetric points and reset targets are shifted. ``n_pulses`` as in
        :meth:`seek_symmetric_point`.
        Source: Gokmen and Haensch, Front. Neurosci. 14:103 (2020), "symmetry point shifting technique"; Kim et al.,
        arXiv 1907.10228, "zero-shifting".

        Raises:
            UsageError: an odd or non-positive number, or devices without a symmetric point.
        """
        result = self.seek_symmetric_point(n_pulses)
        self.subtract(result.reference)
        return result

    def seek_symmetric_point(self, n_pulses: int | None = None, probe: Region | None = None) -> ZeroShiftResult:
        """Give every device alternating up and down pulses, which lead to its symmetric point.

        ``n_pulses`` is even; None: four times the number of states, which for the linear device leaves exp(-8) of the
        distance. The pulses of the region ``probe`` are logged, each in the slot of its number.

        Raises:
            UsageError: an odd or non-positive number, or devices without a symmetric point.
        """
        n_pulses = self.check_zero_shift(n_pulses)
        results = [self.pulse(-1 if pulse % 2 else +1, probe) for pulse in range(n_pulses)]
        logs = [result.log for result in results]
        return ZeroShiftResult(
            n_pulses,
            sum(int(result.pulses_up[0]) for result in results),
            sum(int(result.pulses_down[0]) for result in results),
            sum(float(result.sum_w[0]) for result in results),
            self._cells.weight[:, : self.shape[1]].copy(),
            PulseLog.in_turn([log for log in logs if log is not None]) if probe is not None else None,
        )

    def _reached(self, purpose: str, ordinal: int) -> NDArray[np.bool_]:
        """Return the (rows, cols) devices that slot ``ordinal`` of a purpose reaches through the array's lines."""
        rows, cols = (
            uniforms(self._key(f"{purpose}.missed.{side}"), ordinal * n, n)
            for side, n in zip(("rows", "cols"), self.shape, strict=True)
        )
        return self.faults.reached(self.shape, (rows, cols))

    def check_zero_shift(self, n_pulses: int | None) -> int:
        """Return the number of pulses that :meth:`seek_symmetric_point` takes.

        Raises:
            UsageError: an odd or non-positive number, or devices without a symmetric point.
        """
        if n_pulses is None:
            n_pulses = 2 * ceil(2 * self.n_states)
        if n_pulses < 2 or n_pulses % 2:
            raise UsageError(f"zero-shifting takes an even number of at least 2 pulses, got {n_pulses}")
        if np.isnan(self.symmetric_point).all():
            raise UsageError(f"no device of '{self.spec.name}' has a symmetric point")
        return n_pulses

    def pulse(self, polarity: int | ArrayLike, probe: Region | None = None) -> UpdateResult:
        """Give every device one pulse: +1 up, -1 down, 0 none; one number or an array (rows, cols).

        Raises:
            DataError: wrong shape or other values.
        """
        wanted = np.asarray(polarity)
        if wanted.ndim and wanted.shape != self.shape:
            raise DataError(f"polarities must have shape {self.shape}, got {wanted.shape}")
        if wanted.dtype.kind not in "iu" or not np.isin(wanted, (-1, 0, 1)).all():
            raise DataError("polarities must be the integers -1, 0 or +1")
        padded = np.zeros(self._cells.weight.shape, np.int32)
        padded[:, : self.shape[1]] = wanted
        if self.faults.lines_fail:
            padded[:, : self.shape[1]][~self._reached("pulse", self._samples)] = 0
        self._line_sums = None
        before = self._touch()
        up, down, weight, log = self._cells.pulse(padded, self._region(probe), self._threads)
        self._note_pulses(before)
        driven = padded[:, : self.shape[1]] != 0
        self._samples += 1
        return UpdateResult(
            np.ones(1, np.int32),
            np.ones(1, np.int64),
            np.array([up]),
            np.array([down]),
            np.array([weight]),
            driven.any(axis=1).astype(np.uint32)[None],
            driven.any(axis=0).astype(np.uint32)[None],
            PulseLog.of_kernel(log),
        )

    def update(
        self, x: ArrayLike, d: ArrayLike, lr: float, params: UpdateParameters | None = None, probe: Region | None = None
    ) -> UpdateResult:
        """Pulse n rank-1 updates one after the other: w -= lr d x^T on average, ``x`` (n, cols), ``d`` (n, rows).

        Every coincidence of a row and a column pulse is one step of that device, with its own noise.

        Raises:
            DataError: wrong shapes, NaN or infinity, or an endless pulse train.
        """
        x32, d32 = vectors(x, self.shape[1], "x"), vectors(d, self.shape[0], "d")
        return self._apply(x32, d32, plan_trains(x32, d32, lr, self.granularity, params), probe)

    def apply_trains(
        self, x: ArrayLike, d: ArrayLike, plan: TrainPlan, probe: Region | None = None, side: Side = "both"
    ) -> UpdateResult:
        """Pulse n updates as planned; ``x`` (n, cols) and ``d`` (n, rows) are this array's parts of the planned
        vectors. ``side`` "up" or "down" takes the coincidences of that direction only, each as an up pulse.

        Raises:
            DataError: wrong shapes, NaN or infinity.
        """
        x32, d32 = finite_vectors(x, self.shape[1], "x"), finite_vectors(d, self.shape[0], "d")
        if not len(x32) == len(d32) == len(plan.bl):
            raise DataError(f"x has {len(x32)} samples, d {len(d32)} and the plan {len(plan.bl)}")
        return self._apply(x32, d32, plan, probe, side)

    def _apply(
        self,
        x: NDArray[np.float32],
        d: NDArray[np.float32],
        plan: TrainPlan,
        probe: Region | None,
        side: Side = "both",
    ) -> UpdateResult:
        if self.faults.lines_fail:
            x, d = self.faults.pulsed(x, d, plan)
        before = self._touch(x, d)
        params, region = plan.params, self._region(probe)
        sums, self._line_sums = self._line_sums, None
        if params.pulse_type == "none_with_device":
            float_update(self._cells, x, d, plan.rates, self._low, self._high, side)
            self._note_pulses(before)
            return self.without_pulses(plan, logged=region is not None)
        up, down, weight, row_fires, col_fires, log, lines, totals, _ = self._cells.update(
            x,
            d,
            *_of_kernel(plan),
            self._samples,
            region,
            self._threads,
            side,
            probe[2:] if isinstance(probe, TimedRegion) else None,
        )
        self._samples += len(x)
        on_lines = None
        if sums is not None:
            self._line_sums, on_lines = sums.after(row_fires, col_fires)
        self._note_pulses(before)
        return UpdateResult(
            plan.bl,
            plan.slots,
            up,
            down,
            weight,
            row_fires,
            col_fires,
            PulseLog.of_kernel(log),
            sums=PulseTotals(*totals),
            lines=LineLog.of_kernel(lines, DIRECTIONS[side]),
            on_lines=on_lines,
        )

    # Updates and reads of columns in turn

    @property
    def is_plain(self) -> bool:
        """Whether neither time nor faulty lines change what pulses and reads find."""
        return (
            self._aging is None and not self.faults.lines_fail and self.faults.rows is None and self.faults.cols is None
        )

    def update_watched(
        self, x: NDArray[np.float32], d: NDArray[np.float32], plan: TrainPlan, columns: NDArray[np.int32]
    ) -> WatchedUpdate:
        """Pulse n updates as :meth:`apply_trains` does, and look at column ``columns[k]`` after update k; -1: at none.

        Only where the array :attr:`is_plain`, and for plans with trains.
        """
        up, down, weight, row_fires, col_fires, _, _, totals, watched = self._cells.update(
            x, d, *_of_kernel(plan), self._samples, None, self._threads, columns=columns
        )
        assert watched is not None
        self._samples += len(x)
        self._line_sums = None
        result = UpdateResult(
            plan.bl, plan.slots, up, down, weight, row_fires, col_fires, None, sums=PulseTotals(*totals)
        )  # fmt: skip
        return WatchedUpdate(result, *watched)

    def write_columns(self, columns: NDArray[np.int32], d: NDArray[np.float32], plan: TrainPlan) -> ColumnWrites:
        """Pulse n updates with the one-hot vectors of ``columns`` (n,) as x, and ``d`` (n, rows).

        The numbers are those of :meth:`apply_trains`. Only where the array :attr:`is_plain`, and for plans with trains.
        """
        rows, cols = (sums.copy() for sums in self.line_sums())
        found = self._cells.write_columns(columns, d, *_of_kernel(plan), self._samples, self._threads, rows, cols)
        self._samples += len(columns)
        if self._line_sums is not None:
            self._line_sums = self._line_sums.after_columns(columns, (rows, cols))
        return ColumnWrites(plan.slots, *found)

    def read_columns(
        self, columns: NDArray[np.int32], seen: NDArray[np.float32], io: IOParameters, *, purpose: str = "transfer"
    ) -> ReadResult:
        """Read n columns, one after the other, as :meth:`read_line` does; row k of ``seen`` (n, rows) is what read k
        finds on its column."""
        first = self._next_reads(purpose, len(columns))
        scale = divisor_of(np.ones((1, 1), np.float32), io, self._scales[False], learn=False)
        reader = self._reader(io, purpose, False)
        return reader.read_lines(seen, columns.tolist(), first, np.ones(1, np.float32) if scale is None else scale)

    def without_pulses(self, plan: TrainPlan, *, logged: bool) -> UpdateResult:
        """Return the result of an update in which no line fired."""
        n = len(plan.bl)
        none = np.zeros(n, np.int64)
        row_fires, col_fires = (np.zeros((n, lines), np.uint32) for lines in self.shape)
        log, lines = (PulseLog.empty(), LineLog.empty()) if logged else (None, None)
        return UpdateResult(plan.bl, plan.slots, none, none, np.zeros(n), row_fires, col_fires, log, lines=lines)

    def _region(self, probe: Region | None) -> tuple[int, int, int, int] | None:
        if probe is None:
            return None
        (top, bottom, step), (left, right, side_step) = (
            part.indices(length) for part, length in zip(probe[:2], self.shape, strict=True)
        )
        if step != 1 or side_step != 1:
            raise UsageError("a probe takes neighbouring rows and columns")
        return top, max(bottom, top), left, max(right, left)

    # Reading

    def forward(self, x: ArrayLike, io: IOParameters | None = None) -> NDArray[np.float32]:
        """Return W x of each vector of ``x`` (n, cols) through the converters, (n, rows)."""
        return self.read(x, io).y

    def backward(self, d: ArrayLike, io: IOParameters | None = None) -> NDArray[np.float32]:
        """Return W^T d of each vector of ``d`` (n, rows) through the converters, (n, cols)."""
        return self.read(d, io, transposed=True, purpose=READ_TRANSPOSED).y

    def read(
        self,
        x: ArrayLike,
        io: IOParameters | None = None,
        *,
        transposed: bool = False,
        input_scale: NDArray[np.float32] | None = None,
        purpose: str = READ,
        weights: NDArray[np.float32] | None = None,
    ) -> ReadResult:
        """Read the array with the vectors ``x`` (n, inputs); inputs are the columns, or the rows if ``transposed``.

        ``input_scale`` (n,) replaces the divisor of noise management (parts of one vector on several arrays share it);
        the running mean of ``average_abs_max`` follows reads of the purposes "forward" and "backward" only.
        ``purpose`` names the random streams: reads of one purpose do not disturb another. ``weights`` (rows, cols)
        replaces the array's own, where arrays share the converters.

        Raises:
            DataError: wrong shapes, NaN or infinity.
        """
        vectors_in = finite_vectors(x, self.shape[0] if transposed else self.shape[1], "d" if transposed else "x")
        self._settle()
        matrix = self._read_weights() if weights is None else weights
        if matrix.shape != self.shape:
            raise DataError(f"weights must have shape {self.shape}, got {matrix.shape}")
        first = self._next_reads(purpose, len(vectors_in))
        io = io or DEFAULT_IO
        if input_scale is None:
            learn = purpose in (READ, READ_TRANSPOSED)
            input_scale = divisor_of(vectors_in, io, self._scales[transposed], learn=learn)
        reader = self._reader(io, purpose, transposed)
        return reader.read(matrix if transposed else matrix.T, vectors_in, first, input_scale)

    def read_line(
        self,
        index: int,
        axis: str = "column",
        io: IOParameters | None = None,
        value: float = 1.0,
        *,
        purpose: str = "transfer",
        weights: NDArray[np.float32] | None = None,
    ) -> ReadResult:
        """Read one column (or row) by a one-hot input of height ``value``: y is (1, rows) (or (1, cols)).

        Costs one line, not a whole product. ``x_quantised`` is (1, 1), the value on the driven line. ``weights``
        (rows, cols) replaces the array's own, where arrays share the converters.

        Raises:
            UsageError: no such line or axis.
        """
        if axis not in ("column", "row"):
            raise UsageError(f"axis must be 'column' or 'row', got '{axis}'")
        length = self.shape[1] if axis == "column" else self.shape[0]
        if not 0 <= index < length:
            raise UsageError(f"{axis} {index} does not exist; the array has {length}")
        transposed = axis == "row"
        chosen = slice(index, index + 1)
        self._settle((chosen, slice(None)) if transposed else (slice(None), chosen))
        matrix = self._read_weights() if weights is None else weights
        line = matrix[index : index + 1] if transposed else matrix[:, index : index + 1].T
        first = self._next_reads(purpose, 1)
        x = np.full((1, 1), value, np.float32)
        io = io or DEFAULT_IO
        scale = divisor_of(x, io, self._scales[transposed], learn=False)
        return self._reader(io, purpose, transposed).read(line, x, first, scale, index)

    def _read_weights(self) -> NDArray[np.float32]:
        """What a read sees; a copy only where faulty lines change it."""
        return self._weights if self.faults.rows is None and self.faults.cols is None else self._seen()

    def _reader(self, io: IOParameters, purpose: str, transposed: bool) -> Reader:
        """The converters of one purpose and direction; spreads are drawn again only for other parameters."""
        kept = self._readers.get((purpose, transposed))
        if kept is None or kept.io is not io:
            faults = self.faults.backward if transposed else self.faults.forward
            kept = self._readers[purpose, transposed] = Reader(
                io, self.seed, self.path, self.shape, purpose, transposed, faults
            )
        return kept

    def _next_reads(self, purpose: str, n: int) -> int:
        """Take the next ``n`` ordinals of a purpose; returns the first one."""
        first = self._reads.get(purpose, 0)
        self._reads[purpose] = first + n
        return first


def _of_kernel(plan: TrainPlan) -> _Trains:
    """Return what the kernel wants to know of a plan: lengths, gains of columns and rows, sign, scheme, rounding."""
    params = plan.params
    implicit = params.pulse_type == "deterministic_implicit"
    resolution = (params.x_res_implicit, params.d_res_implicit) if implicit else (params.res, params.res)
    return plan.bl, plan.col_gain, plan.row_gain, plan.negative, params.pulse_type, resolution, params.sto_round


def _lines(choice: Lines, length: int, name: str) -> NDArray[np.intp]:
    numbers = np.arange(length)
    try:
        return np.atleast_1d(numbers[choice if isinstance(choice, slice) else np.asarray(choice)])
    except (IndexError, TypeError, ValueError) as error:
        raise UsageError(f"{name} must be a slice, numbers or a mask of {length} {name}, got {choice!r}") from error
