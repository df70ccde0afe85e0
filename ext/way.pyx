"""Streams of vectors and their ways through shared components; see :mod:`hwsim.engine.way`."""

from hwsim._kernels.timebase cimport Timebase


cdef class Stream:
    """``n`` vectors that arrive evenly between ``first`` and ``last`` (ps)."""

    def __init__(self, int64_t n, int64_t first, int64_t last):
        self.n = n
        self.first = first
        self.last = last

    def __iter__(self):
        return iter((self.n, self.first, self.last))

    def __eq__(self, other):
        return type(other) is Stream and tuple(self) == tuple(other)

    def __hash__(self):
        return hash(tuple(self))

    def __repr__(self):
        return f"Stream(n={self.n}, first={self.first}, last={self.last})"


cdef Stream _stream(int64_t n, int64_t first, int64_t last):
    cdef Stream made = Stream.__new__(Stream)
    made.n = n
    made.first = first
    made.last = last
    return made


def present(Timebase env not None, int64_t n):
    """Return a stream of ``n`` vectors that are all there now."""
    cdef int64_t now = env._now
    return _stream(n, now, now)


def wait_until(Timebase env not None, int64_t time):
    """Let the time (ps) come, if it is not there yet; the calling process waits for the events that are returned."""
    cdef int64_t now = env._now
    if time <= now or env.moves_on(time):
        return ()
    return (env.timeout(time - now),)


cdef class Leg:
    """What one vector asks of one shared component.

    The vector leaves ``latency`` ps after it has been taken, the component is free for the next one after ``interval`` ps, and
    ``bill`` is what it costs.
    """

    def __init__(self, Station station, int64_t latency, int64_t interval, Bill bill):
        self.station = station
        self.latency = latency
        self.interval = interval
        self.bill = bill


def set_out(Timebase env not None, Notes notes, Origin origin, Stream stream, tuple way):
    """Send a stream on its way; returns it as it leaves the last component, when its first vector does.

    Operations queue for each component, first come, first served. A stream that arrives slowly does not keep a component while it
    has nothing to do: the next one is served after as much time as the work takes, so that the work of all streams adds up but
    none waits for a gap.

    Where the caller has to wait for an event, the rest of the journey is returned instead: an iterator that the caller yields from,
    and that returns the stream.
    """
    return go(env, notes, origin, stream.n, stream.first, stream.last, way, 0)


cdef go(Timebase env, Notes notes, Origin origin, int64_t n, int64_t first, int64_t last, tuple way, Py_ssize_t at):
    """Go on with leg ``at`` of a journey."""
    cdef int64_t start, busy
    cdef Leg leg
    for at in range(at, len(way)):
        leg = <Leg>way[at]
        start = leg.station._take()
        if start < 0:
            return _queue(env, notes, origin, n, last, way, at)
        leg.station.held -= start
        busy = n * leg.interval
        notes.post(origin, leg.bill, start, n)
        leg.station.release_at(start + busy)
        first = start + leg.latency
        last = max(first + busy - leg.interval, last + leg.latency)
        if not env.moves_on(first) and leg.latency:
            return _ripen(env, notes, origin, n, first, last, way, at + 1)
    return _stream(n, first, last)


def _queue(Timebase env, Notes notes, Origin origin, int64_t n, int64_t last, tuple way, Py_ssize_t at):
    """Wait for a server of leg ``at``, and go on."""
    cdef Leg leg = <Leg>way[at]
    cdef int64_t start, first, busy = n * leg.interval
    yield from leg.station._queue_up()
    start = env._now
    notes.post(origin, leg.bill, start, n)
    leg.station.release_at(start + busy)
    first = start + leg.latency
    last = max(first + busy - leg.interval, last + leg.latency)
    if not env.moves_on(first) and leg.latency:
        yield env.timeout(leg.latency)
    found = go(env, notes, origin, n, first, last, way, at + 1)
    return found if type(found) is Stream else (yield from found)


def _ripen(Timebase env, Notes notes, Origin origin, int64_t n, int64_t first, int64_t last, tuple way, Py_ssize_t at):
    """Wait until the first vector is there, and go on with leg ``at``."""
    yield env.timeout(first - env._now)
    found = go(env, notes, origin, n, first, last, way, at)
    return found if type(found) is Stream else (yield from found)
