"""Operations that follow each other while nothing else is under way, without a process for each."""

from libc.stdint cimport int64_t, uint8_t

from hwsim._kernels.notes cimport Bill, Notes, Origin
from hwsim._kernels.station cimport Station
from hwsim._kernels.timebase cimport Timebase
from hwsim._kernels.under_way cimport Kind, UnderWay
from hwsim._kernels.way cimport Stream, go


cdef class Trains:
    """Pulse trains on a tile, one operation of a kind after the other; entry k of each column is that of operation k.

    Its ``vectors`` go to the tile on ``ways``. The trains of all of them take ``total`` ps, that of the last one ``last``; ``slot`` is
    what each of ``slots`` slots costs, ``write`` the key of the action of ``pulses`` pulses and of their ``energy``, J.
    """

    cdef Kind _kind
    cdef Station _tile
    cdef Bill _slot
    cdef int64_t _write
    cdef list _ways
    cdef const int64_t[::1] _vectors, _total, _last, _slots, _pulses
    cdef const double[::1] _energy

    def __init__(self, Kind kind, Station tile, Bill slot, int64_t write, list ways, vectors, total, last, slots, pulses, energy):
        self._kind, self._tile, self._slot, self._write, self._ways = kind, tile, slot, write, ways
        self._vectors, self._total, self._last, self._slots, self._pulses = vectors, total, last, slots, pulses
        self._energy = energy


cdef class LineReads:
    """Reads of single lines of a tile, one operation of a kind after the other; entry k of each column is that of operation k.

    Its voltages are on the array after ``delay`` ps, for ``busy`` ps; ``read`` is the key of the action of its ``passes`` and of their
    ``energy``, J, and ``turn`` what each of ``turns`` turns costs else. The first result is there after ``latency``, the last one
    after ``span`` ps; all go on ``way``.
    """

    cdef Kind _kind
    cdef Station _tile
    cdef int64_t _read, _delay
    cdef tuple _way
    cdef list _turn
    cdef const int64_t[::1] _turns, _busy, _passes, _latency, _span
    cdef const double[::1] _energy

    def __init__(self, Kind kind, Station tile, int64_t read, int64_t delay, tuple way, list turn, turns, busy, passes, latency, span, energy):
        self._kind, self._tile, self._read, self._delay, self._way, self._turn = kind, tile, read, delay, way, turn
        self._turns, self._busy, self._passes, self._latency, self._span = turns, busy, passes, latency, span
        self._energy = energy


cdef class Player:
    """Plays operations one after the other while no other program is under way.

    Each takes the components, the time and the energy that it takes as a process, without one: ``issue`` is the way of its
    instruction through the controller. ``arrived`` is when the last vector of the operation at work came to its tile, ps.
    """

    cdef Timebase _env
    cdef Notes _notes
    cdef UnderWay _under_way
    cdef tuple _issue
    cdef readonly int64_t arrived

    def __init__(self, Timebase env not None, Notes notes, UnderWay under_way, tuple issue):
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

    cpdef void until(self, int64_t time) except *:
        """Let the time (ps) come."""
        if time > self._env._now and not self._env.moves_on(time):
            raise RuntimeError("something happens while an operation is played by itself")

    cpdef void journey(self, Kind kind, int64_t step, int64_t sample, int64_t n, tuple way) except *:
        """Play an operation that sends ``n`` vectors, which are there, on one way."""
        cdef Origin origin = self._begin(kind, step, sample)
        cdef int64_t now = self._env._now
        self.until(self._journey(origin, n, now, now, way).last)
        self._under_way.end(kind, step)

    cpdef Origin reach(self, Kind kind, int64_t step, int64_t sample, int64_t n, tuple way, Station tile):
        """Begin an operation whose ``n`` vectors, which are there, go to a tile, and take the tile; returns its origin."""
        cdef Origin origin = self._begin(kind, step, sample)
        cdef int64_t now = self._env._now, start
        self.arrived = self._journey(origin, n, now, now, way).last
        start = tile._take()
        if start < 0:
            raise RuntimeError("an operation that is played by itself has to wait")
        tile.held -= start
        return origin

    cpdef void leave(self, Kind kind, int64_t step, Origin origin, int64_t n, int64_t first, int64_t last, tuple way) except *:
        """End an operation whose results come between ``first`` and ``last`` (ps) and go on a way."""
        self.until(first)
        self.until(self._journey(origin, n, first, last, way).last)
        self._under_way.end(kind, step)

    cpdef void end(self, Kind kind, int64_t step) except *:
        """End an operation without results."""
        self._under_way.end(kind, step)

    def sweep(self, int64_t step, int64_t sample, Trains updates, list before, LineReads reads, list after, Trains writes, const uint8_t[::1] written):
        """Play updates in turn, each behind its digital work ``before`` it; each but the last, or all, is followed by the read of a
        line, the digital work ``after`` it and, where ``written``, by trains that write.

        Digital work is what :meth:`journey` takes of it: its kind, its vectors and their way.
        """
        cdef Py_ssize_t k, write = 0, n = len(after)
        for k in range(len(before)):
            for work in <list>before[k]:
                self._work(step, sample, <tuple>work)
            self._trains(step, sample, updates, k)
            if k == n:
                break
            self._line_read(step, sample, reads, k)
            self._work(step, sample, <tuple>after[k])
            if written[k]:
                self._trains(step, sample, writes, write)
                write += 1

    cdef void _work(self, int64_t step, int64_t sample, tuple work) except *:
        self.journey(<Kind>work[0], step, sample, work[1], <tuple>work[2])

    cdef void _trains(self, int64_t step, int64_t sample, Trains trains, Py_ssize_t k) except *:
        cdef Origin origin = self.reach(trains._kind, step, sample, trains._vectors[k], <tuple>trains._ways[k], trains._tile)
        cdef int64_t start, total = trains._total[k]
        self.until(max(self._env._now + total, self.arrived + trains._last[k]))
        start = self._env._now - total
        self._notes.post(origin, trains._slot, start, trains._slots[k])
        self._notes.book(origin, trains._write, start, total, trains._pulses[k], trains._energy[k])
        trains._tile.release()
        self._under_way.end(trains._kind, step)

    cdef void _line_read(self, int64_t step, int64_t sample, LineReads reads, Py_ssize_t k) except *:
        cdef Origin origin = self.reach(reads._kind, step, sample, 1, (), reads._tile)
        cdef int64_t start = self._env._now, last, latency = reads._latency[k]
        self._notes.book(origin, reads._read, start + reads._delay, reads._busy[k], reads._passes[k], reads._energy[k])
        self._notes.post(origin, <Bill>reads._turn[k], start, reads._turns[k])
        last = max(start + reads._span[k], self.arrived + latency)
        reads._tile.release_at(last)
        self.leave(reads._kind, step, origin, 1, start + latency, last, reads._way)
