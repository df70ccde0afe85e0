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


def heated(const double[::1] drive, const double[::1] weight_sums, double offset, double scale):
    """Return the sum over the lines of ``drive`` times the conductance ``offset + scale weight_sum``, or 0 below 0."""
    cdef int64_t lines = drive.shape[0], j
    cdef double total = 0, conductance
    if weight_sums.shape[0] != lines:
        raise ValueError("one sum for each driven line")
    with nogil:
        for j in range(lines):
            conductance = offset + scale * weight_sums[j]
            if conductance > 0:
                total += drive[j] * conductance
    return total


def fired(const uint32_t[:, ::1] fires, const double[::1] weight_sums):
    """Return the sums over the samples and lines of ``fires`` (n, lines), and of fires times the line's weight sum."""
    cdef int64_t n = fires.shape[0], lines = fires.shape[1], i, j, begin, end
    cdef int64_t block[256]
    cdef int64_t total = 0
    cdef double weighted = 0
    if weight_sums.shape[0] != lines:
        raise ValueError("one sum for each line")
    with nogil:
        for begin in range(0, lines, 256):
            end = min(begin + 256, lines)
            for j in range(end - begin):
                block[j] = 0
            for i in range(n):
                for j in range(end - begin):
                    block[j] += fires[i, begin + j]
            for j in range(end - begin):
                total += block[j]
                weighted += block[j] * weight_sums[begin + j]
    return total, weighted


def follow(const float[:, ::1] weight, float[:, ::1] copy, const uint32_t[:, ::1] row_fires, const uint32_t[:, ::1] col_fires,
           const double[::1] row_before, const double[::1] col_before):
    """Return the sums of the rows and columns of ``weight`` (rows, stride), read-only, from those that ``copy`` had.

    What changed since, and is taken over into ``copy``, is on rows and columns that fired: ``row_fires`` (n, rows) and
    ``col_fires`` (n, cols) times.
    """
    cdef int64_t rows = row_fires.shape[1], cols = col_fires.shape[1], n = row_fires.shape[0], i, j
    cdef vector[int64_t] fired_rows, fired_cols
    cdef double change, along
    if weight.shape[0] != rows or weight.shape[1] < cols or copy.shape[0] != rows or copy.shape[1] != weight.shape[1]:
        raise ValueError("weights, their copy and firings must fit together")
    if row_before.shape[0] != rows or col_before.shape[0] != cols or col_fires.shape[0] != n:
        raise ValueError("one sum for each line, and as many samples on both sides")
    row_sums, col_sums = np.empty(rows), np.empty(cols)
    cdef double[::1] row_sum = row_sums, col_sum = col_sums
    with nogil:
        row_sum[:] = row_before
        col_sum[:] = col_before
        list_fired(row_fires, &fired_rows)
        list_fired(col_fires, &fired_cols)
        for i in fired_rows:
            along = 0
            for j in fired_cols:
                change = <double>weight[i, j] - copy[i, j]
                copy[i, j] = weight[i, j]
                col_sum[j] += change
                along += change
            row_sum[i] += along
    row_sums.flags.writeable = col_sums.flags.writeable = False
    return row_sums, col_sums


cdef void list_fired(const uint32_t[:, ::1] fires, vector[int64_t] *found) noexcept nogil:
    """List the lines that fired in any sample."""
    cdef int64_t lines = fires.shape[1], begin, end, i, j
    cdef uint32_t any_of[256]
    for begin in range(0, lines, 256):
        end = min(begin + 256, lines)
        for j in range(end - begin):
            any_of[j] = 0
        for i in range(fires.shape[0]):
            for j in range(end - begin):
                any_of[j] |= fires[i, begin + j]
        for j in range(end - begin):
            if any_of[j]:
                found.push_back(begin + j)
