"""Operations that follow each other while nothing else is under way, without a process for each."""

from libc.stdint cimport int64_t

from hwsim._kernels.clock cimport Clock
from hwsim._kernels.notes cimport Bill, Notes, Origin
from hwsim._kernels.station cimport Station
from hwsim._kernels.under_way cimport Kind, UnderWay
from hwsim._kernels.way cimport Stream, go


cdef class Player:
    """Plays operations one after the other while no other program is under way.

    Each takes the components, the time and the energy that it takes as a process, without one: ``issue`` is the way of its
    instruction through the controller. ``arrived`` is when the last vector of the operation at work came to its tile, ps.
    """

    cdef Clock _env
    cdef Notes _notes
    cdef UnderWay _under_way
    cdef tuple _issue
    cdef readonly int64_t arrived

    def __init__(self, Clock env not None, Notes notes, UnderWay under_way, tuple issue):
        self._env = env
        self._notes = notes
        self._under_way = under_way
        self._issue = issue

    cdef Stream _journey(self, Origin origin, int64_t n, int64_t first, int64_t last, tuple way):
        found = go(self._env, self._notes, origin, n, first, last, way, 0)
        if type(found) is not Stream:
            raise RuntimeError("an operation that is played by itself has to wait")
        return found

    cdef Origin _begin(self, Kind kind, int64_t step, int64_t sample):
        cdef Origin origin = self._under_way.begin(kind, step, sample)
        self._journey(origin, 1, 0, 0, self._issue)
        return origin

    cdef Origin _reach(self, Kind kind, int64_t step, int64_t sample, int64_t n, tuple way, Station tile):
        cdef Origin origin = self._begin(kind, step, sample)
        cdef int64_t now = self._env._now, start
        self.arrived = self._journey(origin, n, now, now, way).last
        start = tile._take()
        if start < 0:
            raise RuntimeError("an operation that is played by itself has to wait")
        tile.held -= start
        return origin

    cpdef void until(self, int64_t time) except *:
        """Let the time (ps) come."""
        if time > self._env._now and not self._env.moves_on(time):
            raise RuntimeError("something happens while an operation is played by itself")

    def journey(self, Kind kind, int64_t step, int64_t sample, int64_t n, tuple way):
        """Play an operation that sends ``n`` vectors, which are there, on one way."""
        cdef Origin origin = self._begin(kind, step, sample)
        cdef int64_t now = self._env._now
        self.until(self._journey(origin, n, now, now, way).last)
        self._under_way.end(kind, step)

    def reach(self, Kind kind, int64_t step, int64_t sample, int64_t n, tuple way, Station tile):
        """Begin an operation whose ``n`` vectors, which are there, go to a tile, and take the tile; returns its origin."""
        return self._reach(kind, step, sample, n, way, tile)

    def leave(self, Kind kind, int64_t step, Origin origin, int64_t n, int64_t first, int64_t last, tuple way):
        """End an operation whose results come between ``first`` and ``last`` (ps) and go on a way."""
        self.until(first)
        self.until(self._journey(origin, n, first, last, way).last)
        self._under_way.end(kind, step)

    def end(self, Kind kind, int64_t step):
        """End an operation without results."""
        self._under_way.end(kind, step)

    def trains(self, Kind kind, int64_t step, int64_t sample, int64_t n, tuple way, Station tile, int64_t total, int64_t last_train,
               Bill slot, int64_t slots, int64_t write, int64_t pulses, double energy):
        """Play pulse trains on a tile.

        The trains of all ``n`` vectors take ``total`` ps, that of the last one ``last_train``; ``slot`` is what each of ``slots``
        slots costs, ``write`` the key of the action of ``pulses`` pulses and of their ``energy``, J.
        """
        cdef Origin origin = self._reach(kind, step, sample, n, way, tile)
        cdef int64_t start
        self.until(max(self._env._now + total, self.arrived + last_train))
        start = self._env._now - total
        self._notes.post(origin, slot, start, slots)
        self._notes.book(origin, write, start, total, pulses, energy)
        tile.release()
        self._under_way.end(kind, step)

    def line_read(self, Kind kind, int64_t step, int64_t sample, Station tile, int64_t read, int64_t delay, int64_t busy, int64_t passes,
                  double energy, Bill turn, int64_t turns, int64_t latency, int64_t span, tuple way):
        """Play the read of a line of a tile.

        Its voltages are on the array after ``delay`` ps, for ``busy`` ps; ``read`` is the key of the action of its ``passes`` and of
        their ``energy``, J, and ``turn`` what each of ``turns`` turns costs else. The first result is there after ``latency``, the
        last one after ``span`` ps; all go on ``way``.
        """
        cdef Origin origin = self._reach(kind, step, sample, 1, (), tile)
        cdef int64_t start = self._env._now, last
        self._notes.book(origin, read, start + delay, busy, passes, energy)
        self._notes.post(origin, turn, start, turns)
        last = max(start + span, self.arrived + latency)
        tile.release_at(last)
        self.leave(kind, step, origin, 1, start + latency, last, way)
