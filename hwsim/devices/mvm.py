"""Matrix-vector products through converters: scale, DAC, array, noise, ADC, retries on saturation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels import converter
from hwsim.devices.blas import single_thread_blas
from hwsim.devices.results import ReadResult
from hwsim.engine.rng import stream_key
from hwsim.spec.analog import IOParameters

F32 = NDArray[np.float32]
SMALLEST_SCALE = 1e-37
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


def read_array(
    weights: F32, x: F32, io: IOParameters, keys: ReadKeys, first: int, transposed: bool, scale: F32 | None = None
) -> ReadResult:
    """Multiply the vectors ``x`` (n, inputs) by ``weights`` (rows, cols), or by its transpose.

    ``first`` is the ordinal of the first vector in the random streams ``keys``: each vector has its own numbers,
    each retry new ones. ``scale`` (n,) replaces the divisor of noise management.
    """
    matrix = weights if transposed else weights.T
    if io.is_perfect:
        with single_thread_blas():
            y = x @ matrix
        ones = np.ones(len(x), np.float32)
        return ReadResult(y * np.float32(io.out_scale), np.ones(len(x), np.int32), 0, x, ones)
    divisor = input_scale(x, io) if scale is None else np.ascontiguousarray(scale, np.float32)
    ordinals = np.uint64(first) + np.arange(len(x), dtype=np.uint64)
    y, beyond, applied = _pass(matrix, x, divisor, io, keys, ordinals, 0)
    passes = np.ones(len(x), np.int32)
    for retry in range(1, _retries(io) + 1):
        again = np.flatnonzero(beyond)
        if not len(again):
            break
        wider = divisor[again]
        if io.bound_management == "iterative_worst_case":
            wider = np.maximum(wider, worst_case_scale(x[again], io)) * np.float32(2.0 ** (retry - 1))
        else:
            wider = wider * np.float32(2.0**retry)
        y[again], beyond[again], applied[again] = _pass(matrix, x[again], wider, io, keys, ordinals[again], retry)
        passes[again] += 1
    return ReadResult(y, passes, int(beyond.sum()), applied, divisor)


def input_scale(x: F32, io: IOParameters) -> F32:
    """Return what noise management divides each vector of ``x`` (n, lines) by; 1 where that would be 0."""
    n = len(x)
    if io.is_perfect or io.noise_management == "none":
        return np.ones(n, np.float32)
    if io.noise_management == "constant":
        return np.full(n, io.nm_thres, np.float32)
    if io.noise_management == "abs_max_np_sum":
        scale = worst_case_scale(x, io)
    else:
        largest, magnitude, _ = converter.measure(np.ascontiguousarray(x, np.float32))
        scale = magnitude if io.noise_management == "abs_max" else largest
    if io.nm_thres > 0:
        scale = np.minimum(scale, np.float32(io.nm_thres))
    return np.where(scale > 0, scale, np.float32(1))


def worst_case_scale(x: F32, io: IOParameters) -> F32:
    """Return the divisor with which even one-sided sums over weights of 0.6 stay within the output bound."""
    _, magnitude, one_sided = converter.measure(np.ascontiguousarray(x, np.float32))
    if io.out_bound <= 0:
        return magnitude
    scale = one_sided * (0.6 / io.out_bound)
    if io.inp_step > 0:
        scale = np.minimum(scale, magnitude * (io.max_bm_res * 2 * io.inp_bound / io.inp_step))
    return np.maximum(magnitude, scale).astype(np.float32)


def _pass(
    matrix: F32, x: F32, divisor: F32, io: IOParameters, keys: ReadKeys, ordinals: NDArray[np.uint64], retry: int
) -> tuple[F32, NDArray[np.int32], F32]:
    factor = (1 / np.maximum(divisor, np.float32(SMALLEST_SCALE))).astype(np.float32)
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
        keys.dac,
    )
    with single_thread_blas():
        y = applied @ matrix
        deviation = _weight_noise(matrix, applied, io)
    out, beyond = converter.adc(
        y,
        deviation,
        divisor * np.float32(io.out_scale),
        ordinals,
        retry,
        io.out_bound,
        io.out_step,
        io.out_noise,
        io.out_asymmetry,
        io.out_sto_round,
        io.bm_test_negative_bound,
        keys.adc,
    )
    return out, beyond, clean


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


def _retries(io: IOParameters) -> int:
    """Retries after which bound management gives up."""
    if io.bound_management == "none" or io.out_bound <= 0:
        return 0
    resolution = io.inp_step / (2 * io.inp_bound) if io.inp_step > 0 else 0.0
    limit = float(io.max_bm_factor)
    if resolution > 0:
        limit = min(limit, io.max_bm_res / resolution)
    return max(int(np.floor(np.log2(max(limit, 1.0)))), 0)
