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

    cdef cppclass Matrix:
        const float *w
        int64_t inputs, outputs, input_step, output_step

    void run_dac(const Converter &, const float *, int64_t, float, uint64_t, uint64_t, float *, float *)
    int32_t run_adc(const Converter &, const float *, const float *, int64_t, float, cbool, uint64_t, uint64_t, float *)
    void run_measure(const float *, int64_t, float *, float *)
    void run_product(const Matrix &, const float *, int64_t, float *)
    int32_t run_largest_bits(const float *, int64_t)
    double run_one_sided_sum(const float *, int64_t)
    void run_sum_lines(const float *, int64_t, int64_t, int64_t, double *, double *)


cdef extern from "read_chain.h" namespace "hwsim" nogil:
    cdef cppclass Chain "hwsim::ReadChain":
        Converter dac, adc
        cbool test_negative
        int most_retries
        float out_scale
        int64_t read(const Matrix &, const float *, int64_t, const float *, uint64_t, float *, float *, int32_t *) except +


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


def input_scale(const float[:, ::1] x, cbool largest_value, float limit, float of_zeros):
    """Return what each vector of ``x`` (n, lines) is divided by: its largest magnitude, or with ``largest_value`` its largest
    value; ``limit`` at most, unless that is 0; 1 where that would not be positive, and ``of_zeros`` where all values are 0."""
    cdef int64_t n = x.shape[0], lines = x.shape[1], i
    cdef float largest = 0, magnitude = 0
    scale = np.full(n, of_zeros, np.float32)
    cdef float[::1] view = scale
    if lines:
        with nogil:
            for i in range(n):
                run_measure(&x[i, 0], lines, &largest, &magnitude)
                if not largest_value:
                    largest = magnitude
                if limit > 0 and largest > limit:
                    largest = limit
                if magnitude > 0:
                    view[i] = largest if largest > 0 else 1
    return scale


def running_means(const float[::1] values, float mean, double share):
    """Return the running mean (n,) after each of ``values`` (n,), which counts with ``share``; those that are not positive do not
    count, and the first one that does starts a mean of 0."""
    cdef int64_t n = values.shape[0], i
    cdef float kept = <float>(1 - share), taken = <float>share
    means = np.empty(n, np.float32)
    cdef float[::1] view = means
    for i in range(n):
        if values[i] > 0:
            mean = kept * mean + taken * values[i] if mean > 0 else values[i]
        view[i] = mean
    return means


def is_finite(const float[:, ::1] x):
    """Return whether no number of ``x`` is a NaN or infinite."""
    cdef int64_t size = x.shape[0] * x.shape[1]
    return size == 0 or run_largest_bits(&x[0, 0], size) < 0x7F800000


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


cdef Matrix _matrix(const float[:, :] weights) except *:
    """The array ``weights`` (inputs, outputs) for a product."""
    cdef Matrix m
    m.w = &weights[0, 0]
    m.inputs, m.outputs = weights.shape[0], weights.shape[1]
    m.input_step = weights.strides[0] // <int64_t>sizeof(float)
    m.output_step = weights.strides[1] // <int64_t>sizeof(float)
    if m.inputs > 1 and m.input_step != 1 and m.output_step != 1:
        raise ValueError("neighbouring weights of one line must lie side by side")
    return m


def product(const float[:, ::1] x, const float[:, :] weights):
    """Return the product of the vectors ``x`` (n, inputs) with ``weights`` (inputs, outputs), summed in a fixed order."""
    cdef int64_t n = x.shape[0]
    if x.shape[1] != weights.shape[0]:
        raise ValueError("as many inputs as the weights have")
    y = np.zeros((n, weights.shape[1]), np.float32)
    cdef float[:, ::1] y_view = y
    cdef Matrix m
    if n and y.size and x.shape[1]:
        m = _matrix(weights)
        with nogil:
            run_product(m, &x[0, 0], n, &y_view[0, 0])
    return y


cdef class ReadChain:
    """The converters around an array in one direction: a read of a few vectors with all its retries is one call.

    ``dac`` and ``adc`` are (bound, step, noise, asymmetry, stochastic rounding, keys) as in :func:`dac` and :func:`adc`. The
    outputs are multiplied by ``out_scale``; while one is beyond the bound (a negative one with ``test_negative``), its vector
    is read again with half the inputs, ``most_retries`` times.
    """

    cdef Chain chain
    cdef object keep

    def __init__(self, tuple dac, tuple adc, float out_scale, cbool test_negative, int most_retries, const float[::1] noise_std=None,
                 const float[::1] nonlinearity=None, float slope=1.0):
        _fill(&self.chain.dac, dac[0], dac[1], dac[2], dac[3], dac[4], dac[5])
        _fill(&self.chain.adc, adc[0], adc[1], adc[2], adc[3], adc[4], adc[5])
        self.keep = (noise_std, nonlinearity)
        if noise_std is not None:
            self.chain.adc.noise_std = &noise_std[0]
        if nonlinearity is not None:
            self.chain.adc.nonlinearity = &nonlinearity[0]
            self.chain.adc.slope = slope
        self.chain.out_scale = out_scale
        self.chain.test_negative = test_negative
        self.chain.most_retries = most_retries

    def read(self, const float[:, :] weights, const float[:, ::1] x, const float[::1] scale, uint64_t first):
        """Read ``weights`` (inputs, outputs) with the vectors ``x`` (n, inputs), each over its ``scale`` (n,).

        Returns (y, quantised, retries, retried, saturated): outputs (n, outputs), inputs that were applied (n, inputs), retries
        (n,), their sum, and how many outputs stayed at the bound. ``first`` is the ordinal of the first vector in the random
        streams.
        """
        cdef int64_t n = x.shape[0], saturated = 0, retried = 0, i
        if x.shape[1] != weights.shape[0] or scale.shape[0] != n:
            raise ValueError("as many inputs as the weights have, and one scale per vector")
        y = np.empty((n, weights.shape[1]), np.float32)
        quantised = np.empty((n, x.shape[1]), np.float32)
        retries = np.empty(n, np.int32)
        cdef float[:, ::1] y_view = y, quantised_view = quantised
        cdef int32_t[::1] retries_view = retries
        cdef Matrix m
        if n:
            m = _matrix(weights)
            with nogil:
                saturated = self.chain.read(m, &x[0, 0], n, &scale[0], first, &y_view[0, 0], &quantised_view[0, 0], &retries_view[0])
                for i in range(n):
                    retried += retries_view[i]
        return y, quantised, retries, retried, saturated

    def read_lines(self, const float[:, ::1] lines, float value, float scale, uint64_t first):
        """Read n lines one after the other, each with ``value`` on its input alone; row k of ``lines`` (n, outputs) are its weights.

        Returns as :meth:`read` does.
        """
        cdef int64_t n = lines.shape[0], saturated = 0, retried = 0, k
        y = np.empty((n, lines.shape[1]), np.float32)
        quantised = np.empty((n, 1), np.float32)
        retries = np.empty(n, np.int32)
        cdef float[:, ::1] y_view = y, quantised_view = quantised
        cdef int32_t[::1] retries_view = retries
        cdef Matrix m
        if n and lines.shape[1]:
            m.inputs, m.outputs = 1, lines.shape[1]
            m.input_step, m.output_step = lines.shape[1], 1
            with nogil:
                for k in range(n):
                    m.w = &lines[k, 0]
                    saturated += self.chain.read(m, &value, 1, &scale, first + k, &y_view[k, 0], &quantised_view[k, 0], &retries_view[k])
                    retried += retries_view[k]
        return y, quantised, retries, retried, saturated
