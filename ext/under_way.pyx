"""The operations under way: whose time it is, and how many of each kind there are."""


cdef class Level:
    """How many operations of a name are under way on a layer; ``gauge`` follows it, unless it is None."""

    def __init__(self, gauge):
        self.gauge = gauge

    cdef void change(self, int64_t by, int64_t now, int64_t step) except *:
        if self.gauge is not None:
            self.value += by
            self.gauge._rows.add(self.gauge._number, now, self.value, step)


cdef class Kind:
    """What the operations of one kind, phase and layer have in common: whose time they share, their origin and their level."""

    def __init__(self, tuple share, int64_t origin, Level level):
        self.share = share
        self.origin = origin
        self.level = level


cdef class UnderWay:
    """The operations under way, and the time that each phase and layer has had.

    Time in which several are under way is shared equally between them, so that it adds up to the time that has passed: the dict
    ``time_by`` is added to, in ps, the wait for the next operation under ``("wait", "")``. It has been shared ``until`` (ps).
    """

    def __init__(self, Timebase env not None, dict time_by):
        self._env = env
        self._time_by = time_by
        self._shares = []

    def __len__(self):
        return len(self._shares)

    cdef int64_t _share(self) except -1:
        cdef int64_t now = self._env._now
        cdef double part
        if now != self.until:
            shares = self._shares or [("wait", "")]
            part = <double>(now - self.until) / len(shares)
            for key in shares:
                self._time_by[key] = self._time_by.get(key, 0.0) + part
            self.until = now
        return now

    cpdef Origin begin(self, Kind kind, int64_t step, int64_t sample):
        """An operation begins; returns the origin of what it books."""
        cdef int64_t now = self._share()
        self._shares.append(kind.share)
        kind.level.change(1, now, step)
        return Origin(kind.origin, step, sample)

    cpdef void end(self, Kind kind, int64_t step) except *:
        """An operation has ended."""
        cdef int64_t now = self._share()
        self._shares.remove(kind.share)
        kind.level.change(-1, now, step)
