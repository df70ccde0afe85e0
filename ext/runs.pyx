"""What the coding of a column of whole numbers in a file takes: its runs of equal numbers, or each number in a few bits."""

import numpy as np
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

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


def pack(const Number[::1] values, int64_t least, int bits):
    """Return the distances of ``values`` from ``least``, each in ``bits`` bits (16 at most), the first one in the lowest bits of the
    first byte; eight of them fill whole bytes, and zeros fill up the last eight."""
    cdef int64_t n = values.shape[0], i
    packed = np.zeros((n + 7) // 8 * bits + sizeof(uint32_t), np.uint8)
    cdef unsigned char[::1] to = packed
    cdef uint64_t waiting = 0
    cdef uint32_t word
    cdef int filled = 0
    cdef int64_t at = 0
    if not 1 <= bits <= 16:
        raise ValueError("a number takes 1 to 16 bits")
    with nogil:
        for i in range(n):
            waiting |= <uint64_t>(values[i] - least) << filled
            filled += bits
            if filled >= 32:
                word = <uint32_t>waiting
                memcpy(&to[at], &word, sizeof(uint32_t))
                at += 4
                waiting >>= 32
                filled -= 32
        word = <uint32_t>waiting
        memcpy(&to[at], &word, sizeof(uint32_t))
    return packed[: (n + 7) // 8 * bits]
