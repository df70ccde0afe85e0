"""The simulated time and what is scheduled, where compiled code finds them without a look-up by name."""


cdef class Timebase:
    """The part of a SimPy environment that is read most: its time (``_now``, ps) and its schedule (``_queue``), as SimPy names them."""

    @property
    def now(self):
        """The simulated time, ps."""
        return self._now

    def move_on(self, int64_t time):
        """Move the clock on to ``time`` (ps) if nothing else is scheduled until then; returns whether it did."""
        return self.moves_on(time)

    cdef cbool moves_on(self, int64_t time) except *:
        if self._queue and <int64_t>(<tuple>self._queue[0])[0] <= time:
            return False
        self._now = time
        return True
