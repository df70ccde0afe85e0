from libc.stdint cimport int64_t

from hwsim._kernels.clock cimport Clock
from hwsim._kernels.notes cimport Bill, Notes, Origin
from hwsim._kernels.station cimport Station


cdef class Stream:
    cdef readonly int64_t n, first, last


cdef class Leg:
    cdef readonly Station station
    cdef readonly int64_t latency, interval
    cdef readonly Bill bill


cdef go(Clock env, Notes notes, Origin origin, int64_t n, int64_t first, int64_t last, tuple way, Py_ssize_t at)
