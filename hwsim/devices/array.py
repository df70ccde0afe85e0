"""An array of pulsed devices: write, pulse, update, read."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim._kernels import converter
from hwsim._kernels.pulse import PulsedCells
from hwsim.devices.aging import WHOLE, Aging, Index
from hwsim.devices.float_update import Side, float_update
from hwsim.devices.law import LAWS, Draws, KernelForm, spread
from hwsim.devices.mirror import mirrored
from hwsim.devices.mvm import ReadKeys, read_array
from hwsim.devices.periphery import Periphery
from hwsim.devices.plan import TrainPlan, finite_vectors, plan_trains, vectors
from hwsim.devices.results import PulseLog, ReadResult, UpdateResult, ZeroShiftResult
from hwsim.devices.scale import RunningScale
from hwsim.devices.scale import input_scale as divisor_of
from hwsim.engine.rng import GROUP, normals, stream_key, uniforms
from hwsim.errors import DataError, UsageError
from hwsim.spec.analog import IOParameters, UpdateParameters
from hwsim.spec.device import LONGEST_TIME, DeviceSpec

Region = tuple[slice, slice]
"""Rows and columns whose pulses are logged."""

Lines = slice | int | ArrayLike
"""Rows or columns: a slice, numbers or a mask."""

READ, READ_TRANSPOSED = "forward", "backward"
DEFAULT_IO = IOParameters()


class DeviceArray:
    """A (rows, cols) array of devices of one kind; weights are dimensionless float32, row = output, column = input.

    Devices differ by the spreads of their parameters, drawn once from ``seed`` and ``path``. All later random
    numbers come from streams of the same seed and path, one for each purpose, so equal calls give equal bits for any
    ``threads``, with and without a probe. Arrays with the same ``trains`` (default: ``path``) see the same pulses on
    their lines when they get the same updates. The devices of an array with ``mirror_of`` are the mirror images, -w for
    w, of those at that path.

    Raises:
        UsageError: a shape or thread count that is not positive, or a unit cell of several devices.
    """

    gains = (1.0,)
    references = True

    def __init__(
        self,
        device: DeviceSpec,
        shape: tuple[int, int],
        *,
        seed: int = 0,
        threads: int = 1,
        path: str = "array",
        trains: str | None = None,
        mirror_of: str | None = None,
    ) -> None:
        if device.unit_cell.kind != "single":
            raise UsageError(f"'{device.name}' has {device.unit_cell.n_devices} devices a weight; use make_cells")
        rows, cols = (int(length) for length in shape)
        if rows < 1 or cols < 1 or threads < 1:
            raise UsageError(f"rows, columns and threads must be positive, got {shape} and {threads}")
        self.spec = device
        self.shape = (rows, cols)
        self.seed = seed
        self.path = path
        self._threads = min(threads, rows)
        self._trains = path if trains is None else trains
        self._mirror_of = mirror_of
        self._law = LAWS.get(device.law)
        self._read_keys: dict[str, ReadKeys] = {}
        self._reads: dict[str, int] = {}
        self._peripheries: dict[tuple[str, bool], Periphery] = {}
        self._scales = (RunningScale(), RunningScale())
        self._samples = 0
        self._resets = 0
        self._line_sums: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        self._elapsed = 0.0
        self._build()

    def _build(self) -> None:
        p, (rows, cols) = self.spec.parameters, self.shape
        self._form = self._law.kernel_form(p, self.parameters())
        if self._mirror_of is not None:
            self._form = mirrored(self._form)
        stride = -(-cols // GROUP) * GROUP
        self._params = np.zeros((rows, len(self._form.planes), stride), np.float32)
        self._reference: NDArray[np.float32] | None = None
        self._load(self._form)
        draws = Draws(self.seed, self.path, self.shape)
        self._reset_target = spread(p.reset, p.reset_dtod, self._parameter_draws(), "reset")
        if self._mirror_of is not None:
            self._reset_target = -self._reset_target
        self._aging = Aging(p, draws, self._form.low, self._form.high, self._reset_target) if p.ages else None
        self._write_noise = float(getattr(p, "write_noise_std", 0.0)) * p.dw_min
        weight = np.zeros((rows, stride), np.float32)
        weight[:, :cols] = np.clip(weight[:, :cols], self._low, self._high)
        counts = np.zeros((2, rows, stride), np.uint32) if p.count_pulses else None
        self._cells = PulsedCells(
            self._form.law,
            cols,
            weight,
            weight.copy() if self._write_noise > 0 else None,
            self._params,
            np.array(self._form.scalars, np.float32),
            self._write_noise,
            np.zeros((2, rows), np.uint64),
            {
                name: stream_key(
                    self.seed, self._trains if name in ("train", "rounding") else self.path, f"update.{name}"
                )
                for name in ("pulse", "write", "log", "train", "rounding")
            },
            counts,
        )
        self._counts = None if counts is None else counts[:, :, :cols]
        seen = self._cells.weight if self._cells.apparent is None else self._cells.apparent
        self._weights = seen[:, :cols]
        self._weights.flags.writeable = False
        self._written()

    def _load(self, form: KernelForm) -> None:
        """Hand the devices' parameters to the kernel."""
        self._low, self._high = form.low.astype(np.float32), form.high.astype(np.float32)
        for index, plane in enumerate(form.planes):
            self._params[:, index, : self.shape[1]] = plane

    # Description

    @property
    def devices(self) -> tuple[DeviceArray, ...]:
        """The devices of the unit cells: this array alone."""
        return (self,)

    @property
    def weights(self) -> NDArray[np.float32]:
        """A copy of the weights that a read sees, (rows, cols), at the present."""
        self._settle()
        return self._weights.copy()

    @property
    def granularity(self) -> float:
        """Mean weight change of one pulse."""
        return self._law.granularity(self.spec.parameters)

    @property
    def n_states(self) -> float:
        """Mean number of steps between the weight bounds."""
        p = self.spec.parameters
        return (p.w_max - p.w_min) / self.granularity

    @property
    def symmetric_point(self) -> NDArray[np.float64]:
        """Weight of each device, (rows, cols), at which its mean up and down steps are equal; NaN where there is
        none."""
        point = self._law.symmetric_point(self.spec.parameters, self.parameters())
        if self._mirror_of is not None:
            point = -point
        return point if self._reference is None else point - self._reference

    @property
    def reference(self) -> NDArray[np.float32]:
        """What ``zero_shift`` has subtracted from each device, (rows, cols); 0 before."""
        return np.zeros(self.shape, np.float32) if self._reference is None else self._reference.copy()

    @property
    def pulse_counts(self) -> NDArray[np.uint32]:
        """Up and down pulses that each device has received, (2, rows, cols); a copy.

        Raises:
            UsageError: the device does not have ``count_pulses``.
        """
        if self._counts is None:
            raise UsageError(f"the device '{self.spec.name}' counts no pulses; set count_pulses")
        return self._counts.copy()

    def parameters(self) -> dict[str, NDArray[np.float64]]:
        """Return the parameters of each device, (rows, cols), by AIHWKit's names: ``max_bound``, ``dwmin_up``, ...

        Those of mirror images are the parameters of the devices that they mirror.
        """
        return self._law.sample(self.spec.parameters, self._parameter_draws())

    def _parameter_draws(self) -> Draws:
        return Draws(self.seed, self.path if self._mirror_of is None else self._mirror_of, self.shape)

    # Writing

    def set_weights(self, w: ArrayLike) -> None:
        """Write weights (rows, cols) or one number; each device keeps within its bounds, stuck devices stay.

        The weights that reads see get write noise, unless ``apply_write_noise_on_set`` is false.

        Raises:
            DataError: wrong shape, NaN or infinity.
        """
        values = np.asarray(w)
        if values.ndim == 0:
            values = np.full(self.shape, values)
        if values.shape != self.shape:
            raise DataError(f"weights must have shape {self.shape}, got {values.shape}")
        values = finite_vectors(values, self.shape[1], "weights")
        self._line_sums = None
        self._cells.weight[:, : self.shape[1]] = np.minimum(np.maximum(values, self._low), self._high)
        if self._cells.apparent is not None:
            if getattr(self.spec.parameters, "apply_write_noise_on_set", True):
                self._cells.apply_write_noise()
            else:
                self._cells.apparent[:] = self._cells.weight
        self._written()

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

    def subtract(self, reference: ArrayLike) -> None:
        """Subtract a reference (rows, cols) from the weights: bounds, symmetric points and reset targets shift with it.

        Raises:
            DataError: wrong shape, NaN or infinity.
        """
        values = np.asarray(reference)
        if values.shape != self.shape:
            raise DataError(f"a reference must have shape {self.shape}, got {values.shape}")
        values = finite_vectors(values, self.shape[1], "reference")
        self._settle()
        self._line_sums = None
        self._cells.weight[:, : self.shape[1]] -= values
        if self._cells.apparent is not None:
            self._cells.apparent[:, : self.shape[1]] -= values
        self._refer(values if self._reference is None else self._reference + values)

    def _refer(self, reference: NDArray[np.float32]) -> None:
        """Take weights as what remains after ``reference`` has been subtracted."""
        self._reference = reference.astype(np.float32)
        exact = self._reference.astype(np.float64)
        self._load(self._form.shifted(exact))
        self._cells.parameters_changed()
        if self._aging is not None:
            self._aging.refer(exact)

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
            None if log is None else PulseLog(*log),
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
        before = self._touch(x, d)
        params, region = plan.params, self._region(probe)
        self._line_sums = None
        if params.pulse_type == "none_with_device":
            float_update(self._cells, x, d, plan.rates, self._low, self._high, side)
            self._note_pulses(before)
            return self.without_pulses(plan, logged=region is not None)
        implicit = params.pulse_type == "deterministic_implicit"
        up, down, weight, row_fires, col_fires, log = self._cells.update(
            x,
            d,
            plan.bl,
            plan.col_gain,
            plan.row_gain,
            plan.negative,
            params.pulse_type,
            (params.x_res_implicit, params.d_res_implicit) if implicit else (params.res, params.res),
            params.sto_round,
            self._samples,
            region,
            self._threads,
            side,
        )
        self._samples += len(x)
        self._note_pulses(before)
        return UpdateResult(
            plan.bl, plan.slots, up, down, weight, row_fires, col_fires, None if log is None else PulseLog(*log)
        )

    def without_pulses(self, plan: TrainPlan, *, logged: bool) -> UpdateResult:
        """Return the result of an update in which no line fired."""
        n = len(plan.bl)
        none = np.zeros(n, np.int64)
        row_fires, col_fires = (np.zeros((n, lines), np.uint32) for lines in self.shape)
        log = PulseLog.empty() if logged else None
        return UpdateResult(plan.bl, plan.slots, none, none, np.zeros(n), row_fires, col_fires, log)

    def _region(self, probe: Region | None) -> tuple[int, int, int, int] | None:
        if probe is None:
            return None
        (top, bottom, step), (left, right, side_step) = (
            part.indices(length) for part, length in zip(probe, self.shape, strict=True)
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
        matrix = self._weights if weights is None else weights
        if matrix.shape != self.shape:
            raise DataError(f"weights must have shape {self.shape}, got {matrix.shape}")
        keys, first = self._next_reads(purpose, len(vectors_in))
        io = io or DEFAULT_IO
        if input_scale is None:
            learn = purpose in (READ, READ_TRANSPOSED)
            input_scale = divisor_of(vectors_in, io, self._scales[transposed], learn=learn)
        periphery = self._periphery(io, purpose, transposed)
        return read_array(matrix if transposed else matrix.T, vectors_in, periphery, keys, first, input_scale)

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
        matrix = self._weights if weights is None else weights
        line = matrix[index : index + 1] if transposed else matrix[:, index : index + 1].T
        keys, first = self._next_reads(purpose, 1)
        x = np.full((1, 1), value, np.float32)
        io = io or DEFAULT_IO
        scale = divisor_of(x, io, self._scales[transposed], learn=False)
        return read_array(line, x, self._periphery(io, purpose, transposed), keys, first, scale, index)

    def _periphery(self, io: IOParameters, purpose: str, transposed: bool) -> Periphery:
        """The converters of one purpose and direction; spreads are drawn again only for other parameters."""
        kept = self._peripheries.get((purpose, transposed))
        if kept is None or kept.io is not io:
            kept = Periphery(io, self.seed, self.path, self.shape, transposed)
            self._peripheries[purpose, transposed] = kept
        return kept

    def _next_reads(self, purpose: str, n: int) -> tuple[ReadKeys, int]:
        if purpose not in self._read_keys:
            self._read_keys[purpose] = ReadKeys.of(self.seed, self.path, purpose)
        first = self._reads.get(purpose, 0)
        self._reads[purpose] = first + n
        return self._read_keys[purpose], first

    def line_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums of the weights over each row, (rows,), and over each column, (cols,), both read-only."""
        self._settle()
        if self._line_sums is None:
            seen = self._cells.weight if self._cells.apparent is None else self._cells.apparent
            self._line_sums = converter.line_sums(seen, self.shape[1])
            for sums in self._line_sums:
                sums.flags.writeable = False
        return self._line_sums

    # Time

    @property
    def ages(self) -> bool:
        """Whether time changes these devices."""
        return self._aging is not None

    @property
    def elapsed(self) -> float:
        """Simulated seconds that have passed for this array."""
        return self._elapsed

    def elapse(self, seconds: float) -> None:
        """Let ``seconds`` of simulated time pass.

        Devices decay, diffuse and drift by their parameters; each pays for its time when it is next touched or read.

        Raises:
            UsageError: the time is negative or not finite.
        """
        if not 0 <= seconds <= LONGEST_TIME:
            raise UsageError(f"elapsed time must be between 0 and {LONGEST_TIME:g} s, got {seconds!r} s")
        self._elapsed += seconds
        if self._aging is not None:
            self._aging.elapse(seconds)

    def _settle(self, index: Index = WHOLE) -> None:
        """Bring devices to the present; the noise of their last write stays on them."""
        if self._aging is None:
            return
        self._line_sums = None
        change = self._aging.settle(self._cells.weight[:, : self.shape[1]], index)
        if change is not None and self._cells.apparent is not None:
            self._cells.apparent[:, : self.shape[1]][index] += change

    def _touch(
        self, x: NDArray[np.float32] | None = None, d: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32] | None:
        """Settle the devices that pulses of ``x`` and ``d`` can reach; returns the weights where drift needs them."""
        if self._aging is None:
            return None
        index: Index = WHOLE
        if x is not None and d is not None:
            driven = d.any(axis=0), x.any(axis=0)
            index = WHOLE if all(lines.all() for lines in driven) else np.ix_(*driven)
        self._settle(index)
        return self._cells.weight[:, : self.shape[1]].copy() if self._aging.drifts else None

    def _note_pulses(self, before: NDArray[np.float32] | None) -> None:
        if self._aging is not None and before is not None:
            self._aging.pulsed(before, self._cells.weight[:, : self.shape[1]])

    def _written(self) -> None:
        if self._aging is not None:
            self._aging.write(self._cells.weight[:, : self.shape[1]])

    def _key(self, purpose: str) -> int:
        return stream_key(self.seed, self.path, purpose)

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return all that changes: weights, times, counts and positions of the random streams. Device parameters
        follow from the seed."""
        cols = self.shape[1]
        state: dict[str, Any] = {
            "weight": self._cells.weight[:, :cols].copy(),
            "positions": self._cells.positions.copy(),
            "samples": self._samples,
            "resets": self._resets,
            "reads": dict(self._reads),
            "scales": [scale.mean for scale in self._scales],
            "elapsed": self._elapsed,
            "reference": None if self._reference is None else self._reference.copy(),
        }
        if self._cells.apparent is not None:
            state["apparent"] = self._cells.apparent[:, :cols].copy()
        if self._counts is not None:
            state["pulse_counts"] = self._counts.copy()
        if self._aging is not None:
            state["aging"] = self._aging.state()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, bit for bit.

        Raises:
            DataError: the state is of an array of another shape or device.
        """
        if set(state) != set(self.state()) or np.shape(state["weight"]) != self.shape:
            raise DataError(f"this is no state of an array of shape {self.shape} with the device '{self.spec.name}'")
        if state["reference"] is not None or self._reference is not None:
            self._refer(np.zeros(self.shape, np.float32) if state["reference"] is None else state["reference"])
        self._line_sums = None
        self._cells.weight[:, : self.shape[1]] = state["weight"]
        if self._cells.apparent is not None:
            self._cells.apparent[:, : self.shape[1]] = state["apparent"]
        if self._counts is not None:
            self._counts[:] = state["pulse_counts"]
        if self._aging is not None:
            self._aging.restore(state["aging"])
        self._cells.positions[:] = state["positions"]
        self._samples, self._resets = int(state["samples"]), int(state["resets"])
        self._elapsed = float(state["elapsed"])
        for scale, mean in zip(self._scales, state["scales"], strict=True):
            scale.mean = float(mean)
        self._reads = {str(purpose): int(count) for purpose, count in state["reads"].items()}


def _lines(choice: Lines, length: int, name: str) -> NDArray[np.intp]:
    numbers = np.arange(length)
    try:
        return np.atleast_1d(numbers[choice if isinstance(choice, slice) else np.asarray(choice)])
    except (IndexError, TypeError, ValueError) as error:
        raise UsageError(f"{name} must be a slice, numbers or a mask of {length} {name}, got {choice!r}") from error
