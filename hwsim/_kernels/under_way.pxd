from libc.stdint cimport int64_t

from hwsim._kernels.gauges cimport Gauge
from hwsim._kernels.notes cimport Origin
from hwsim._kernels.timebase cimport Timebase


cdef class Level:
    cdef Gauge gauge
    cdef int64_t value

    cdef void change(self, int64_t by, int64_t now, int64_t step) except *


cdef class Kind:
    cdef object share
    cdef int64_t origin
    cdef Level level


cdef class UnderWay:
    cdef Timebase _env
    cdef dict _time_by
    cdef list _shares
    cdef public int64_t until

    cdef int64_t _share(self) except -1
    cpdef Origin begin(self, Kind kind, int64_t step, int64_t sample)
    cpdef void end(self, Kind kind, int64_t step) except *
