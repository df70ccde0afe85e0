from libc.stdint cimport int64_t
from libcpp.vector cimport vector


cdef class GaugeRows:
    cdef vector[int64_t] _values
    cdef size_t _most
    cdef object _flush

    cdef void add(self, int64_t gauge, int64_t time, int64_t level, int64_t step) except *


cdef class Gauge:
    cdef GaugeRows _rows
    cdef int64_t _number
