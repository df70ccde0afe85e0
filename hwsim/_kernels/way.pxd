from libc.stdint cimport int64_t

from hwsim._kernels.notes cimport Bill, Notes, Origin
from hwsim._kernels.station cimport Station
from hwsim._kernels.timebase cimport Timebase


cdef class Stream:
    cdef readonly int64_t n, first, last


cdef class Leg:
    cdef readonly Station station
    cdef readonly int64_t latency, interval
    cdef readonly Bill bill


cdef go(Timebase env, Notes notes, Origin origin, int64_t n, int64_t first, int64_t last, tuple way, Py_ssize_t at)
