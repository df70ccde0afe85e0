"""Matrix-vector products through converters: scale, DAC, array, noise, ADC, retries on saturation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels import converter
from hwsim.devices.blas import single_thread_blas
from hwsim.devices.periphery import Periphery
from hwsim.devices.results import ReadResult
from hwsim.devices.scale import input_scale, worst_case_scale
from hwsim.engine.rng import stream_key
from hwsim.spec.analog import IOParameters

F32 = NDArray[np.float32]
SMALLEST_SCALE = np.float32(1e-37)
"""Below it an inverse would overflow in float32."""


@dataclass(frozen=True, slots=True)
class ReadKeys:
    """Random streams of the reads of one array for one purpose: (noise, rounding, read noise) of each converter."""

    dac: tuple[int, int, int]
    adc: tuple[int, int, int]

    @classmethod
    def of(cls, seed: int, path: str, purpose: str) -> ReadKeys:
        """Return the streams that the array at ``path`` uses for reads of ``purpose``."""

        def key(name: str) -> int:
            return stream_key(seed, path, f"read.{purpose}.{name}")

        return cls(
            (key("input noise"), key("input rounding"), 0),
            (key("output noise"), key("output rounding"), key("weight noise")),
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """One read of a stream: ``matrix`` is (inputs, outputs), with ``line`` the one row of it that is driven."""

    matrix: F32
    periphery: Periphery
    keys: ReadKeys
    line: int | None

    def attempt(
        self, x: F32, divisor: F32, ordinals: NDArray[np.uint64], retry: int
    ) -> tuple[F32, NDArray[np.int32], F32]:
        """Read once with the vectors ``x`` (n, inputs) over ``divisor`` (n,): outputs, saturated ones, clean inputs."""
        io = self.periphery.io
        factor = np.reciprocal(np.maximum(divisor, SMALLEST_SCALE))
        clean, applied = converter.dac(
            x,
            factor,
            ordinals,
            retry,
            io.inp_bound,
            io.inp_step,
            io.inp_noise,
            io.inp_asymmetry,
            io.inp_sto_round,
            self.keys.dac,
        )
        if io.mv_type == "one_pass":
            y = self.periphery.currents(self.matrix, applied, self.line)
            return *self._convert(y, applied, divisor, ordinals, retry), clean
        positive, negative = np.maximum(applied, 0), np.minimum(applied, 0)
        halves = [
            self.periphery.currents(self.matrix, positive, self.line),
            self.periphery.currents(self.matrix, negative, self.line, negative=True),
        ]
        if io.mv_type == "pos_neg_separate":
            return *self._convert(halves[0] + halves[1], applied, divisor, ordinals, retry), clean
        first, beyond = self._convert(halves[0], positive, divisor, ordinals, 2 * retry)
        second, also_beyond = self._convert(halves[1], negative, divisor, ordinals, 2 * retry + 1)
        return first + second, beyond + also_beyond, clean

    def _convert(
        self, y: F32, applied: F32, divisor: F32, ordinals: NDArray[np.uint64], turn: int
    ) -> tuple[F32, NDArray[np.int32]]:
        periphery, io = self.periphery, self.periphery.io
        return converter.adc(
            periphery.sensed(y),
            _weight_noise(self.matrix, applied, io),
            divisor * np.float32(io.out_scale),
            ordinals,
            turn,
            io.out_bound,
            io.out_step,
            io.out_noise,
            io.out_asymmetry,
            io.out_sto_round,
            io.bm_test_negative_bound,
            self.keys.adc,
            periphery.noise_std,
            periphery.nonlinearity,
            periphery.slope,
        )


def read_array(
    matrix: F32,
    x: F32,
    periphery: Periphery,
    keys: ReadKeys,
    first: int,
    scale: F32 | None = None,
    line: int | None = None,
) -> ReadResult:
    """Multiply the vectors ``x`` (n, inputs) by ``matrix`` (inputs, outputs) through the converters of ``periphery``.

    ``first`` is the ordinal of the first vector in the random streams ``keys``: each vector has its own numbers,
    each retry new ones. ``scale`` (n,) replaces the divisor of noise management. With ``line`` only that input of the
    array is driven: ``x`` is (n, 1), ``matrix`` (1, outputs).
    """
    io, n = periphery.io, len(x)
    with single_thread_blas():
        if io.is_perfect:
            y = periphery.exact(matrix, x, line)
            one, none = np.ones(n, np.int32), np.zeros(n, np.int32)
            return ReadResult(y * np.float32(io.out_scale), one, one, none, 0, x, np.ones(n, np.float32))
        divisor = input_scale(x, io) if scale is None else np.ascontiguousarray(scale, np.float32)
        ordinals = np.arange(first, first + n, dtype=np.uint64)
        read = _Read(matrix, periphery, keys, line)
        y, beyond, applied = read.attempt(x, divisor, ordinals, 0)
        retries = np.zeros(n, np.int32)
        for retry in range(1, periphery.retries + 1):
            if not beyond.any():
                break
            again = np.flatnonzero(beyond)
            wider = _wider(x[again], divisor[again], io, retry)
            y[again], beyond[again], applied[again] = read.attempt(x[again], wider, ordinals[again], retry)
            retries[again] += 1
    attempts = 1 + retries
    y = periphery.silenced(y)
    return ReadResult(y, attempts * io.passes, attempts * io.conversions, retries, int(beyond.sum()), applied, divisor)


def _wider(x: F32, divisor: F32, io: IOParameters, retry: int) -> F32:
    """Divisor of a retry of bound management."""
    if io.bound_management == "iterative_worst_case":
        return np.maximum(divisor, worst_case_scale(x, io)) * np.float32(2.0 ** (retry - 1))
    return divisor * np.float32(2.0**retry)


def _weight_noise(matrix: F32, applied: F32, io: IOParameters) -> F32 | None:
    """Standard deviation that the read noise of the weights gives to every output."""
    if io.w_noise == 0 or io.w_noise_type == "none":
        return None
    if io.w_noise_type == "additive_constant":
        norm = np.sqrt(np.einsum("nj,nj->n", applied, applied))
        return np.ascontiguousarray(
            np.broadcast_to(np.float32(io.w_noise) * norm[:, None], (len(applied), matrix.shape[1]))
        )
    return np.float32(io.w_noise) * np.sqrt(np.square(applied) @ np.abs(matrix))
