"""Runs of equal numbers in a column, as its coding in a file needs them."""

import numpy as np
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t

ctypedef fused Number:
    int8_t
    int16_t
    int32_t
    int64_t


def changes(const Number[::1] values, int64_t most):
    """Return the places at which a value differs from the one before it, in order; None where they are more than ``most``."""
    cdef int64_t n = values.shape[0], found = 0, i
    places = np.empty(max(min(most, n), 0) + 1, np.int64)
    cdef int64_t[::1] at = places
    with nogil:
        for i in range(1, n):
            at[found] = i
            found += values[i] != values[i - 1]
            if found > most:
                break
    return None if found > most else places[:found]
