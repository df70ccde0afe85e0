"""Noise management: what the vectors of a read are divided by before their conversion."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim._kernels import converter
from hwsim.spec.analog import IOParameters

F32 = NDArray[np.float32]

AVERAGE_DECAY = 1e-3
"""Weight of the newest vector in the running mean of ``average_abs_max``; AIHWKit's decay of noise management."""


class RunningScale:
    """The running mean of the largest magnitude of the vectors that one side of a matrix has been read with."""

    def __init__(self) -> None:
        self.mean = 0.0
        """The mean so far; 0 before the first vector that is not zero, which starts it."""

    def follow(self, magnitude: F32, learn: bool) -> F32:
        """Return the mean after each of the vectors with these largest magnitudes (n,); without ``learn`` it stays."""
        if not learn:
            return np.full(len(magnitude), self.mean, np.float32) if self.mean > 0 else magnitude
        means = np.empty(len(magnitude), np.float32)
        for index, largest in enumerate(magnitude.tolist()):
            self.mean = self.mean * (1 - AVERAGE_DECAY) + largest * AVERAGE_DECAY if self.mean > 0 else largest
            means[index] = self.mean
        return means


def input_scale(x: F32, io: IOParameters, running: RunningScale | None = None, *, learn: bool = True) -> F32:
    """Return what noise management divides each vector of ``x`` (n, lines) by, and multiplies its outputs with.

    A vector of zeros has 0, so that its outputs are 0 whatever the noise behind the DAC, as in AIHWKit, unless the
    inputs themselves are noisy; where there is nothing else to divide by, it is 1. ``average_abs_max`` follows
    ``running``, and changes it only with ``learn``; without it the mean starts anew.
    """
    n, x = len(x), np.ascontiguousarray(x, np.float32)
    if io.is_perfect or io.noise_management == "none":
        return np.ones(n, np.float32)
    if io.noise_management == "constant":
        return np.full(n, io.nm_thres, np.float32)
    if io.noise_management == "average_abs_max":
        scale = (running or RunningScale()).follow(converter.measure(x)[1], learn)
        return np.where(scale > 0, scale, np.float32(1))
    of_zeros = 0.0 if io.inp_noise == 0 else 1.0
    if io.noise_management == "abs_max_np_sum":
        scale = worst_case_scale(x, io)
        return np.where(scale > 0, scale, np.float32(of_zeros))
    return converter.input_scale(x, io.noise_management == "max", io.nm_thres, of_zeros)


def largest_magnitudes(x: F32) -> F32:
    """Return the largest magnitude of each vector of ``x`` (n, lines)."""
    return converter.measure(np.ascontiguousarray(x, np.float32))[1]


def running_means(values: F32, mean: float, share: float) -> F32:
    """Return the running mean after each of ``values`` (n,), each of which counts with ``share``.

    Zeros do not count, and the first value starts a mean of 0.
    """
    return converter.running_means(values, mean, share)


def worst_case_scale(x: F32, io: IOParameters) -> F32:
    """Return the divisor with which even one-sided sums over weights of 0.6 stay within the output bound.

    Source: AIHWKit ``computeNoiseManagement``: ``nm_thres`` limits the largest magnitude, not the divisor; the sums
    count up to ``max_bm_res`` over the step of the input converter; an output without a bound counts as one of 1.
    """
    magnitude = converter.measure(x)[1]
    if io.nm_thres > 0:
        magnitude = np.minimum(magnitude, np.float32(io.nm_thres))
    scale = converter.one_sided_sums(x) * (0.6 / (io.out_bound or 1.0))
    if io.inp_step > 0:
        scale = np.minimum(scale, magnitude * (io.max_bm_res / io.inp_step))
    return np.maximum(magnitude, scale).astype(np.float32)
