from libc.stdint cimport int64_t
from libcpp cimport bool as cbool


cdef class Timebase:
    cdef public int64_t _now
    cdef public list _queue

    cdef cbool moves_on(self, int64_t time) except *
