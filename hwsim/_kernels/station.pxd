from libc.stdint cimport int64_t
from libcpp.vector cimport vector

from hwsim._kernels.timebase cimport Timebase


cdef class Station:
    cdef Timebase _env
    cdef object _waiting, _note
    cdef vector[int64_t] _releases
    cdef int64_t _free, _alarm, _since
    cdef readonly int64_t capacity, arrivals, held, wait_time, longest_queue

    cdef void _collect(self, int64_t now)
    cdef int64_t _take(self) except? -2
    cpdef void release_at(self, int64_t time) except *
    cdef void _serve(self) except *
    cdef void _set_alarm(self) except *
