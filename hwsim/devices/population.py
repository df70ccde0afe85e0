"""The devices of an array: their parameters, their weights, and what time does to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim._kernels.pulse import PulsedCells
from hwsim.devices.aging import WHOLE, Aging, Index
from hwsim.devices.faults import ArrayFaults
from hwsim.devices.law import LAWS, Draws, KernelForm, spread
from hwsim.devices.line_sums import LineSums
from hwsim.devices.mirror import mirrored
from hwsim.devices.mvm import Reader
from hwsim.devices.plan import finite_vectors
from hwsim.devices.scale import RunningScale
from hwsim.engine.rng import GROUP, stream_key
from hwsim.errors import DataError, UsageError
from hwsim.spec.device import LONGEST_TIME, DeviceSpec

LARGEST = float(np.finfo(np.float32).max)
"""Largest number of a device's state and parameters."""


class DevicePopulation:
    """A (rows, cols) array of devices of one kind; weights are dimensionless float32, row = output, column = input.

    Devices differ by the spreads of their parameters, drawn once from ``seed`` and ``path``. Arrays with the same
    ``trains`` (default: ``path``) see the same pulses on their lines when they get the same updates. The devices of an
    array with ``mirror_of`` are the mirror images, -w for w, of those at that path. ``faults`` are in the array's
    devices, lines and converters.

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
        faults: ArrayFaults | None = None,
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
        self.faults = faults or ArrayFaults()
        self._law = LAWS.get(device.law)
        self._reads: dict[str, int] = {}
        self._readers: dict[tuple[str, bool], Reader] = {}
        self._scales = (RunningScale(), RunningScale())
        self._samples = 0
        self._resets = 0
        self._line_sums: LineSums | None = None
        self._elapsed = 0.0
        self._build()

    def _build(self) -> None:
        p, (rows, cols) = self.spec.parameters, self.shape
        self._form = self._law.kernel_form(p, self.parameters())
        if self._mirror_of is not None:
            self._form = mirrored(self._form)
        self._form = self.faults.into(self._form)
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
        self._update_keys = {
            name: stream_key(self.seed, self._trains if name in ("train", "rounding") else self.path, f"update.{name}")
            for name in ("pulse", "write", "log", "train", "rounding")
        }
        self._cells = PulsedCells(
            self._form.law,
            cols,
            weight,
            weight.copy() if self._write_noise > 0 else None,
            self._params,
            np.array(self._form.scalars, np.float32),
            self._write_noise,
            np.zeros((2, rows), np.uint64),
            self._update_keys,
            counts,
        )
        self._counts = None if counts is None else counts[:, :, :cols]
        seen = self._cells.weight if self._cells.apparent is None else self._cells.apparent
        self._weights = seen[:, :cols]
        self._weights.flags.writeable = False
        self._written()

    def _load(self, form: KernelForm) -> None:
        """Hand the devices' parameters to the kernel.

        Raises:
            UsageError: float32 cannot hold them.
        """
        for values in (form.low, form.high, *form.planes):
            if (np.isfinite(values) & (np.abs(values) > LARGEST)).any():
                raise UsageError(
                    f"the parameters of '{self.spec.name}' and their spreads lead to devices whose numbers exceed "
                    f"{LARGEST:.1g}: make them smaller"
                )
        self._low, self._high = form.low.astype(np.float32), form.high.astype(np.float32)
        for index, plane in enumerate(form.planes):
            self._params[:, index, : self.shape[1]] = plane

    # Description

    @property
    def weights(self) -> NDArray[np.float32]:
        """A copy of the weights that a read sees, (rows, cols), at the present."""
        self._settle()
        return self._seen()

    def _seen(self) -> NDArray[np.float32]:
        """Return the weights as they are seen through the array's lines; a copy."""
        return self.faults.seen(self._weights.copy())

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

    @property
    def bounds(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The lower and the upper weight bound of each device, both (rows, cols); copies."""
        return self._low.copy(), self._high.copy()

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

    def line_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums of the weights over each row, (rows,), and over each column, (cols,), both read-only."""
        self._settle()
        if self._line_sums is None:
            self._line_sums = self._new_line_sums()
        return self._line_sums.both

    def _new_line_sums(self) -> LineSums:
        seen = self._cells.weight if self._cells.apparent is None else self._cells.apparent
        return LineSums(seen, self.shape[1], follow=self._aging is None)

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
            # They are followed through updates, so that their last bits depend on the past.
            "line_sums": None if self._line_sums is None else list(self._line_sums.both),
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
        self._line_sums = None
        if state["line_sums"] is not None:
            self._line_sums = self._new_line_sums()
            self._line_sums.restore(state["line_sums"])
        for scale, mean in zip(self._scales, state["scales"], strict=True):
            scale.mean = float(mean)
        self._reads = {str(purpose): int(count) for purpose, count in state["reads"].items()}
