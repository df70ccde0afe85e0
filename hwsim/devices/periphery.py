"""The analog side of one direction of reads: what is fixed at manufacture, and how it bends the outputs.

Source of the formulas: AIHWKit ``IOParameters`` and ``rpu_forward_backward_pass.cpp``.
"""

from __future__ import annotations

from math import floor, log2

import numpy as np
from numpy.typing import NDArray

from hwsim.devices.faults import ReadFaults
from hwsim.engine.rng import normals, stream_key
from hwsim.spec.analog import IOParameters

F32 = NDArray[np.float32]


class Periphery:
    """Fixed properties of the outputs of one array in one direction, and of its devices.

    Equal seeds and paths have equal spreads, whatever was read before. ``shape`` is (rows, cols) of the array; the
    outputs are its rows, or its columns if ``transposed``. ``faults`` are those of its converters.
    """

    def __init__(
        self,
        io: IOParameters,
        seed: int,
        path: str,
        shape: tuple[int, int],
        transposed: bool,
        faults: ReadFaults | None = None,
    ) -> None:
        self.io = io
        self.faults = faults
        self._seed, self._path, self._shape, self._transposed = seed, path, shape, transposed
        self.inputs, self.outputs = shape if transposed else shape[::-1]
        self.noise_std = self._noise_std()
        self.nonlinearity, self.slope = self._bend()
        self.offset = np.maximum(np.float32(io.v_offset_std) * self._per_output("voltage offset", io.v_offset_std), 0)
        self.shifts = bool(io.v_offset_std > 0 or io.r_series > 0)
        self.plain = not (self.shifts or io.ir_drop > 0)
        self._negative_factor: F32 | None = None
        self.retries = retry_limit(io)

    def _per_output(self, name: str, spread: float) -> F32:
        """Standard normals, one for each output; zeros where there is no spread."""
        if spread <= 0:
            return np.zeros(self.outputs, np.float32)
        side = "columns" if self._transposed else "rows"
        return normals(stream_key(self._seed, self._path, f"read.{side}.{name}"), 0, self.outputs)

    def _noise_std(self) -> F32 | None:
        io = self.io
        if io.out_noise_std <= 0 or io.out_noise <= 0:
            return None
        z = self._per_output("output noise", io.out_noise_std)
        return np.abs(np.float32(io.out_noise) * (1 + np.float32(io.out_noise_std) * z))

    def _bend(self) -> tuple[F32 | None, float]:
        """Return n_i and the factor f of ``y -> f y / (1 + |n_i y|)``.

        n_i = |out_nonlinearity / out_bound (1 + std xi_i)|,
        f = (1 + (mean n + r_series) slope_calibration out_bound)^2.
        """
        io = self.io
        if io.out_nonlinearity == 0 and io.slope_calibration == 0:
            return None, 1.0
        z = self._per_output("output nonlinearity", io.out_nonlinearity_std)
        n = np.abs(io.out_nonlinearity / io.out_bound * (1 + io.out_nonlinearity_std * z)).astype(np.float32)
        return n, float((1 + (float(n.mean()) + io.r_series) * io.slope_calibration * io.out_bound) ** 2)

    def currents(self, matrix: F32, applied: F32, line: int | None, negative: bool = False) -> F32:
        """Return what the outputs collect from the inputs ``applied`` (n, inputs) of one pass, (n, outputs).

        ``matrix`` is (inputs, outputs). With ``line`` only that input line is driven, and both have one row.
        ``negative`` marks the pass of negative inputs, which sees each weight as w (1 - f), f of spread
        ``w_read_asymmetry_dtod``.
        """
        if self.faults is not None:
            applied = self.faults.drive(applied, line, self.io.inp_bound)
        if negative and self.io.w_read_asymmetry_dtod > 0:
            matrix = matrix * self._negative(line)
        y = applied @ matrix
        if self.plain:
            return y
        if self.io.ir_drop > 0:
            y = y - self._drop(matrix, applied, line)
        return self._shifted(y, applied) if self.shifts else y

    def sensed(self, y: F32) -> F32:
        """Return what integrators and converters make of the collected currents ``y`` (n, outputs)."""
        return y if self.faults is None else self.faults.sense(y, self.io.out_bound)

    def exact(self, matrix: F32, x: F32, line: int | None) -> F32:
        """Return the exact product of ``x`` (n, inputs) with ``matrix`` (inputs, outputs), faults included."""
        if self.faults is None:
            return x @ matrix
        return self.faults.sense(self.faults.drive(x, line, self.io.inp_bound) @ matrix, self.io.out_bound)

    def silenced(self, y: F32) -> F32:
        """Return the numbers of the output converters (n, outputs), of which dead ones give 0."""
        return y if self.faults is None else np.where(self.faults.dead, np.float32(0), y)

    def _negative(self, line: int | None) -> F32:
        if self._negative_factor is None:
            rows, cols = self._shape
            z = normals(stream_key(self._seed, self._path, "read.polarity"), 0, rows * cols).reshape(rows, cols)
            factor = 1 - np.float32(self.io.w_read_asymmetry_dtod) * z
            self._negative_factor = np.ascontiguousarray(factor if self._transposed else factor.T)
        return self._negative_factor if line is None else self._negative_factor[line : line + 1]

    def _drop(self, matrix: F32, applied: F32, line: int | None) -> F32:
        """IR drop along the inputs, the first of which is farthest from the outputs.

        ir_drop c sum_j w_j x_j (1 - (1 - j/n)^2) with c = a (0.05 a^2 - 0.2 a + 0.5), a = n / g_ratio sum_j |w_j x_j|.
        """
        n = self.inputs
        j = np.arange(n) if line is None else np.array([line])
        profile: F32 = np.asarray(1 - (1 - j / n) ** 2, np.float32)
        a: F32 = np.abs(applied) @ np.abs(matrix) * np.float32(n / self.io.ir_drop_g_ratio)
        c: F32 = ((a * np.float32(0.05) - np.float32(0.2)) * a + np.float32(0.5)) * a
        weighted: F32 = applied * profile
        dropped: F32 = weighted @ matrix
        return dropped * c * np.float32(self.io.ir_drop)

    def _shifted(self, y: F32, applied: F32) -> F32:
        """Voltage offset v_i and series resistance r of coding and reference line:
        (1 - v) p / (1 + r |p|) - (1 + v) q / (1 + r |q|), q = -v_offset_w_min sum x, p = y + q."""
        r, v = np.float32(self.io.r_series), self.offset
        if self.io.v_offset_w_min == 0:
            return (1 - v) * y / (1 + r * np.abs(y))
        reference: F32 = applied.sum(axis=1, keepdims=True) * np.float32(-self.io.v_offset_w_min)
        coding = y + reference
        return (1 - v) * coding / (1 + r * np.abs(coding)) - (1 + v) * reference / (1 + r * np.abs(reference))


def retry_limit(io: IOParameters) -> int:
    """Return the retries after which bound management gives up, each of which halves the inputs.

    It stops with the first reduction above ``max_bm_factor``, and before one above ``max_bm_res`` over the input
    resolution. ``iterative_worst_case`` counts from its second divisor.
    """
    if io.bound_management == "none" or io.out_bound <= 0:
        return 0
    retries = floor(log2(io.max_bm_factor)) + 1
    if io.inp_step > 0:
        resolution = io.inp_step / (2 * io.inp_bound)
        retries = min(retries, floor(log2(max(io.max_bm_res / resolution, 1.0))))
    return retries + 1 if retries and counts_anew(io) else retries


def counts_anew(io: IOParameters) -> bool:
    """Return whether the first retry changes the kind of divisor, and the reductions count from there."""
    return io.bound_management == "iterative_worst_case" and io.noise_management != "abs_max_np_sum"
