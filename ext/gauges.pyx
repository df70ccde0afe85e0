"""Levels that change in simulated time, noted one change a row; see :mod:`hwsim.engine.gauges`."""

import numpy as np

from hwsim._kernels.notes cimport append, array_of


cdef class GaugeRows:
    """Changes of gauges in the order of time: (gauge, time, level, step) each. ``flush`` is called when there are ``most``."""

    def __init__(self, int64_t most, flush):
        self._most = 4 * most
        self._flush = flush

    def __len__(self):
        return self._values.size() // 4

    cdef void add(self, int64_t gauge, int64_t time, int64_t level, int64_t step) except *:
        self._values.push_back(gauge)
        self._values.push_back(time)
        self._values.push_back(level)
        self._values.push_back(step)
        if self._values.size() >= self._most:
            self._flush()

    def rows(self):
        """Return the changes, (n, 4) int64."""
        return array_of(self._values).reshape(-1, 4)

    def replace(self, rows):
        """Take over what :meth:`rows` returned."""
        self._values.clear()
        append(self._values, np.ravel(rows))


cdef class Gauge:
    """One gauge: called with the time (ps), the new level and, optionally, the training step, it takes note of a change."""

    def __init__(self, GaugeRows rows, int64_t number):
        self._rows = rows
        self._number = number

    def __call__(self, int64_t time, int64_t level, int64_t step=-1):
        self._rows.add(self._number, time, level, step)
