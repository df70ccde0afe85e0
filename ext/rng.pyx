"""Philox4x32-10 random numbers: pure functions of a key and a counter, the same on every instruction set."""

import numpy as np
from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef extern from "philox.h" namespace "hwsim" nogil:
    void philox4x32(uint32_t *counter, uint32_t key0, uint32_t key1)

cdef extern from "isa.h" namespace "hwsim" nogil:
    const char *isa_name()

cdef extern from "generator.h" namespace "hwsim" nogil:
    void run_words(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, uint32_t *out)
    void run_normals(uint64_t key, uint64_t group, uint32_t c2, uint32_t c3, int64_t groups, float *out)


def instruction_set():
    """Return the instruction set in use: ``avx512``, ``avx2`` or ``baseline``."""
    return isa_name().decode()


def philox(counter, key):
    """Return the four words of the block with this ``counter`` (four words) and ``key`` (two words)."""
    cdef uint32_t block[4]
    cdef int i
    for i in range(4):
        block[i] = counter[i]
    philox4x32(block, key[0], key[1])
    return [block[i] for i in range(4)]


def words(uint64_t key, uint64_t first_group, int64_t groups, uint32_t c2=0, uint32_t c3=0):
    """Return ``32 * groups`` random uint32 of the stream (key, c2, c3), from group ``first_group`` on."""
    out = np.empty(32 * groups, np.uint32)
    cdef uint32_t[::1] view = out
    if groups > 0:
        with nogil:
            run_words(key, first_group, c2, c3, groups, &view[0])
    return out


def normals(uint64_t key, uint64_t first_group, int64_t groups, uint32_t c2=0, uint32_t c3=0):
    """Return ``32 * groups`` standard normal float32 of the stream (key, c2, c3), from group ``first_group`` on."""
    out = np.empty(32 * groups, np.float32)
    cdef float[::1] view = out
    if groups > 0:
        with nogil:
            run_normals(key, first_group, c2, c3, groups, &view[0])
    return out
