from libc.stdint cimport int64_t
from libcpp.vector cimport vector


cdef class Bill:
    cdef readonly int64_t number
    cdef readonly double energy


cdef class Origin:
    cdef readonly int64_t key, step, sample


cdef class Notes:
    cdef vector[int64_t] what, key, step, sample, start, times, counts
    cdef vector[double] energies
    cdef public double energy

    cdef void _note(self, int64_t what, Origin origin, int64_t start, int64_t times) except *
    cpdef void post(self, Origin origin, Bill bill, int64_t start, int64_t times=*) except *
    cpdef void book(self, Origin origin, int64_t action, int64_t start, int64_t duration, int64_t count, double energy) except *


cdef void append(vector[int64_t] &values, more) except *
cdef array_of(vector[int64_t] &values)
