"""What the lines of an array take part in: sums over lines that the energy of reads and updates is made of, in float64."""

import numpy as np
from libc.stdint cimport int64_t, uint32_t
from libcpp.vector cimport vector


def squares(const float[:, ::1] x):
    """Return the sum over the vectors ``x`` (n, lines) of the square on each line, (lines,)."""
    cdef int64_t n = x.shape[0], lines = x.shape[1], i, j
    cdef double value
    out = np.zeros(lines)
    cdef double[::1] view = out
    with nogil:
        for i in range(n):
            for j in range(lines):
                value = x[i, j]
                view[j] += value * value
    return out


def exposed(const double[::1] heat, const double[::1] charges, const double[::1] weight_sums, double offset, double scale,
            double time, double capacitance):
    """Return the sum over the lines of ``time heat (offset + scale weight_sum)``, where that conductance is not below 0, and of
    ``capacitance charges``."""
    cdef int64_t lines = heat.shape[0], j
    cdef double heated = 0, charged = 0, conductance
    if weight_sums.shape[0] != lines or charges.shape[0] != lines:
        raise ValueError("one sum for each driven line")
    with nogil:
        for j in range(lines):
            conductance = offset + scale * weight_sums[j]
            if conductance > 0:
                heated += heat[j] * conductance
            charged += charges[j]
    return time * heated + capacitance * charged


def fired(const uint32_t[:, ::1] row_fires, const uint32_t[:, ::1] col_fires, const double[::1] row_sums, const double[::1] col_sums):
    """Return how often the rows of ``row_fires`` (n, rows) and the columns of ``col_fires`` (n, cols) fired, and the sum over all
    firings of the sum of the weights on the line."""
    cdef int64_t rows = 0, cols = 0
    cdef double on_rows = 0, on_cols = 0
    check_sums(row_fires, col_fires, row_sums, col_sums)
    with nogil:
        count(row_fires, row_sums, &rows, &on_rows, NULL)
        count(col_fires, col_sums, &cols, &on_cols, NULL)
    return rows, cols, on_rows + on_cols


def follow(const float[:, ::1] weight, float[:, ::1] copy, const uint32_t[:, ::1] row_fires, const uint32_t[:, ::1] col_fires,
           const double[::1] row_before, const double[::1] col_before):
    """Return the sums of the rows and columns of ``weight`` (rows, stride), read-only, from those that ``copy`` had, and the sum over
    all firings of the sum that the line had.

    What changed since, and is taken over into ``copy``, is on rows and columns that fired: ``row_fires`` (n, rows) and
    ``col_fires`` (n, cols) times.
    """
    cdef int64_t rows = row_fires.shape[1], cols = col_fires.shape[1], on_any = 0, i, j
    cdef vector[int64_t] fired_rows, fired_cols
    cdef double change, along, on_rows = 0, on_cols = 0
    if weight.shape[0] != rows or weight.shape[1] < cols or copy.shape[0] != rows or copy.shape[1] != weight.shape[1]:
        raise ValueError("weights, their copy and firings must fit together")
    check_sums(row_fires, col_fires, row_before, col_before)
    row_sums, col_sums = np.empty(rows), np.empty(cols)
    cdef double[::1] row_sum = row_sums, col_sum = col_sums
    with nogil:
        row_sum[:] = row_before
        col_sum[:] = col_before
        count(row_fires, row_before, &on_any, &on_rows, &fired_rows)
        count(col_fires, col_before, &on_any, &on_cols, &fired_cols)
        for i in fired_rows:
            along = 0
            for j in fired_cols:
                change = <double>weight[i, j] - copy[i, j]
                copy[i, j] = weight[i, j]
                col_sum[j] += change
                along += change
            row_sum[i] += along
    row_sums.flags.writeable = col_sums.flags.writeable = False
    return row_sums, col_sums, on_rows + on_cols


cdef int check_sums(const uint32_t[:, ::1] row_fires, const uint32_t[:, ::1] col_fires, const double[::1] row_sums,
                    const double[::1] col_sums) except -1:
    if row_sums.shape[0] != row_fires.shape[1] or col_sums.shape[0] != col_fires.shape[1]:
        raise ValueError("one sum for each line")
    if row_fires.shape[0] != col_fires.shape[0]:
        raise ValueError("as many samples on both sides")
    return 0


cdef void count(const uint32_t[:, ::1] fires, const double[::1] sums, int64_t *total, double *weighted,
                vector[int64_t] *found) noexcept nogil:
    """Add up the firings of lines, and those times the sum of each line; list the lines that fired, if ``found`` is not NULL."""
    cdef int64_t lines = fires.shape[1], begin, end, i, j
    cdef int64_t of_line[256]
    for begin in range(0, lines, 256):
        end = min(begin + 256, lines)
        for j in range(end - begin):
            of_line[j] = 0
        for i in range(fires.shape[0]):
            for j in range(end - begin):
                of_line[j] += fires[i, begin + j]
        for j in range(end - begin):
            total[0] += of_line[j]
            weighted[0] += of_line[j] * sums[begin + j]
            if found != NULL and of_line[j]:
                found.push_back(begin + j)
