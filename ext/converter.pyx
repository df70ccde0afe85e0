"""Converters around a matrix-vector product, and sums over the lines of an array."""

import numpy as np
from libc.stdint cimport int32_t, int64_t, uint64_t
from libcpp cimport bool as cbool


cdef extern from "converter.h" namespace "hwsim" nogil:
    cdef cppclass Converter:
        uint64_t key_noise, key_rounding, key_weight
        float bound, step, noise, asymmetry, slope
        cbool stochastic_rounding
        const float *noise_std
        const float *nonlinearity

    void run_dac(const Converter &, const float *, int64_t, float, uint64_t, uint64_t, float *, float *)
    int32_t run_adc(const Converter &, const float *, const float *, int64_t, float, cbool, uint64_t, uint64_t, float *)
    void run_measure(const float *, int64_t, float *, float *)
    double run_one_sided_sum(const float *, int64_t)
    void run_sum_lines(const float *, int64_t, int64_t, int64_t, double *, double *)


cdef void _fill(Converter *c, float bound, float step, float noise, float asymmetry, cbool stochastic_rounding, tuple keys):
    c.bound = bound
    c.step = step
    c.noise = noise
    c.asymmetry = asymmetry
    c.stochastic_rounding = stochastic_rounding
    c.key_noise, c.key_rounding, c.key_weight = keys


def dac(const float[:, ::1] x, const float[::1] scale, const uint64_t[::1] ordinals, uint64_t round_number, float bound, float step,
        float noise, float asymmetry, cbool stochastic_rounding, tuple keys):
    """Convert the vectors ``x`` (n, lines), each times its ``scale``. Returns (quantised, applied): without and with noise.

    ``ordinals`` (n,) and ``round_number`` select the random numbers; ``keys`` are those of noise, rounding and read noise.
    """
    cdef Converter c
    cdef int64_t n = x.shape[0], lines = x.shape[1], i
    _fill(&c, bound, step, noise, asymmetry, stochastic_rounding, keys)
    quantised = np.empty((n, lines), np.float32)
    applied = np.empty((n, lines), np.float32)
    cdef float[:, ::1] quantised_view = quantised, applied_view = applied
    with nogil:
        for i in range(n):
            run_dac(c, &x[i, 0], lines, scale[i], ordinals[i], round_number, &quantised_view[i, 0], &applied_view[i, 0])
    return quantised, applied


def adc(const float[:, ::1] y, const float[:, ::1] weight_std, const float[::1] factor, const uint64_t[::1] ordinals,
        uint64_t round_number, float bound, float step, float noise, float asymmetry, cbool stochastic_rounding, cbool test_negative,
        tuple keys, const float[::1] noise_std=None, const float[::1] nonlinearity=None, float slope=1.0):
    """Convert the outputs ``y`` (n, lines) and multiply each vector by its ``factor``. Returns (out, beyond).

    ``beyond`` (n,) counts the outputs that the bound cut. ``weight_std`` (n, lines) or None is the read noise of the outputs.
    ``noise_std`` (lines,) replaces ``noise``; ``nonlinearity`` (lines,) bends y to ``slope`` y / (1 + |nonlinearity y|).
    """
    cdef Converter c
    cdef int64_t n = y.shape[0], lines = y.shape[1], i
    cdef cbool noisy = weight_std is not None
    _fill(&c, bound, step, noise, asymmetry, stochastic_rounding, keys)
    if (noise_std is not None and noise_std.shape[0] != lines) or (nonlinearity is not None and nonlinearity.shape[0] != lines):
        raise ValueError("the spreads must have one value per output")
    if noise_std is not None and lines:
        c.noise_std = &noise_std[0]
    if nonlinearity is not None and lines:
        c.nonlinearity = &nonlinearity[0]
        c.slope = slope
    out = np.empty((n, lines), np.float32)
    beyond = np.zeros(n, np.int32)
    cdef float[:, ::1] out_view = out
    cdef int32_t[::1] beyond_view = beyond
    with nogil:
        for i in range(n):
            beyond_view[i] = run_adc(c, &y[i, 0], &weight_std[i, 0] if noisy else NULL, lines, factor[i], test_negative, ordinals[i],
                                     round_number, &out_view[i, 0])
    return out, beyond


def measure(const float[:, ::1] x):
    """Return per vector of ``x`` (n, lines): largest value, largest magnitude."""
    cdef int64_t n = x.shape[0], lines = x.shape[1], i
    largest = np.zeros(n, np.float32)
    magnitude = np.zeros(n, np.float32)
    cdef float[::1] largest_view = largest, magnitude_view = magnitude
    if lines:
        with nogil:
            for i in range(n):
                run_measure(&x[i, 0], lines, &largest_view[i], &magnitude_view[i])
    return largest, magnitude


def one_sided_sums(const float[:, ::1] x):
    """Return per vector of ``x`` (n, lines) the larger one of the sums of its positive and of its negative values."""
    cdef int64_t n = x.shape[0], lines = x.shape[1], i
    sums = np.zeros(n)
    cdef double[::1] sums_view = sums
    if lines:
        with nogil:
            for i in range(n):
                sums_view[i] = run_one_sided_sum(&x[i, 0], lines)
    return sums


def line_sums(const float[:, ::1] weight, int64_t cols):
    """Return (row_sum, col_sum) in float64 of the first ``cols`` columns of ``weight`` (rows, stride)."""
    cdef int64_t rows = weight.shape[0]
    row_sum = np.zeros(rows)
    col_sum = np.zeros(cols)
    cdef double[::1] row_view = row_sum, col_view = col_sum
    if cols > weight.shape[1]:
        raise ValueError("more columns than the weights have")
    if rows and cols:
        with nogil:
            run_sum_lines(&weight[0, 0], rows, cols, weight.shape[1], &row_view[0], &col_view[0])
    return row_sum, col_sum
