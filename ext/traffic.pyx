"""What every operation of a chip does many times: queue for a component, pass it, and note what that costs.

The classes are those of :mod:`hwsim.engine`, which says what they are for; here they are compiled, because an operation takes
about five components, and each of them would take longer in Python than all that happens between two SimPy events.
"""

from collections import deque

import numpy as np
from libc.stdint cimport int64_t
from libcpp cimport bool as cbool
from libcpp.vector cimport vector


cdef extern from *:
    """
    #include <algorithm>
    #include <functional>
    #include <vector>
    static inline void push_time(std::vector<int64_t> &times, int64_t time) {
        times.push_back(time);
        std::push_heap(times.begin(), times.end(), std::greater<int64_t>());
    }
    static inline void pop_time(std::vector<int64_t> &times) {
        std::pop_heap(times.begin(), times.end(), std::greater<int64_t>());
        times.pop_back();
    }
    """
    void push_time(vector[int64_t] &times, int64_t time)
    void pop_time(vector[int64_t] &times)


cdef cbool moves_on(object env, int64_t time) except *:
    """Move the clock of a SimPy environment on to ``time`` if nothing else is scheduled until then; return whether it did."""
    cdef list queue = env._queue
    if queue and <int64_t>(<tuple>queue[0])[0] <= time:
        return False
    env._now = time
    return True


cdef class Stream:
    """``n`` vectors that arrive evenly between ``first`` and ``last`` (ps)."""

    cdef readonly int64_t n, first, last

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


def present(env, int64_t n):
    """Return a stream of ``n`` vectors that are all there now."""
    cdef int64_t now = env._now
    return _stream(n, now, now)


def wait_until(env, int64_t time):
    """Let the time (ps) come, if it is not there yet; the calling process waits for the events that are returned."""
    cdef int64_t now = env._now
    if time <= now or moves_on(env, time):
        return ()
    return (env.timeout(time - now),)


cdef class Bill:
    """Rows that one unit of work always makes, such as all parts of a tile in one read.

    ``number`` is what the ledger keeps of it, ``energy`` that of all its actions, J. Bills have a multiplicity: durations, counts
    and energies of n units of work are n times those of one, and all start at the same time.
    """

    cdef readonly int64_t number
    cdef readonly double energy

    def __init__(self, int64_t number, double energy):
        self.number = number
        self.energy = energy


cdef class Origin:
    """Why an action happens: the ledger's key of operation, phase and layer; step and first sample of the stream."""

    cdef readonly int64_t key, step, sample

    def __init__(self, int64_t key, int64_t step, int64_t sample):
        self.key = key
        self.step = step
        self.sample = sample


cdef class Notes:
    """What the ledger notes until it works out the rows: the number of a bill (or the inverse of an action), the origin, the
    start, and how often; of rows without a bill also count and energy. ``energy`` is that of everything so far, J."""

    cdef vector[int64_t] what, key, step, sample, start, times, counts
    cdef vector[double] energies
    cdef public double energy

    def __len__(self):
        return self.what.size()

    cdef void _note(self, int64_t what, Origin origin, int64_t start, int64_t times) except *:
        self.what.push_back(what)
        self.key.push_back(origin.key)
        self.step.push_back(origin.step)
        self.sample.push_back(origin.sample)
        self.start.push_back(start)
        self.times.push_back(times)

    cpdef void post(self, Origin origin, Bill bill, int64_t start, int64_t times=1) except *:
        """Note ``times`` units of work that start at ``start``, ps."""
        self.energy += bill.energy * times
        self._note(bill.number, origin, start, times)

    cpdef void book(self, Origin origin, int64_t action, int64_t start, int64_t duration, int64_t count, double energy) except *:
        """Note ``count`` actions without a bill: their key, start and duration in ps, energy in J (of all of them)."""
        self.energy += energy
        self._note(~action, origin, start, duration)
        self.counts.push_back(count)
        self.energies.push_back(energy)

    def columns(self):
        """Return the notes as (what, key, step, sample, start, times), and count and energy of those without a bill."""
        notes = [_array(self.what), _array(self.key), _array(self.step), _array(self.sample), _array(self.start), _array(self.times)]
        energies = np.empty(self.energies.size())
        cdef double[::1] view = energies
        cdef size_t i
        for i in range(self.energies.size()):
            view[i] = self.energies[i]
        return notes, _array(self.counts), energies

    def restore(self, notes, counts, energies, double energy):
        """Take over what :meth:`columns` returned, and the energy at that time."""
        self.clear()
        what, key, step, sample, start, times = notes
        _append(self.what, what)
        _append(self.key, key)
        _append(self.step, step)
        _append(self.sample, sample)
        _append(self.start, start)
        _append(self.times, times)
        _append(self.counts, counts)
        cdef double value
        for value in energies:
            self.energies.push_back(value)
        self.energy = energy

    def clear(self):
        """Forget the notes."""
        self.what.clear()
        self.key.clear()
        self.step.clear()
        self.sample.clear()
        self.start.clear()
        self.times.clear()
        self.counts.clear()
        self.energies.clear()


cdef void _append(vector[int64_t] &values, more) except *:
    cdef int64_t value
    for value in more:
        values.push_back(value)


cdef _array(vector[int64_t] &values):
    out = np.empty(values.size(), np.int64)
    cdef int64_t[::1] view = out
    cdef size_t i
    for i in range(values.size()):
        view[i] = values[i]
    return out


cdef class Station:
    """A queue in front of ``capacity`` equal servers, first come, first served.

    ``held`` is the time for which servers have been taken, added up over the servers; ``wait_time`` the time that operations have
    waited, added up over the operations (ps).

    Nothing costs the engine an event unless somebody must wait while others could come: an idle server is taken at once, and a
    release in the future is only a note of its time until a waiting operation needs it. ``note`` is called with the time, ps, and
    the number of operations that wait whenever that changes.
    """

    cdef object _env, _waiting, _note
    cdef vector[int64_t] _releases
    cdef int64_t _free, _alarm, _since
    cdef readonly int64_t capacity, arrivals, held, wait_time, longest_queue

    def __init__(self, env, int64_t capacity=1, note=None):
        self._env = env
        self._note = note
        self._waiting = deque()
        self._alarm = -1
        self._free = capacity
        self._since = env._now
        self.capacity = capacity

    @property
    def held_since(self):
        """When the last server to be taken was taken, ps; None while one is free."""
        self._collect(self._env._now)
        return None if self._free else self._since

    @property
    def queue_length(self):
        """How many wait now."""
        return len(self._waiting)

    def state(self):
        """Return the servers that are free, the releases to come, and what has been counted; nobody may wait.

        An alarm is not kept: without anybody who waits it does nothing.
        """
        if self._waiting:
            raise ValueError("operations wait at this station")
        return {
            "free": self._free, "since": self._since, "releases": [time for time in self._releases],
            "arrivals": self.arrivals, "held": self.held, "wait_time": self.wait_time, "longest_queue": self.longest_queue,
        }

    def restore(self, state):
        """Continue from what :meth:`state` returned."""
        self._waiting.clear()
        self._alarm = -1
        self._releases.clear()
        for time in state["releases"]:
            push_time(self._releases, time)
        self._free, self._since = state["free"], state["since"]
        self.arrivals, self.held = state["arrivals"], state["held"]
        self.wait_time, self.longest_queue = state["wait_time"], state["longest_queue"]

    cdef void _collect(self, int64_t now):
        """Take back the servers whose release has passed."""
        while self._releases.size() and self._releases[0] <= now:
            pop_time(self._releases)
            self._free += 1

    cdef int64_t _take(self) except? -2:
        """Take a server that is free before anything else can happen; returns when, or -1 if there is none."""
        cdef int64_t now = self._env._now, released
        self._collect(now)
        if self._waiting:
            return -1
        if not self._free:
            if not self._releases.size() or not moves_on(self._env, self._releases[0]):
                return -1
            # Nothing else happens until the next server is released: the caller waits without an event.
            released = self._releases[0]
            pop_time(self._releases)
            self._free = 1
            self.wait_time += released - now
            self.longest_queue = max(self.longest_queue, 1)
            if self._note is not None:
                self._note(now, 1)
                self._note(released, 0)
            now = released
        self.arrivals += 1
        self._free -= 1
        self._since = now
        return now

    def acquire(self):
        """Take a server as soon as one is free; the calling process waits for the events that are returned."""
        cdef int64_t start = self._take()
        if start < 0:
            return self._queue_up()
        self.held -= start
        return ()

    def _queue_up(self):
        cdef int64_t arrived = self._env._now
        self.arrivals += 1
        turn = self._env.event()
        self._waiting.append(turn)
        self.longest_queue = max(self.longest_queue, <int64_t>len(self._waiting))
        if self._note is not None:
            self._note(arrived, len(self._waiting))
        self._set_alarm()
        yield turn
        self.wait_time += self._env._now - arrived

    def release(self):
        """Give the server to who waits longest, or make it free."""
        self._free += 1
        self.held += self._env._now
        self._serve()

    cpdef void release_at(self, int64_t time) except *:
        """Release now, or at a later time (ps)."""
        if time <= self._env._now:
            self.release()
            return
        self.held += time
        push_time(self._releases, time)
        if self._waiting:
            self._set_alarm()

    cdef void _serve(self) except *:
        while self._free and self._waiting:
            self._free -= 1
            self._since = self._env._now
            self.held -= self._since
            self._waiting.popleft().succeed()
            if self._note is not None:
                self._note(self._since, len(self._waiting))

    cdef void _set_alarm(self) except *:
        """Wake up at the next release, if there is one and nothing will wake up earlier."""
        if not self._releases.size() or (self._alarm >= 0 and self._alarm <= self._releases[0]):
            return
        self._alarm = self._releases[0]
        self._env.timeout(self._alarm - self._env._now).callbacks.append(self._wake)

    def _wake(self, _):
        self._alarm = -1
        self._collect(self._env._now)
        self._serve()
        if self._waiting:
            self._set_alarm()


cdef class Leg:
    """What one vector asks of one shared component.

    The vector leaves ``latency`` ps after it has been taken, the component is free for the next one after ``interval`` ps, and
    ``bill`` is what it costs.
    """

    cdef readonly Station station
    cdef readonly int64_t latency, interval
    cdef readonly Bill bill

    def __init__(self, Station station, int64_t latency, int64_t interval, Bill bill):
        self.station = station
        self.latency = latency
        self.interval = interval
        self.bill = bill


def set_out(env, Notes notes, Origin origin, Stream stream, tuple way):
    """Send a stream on its way; returns it as it leaves the last component, when its first vector does.

    Operations queue for each component, first come, first served. A stream that arrives slowly does not keep a component while it
    has nothing to do: the next one is served after as much time as the work takes, so that the work of all streams adds up but
    none waits for a gap.

    Where the caller has to wait for an event, the rest of the journey is returned instead: an iterator that the caller yields from,
    and that returns the stream.
    """
    return _go(env, notes, origin, stream.n, stream.first, stream.last, way, 0)


cdef _go(env, Notes notes, Origin origin, int64_t n, int64_t first, int64_t last, tuple way, Py_ssize_t at):
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
        if not moves_on(env, first) and leg.latency:
            return _ripen(env, notes, origin, n, first, last, way, at + 1)
    return _stream(n, first, last)


def _queue(env, Notes notes, Origin origin, int64_t n, int64_t last, tuple way, Py_ssize_t at):
    """Wait for a server of leg ``at``, and go on."""
    cdef Leg leg = <Leg>way[at]
    cdef int64_t start, first, busy = n * leg.interval
    yield from leg.station._queue_up()
    start = env._now
    notes.post(origin, leg.bill, start, n)
    leg.station.release_at(start + busy)
    first = start + leg.latency
    last = max(first + busy - leg.interval, last + leg.latency)
    if not moves_on(env, first) and leg.latency:
        yield env.timeout(leg.latency)
    found = _go(env, notes, origin, n, first, last, way, at + 1)
    return found if type(found) is Stream else (yield from found)


def _ripen(env, Notes notes, Origin origin, int64_t n, int64_t first, int64_t last, tuple way, Py_ssize_t at):
    """Wait until the first vector is there, and go on with leg ``at``."""
    yield env.timeout(first - env._now)
    found = _go(env, notes, origin, n, first, last, way, at)
    return found if type(found) is Stream else (yield from found)


cdef class GaugeRows:
    """Changes of gauges in the order of time: (gauge, time, level, step) each. ``flush`` is called when there are ``most``."""

    cdef vector[int64_t] _values
    cdef size_t _most
    cdef object _flush

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
        return _array(self._values).reshape(-1, 4)

    def replace(self, rows):
        """Take over what :meth:`rows` returned."""
        self._values.clear()
        _append(self._values, np.ravel(rows))


cdef class Gauge:
    """One gauge: called with the time (ps), the new level and, optionally, the training step, it takes note of a change."""

    cdef GaugeRows _rows
    cdef int64_t _number

    def __init__(self, GaugeRows rows, int64_t number):
        self._rows = rows
        self._number = number

    def __call__(self, int64_t time, int64_t level, int64_t step=-1):
        self._rows.add(self._number, time, level, step)


cdef class Level:
    """How many operations of a name are under way on a layer; ``gauge`` follows it, unless it is None."""

    cdef Gauge gauge
    cdef int64_t value

    def __init__(self, gauge):
        self.gauge = gauge

    cdef void change(self, int64_t by, int64_t now, int64_t step) except *:
        if self.gauge is not None:
            self.value += by
            self.gauge._rows.add(self.gauge._number, now, self.value, step)


cdef class Kind:
    """What the operations of one kind, phase and layer have in common: whose time they share, their origin and their level."""

    cdef object share
    cdef int64_t origin
    cdef Level level

    def __init__(self, tuple share, int64_t origin, Level level):
        self.share = share
        self.origin = origin
        self.level = level


cdef class UnderWay:
    """The operations under way, and the time that each phase and layer has had.

    Time in which several are under way is shared equally between them, so that it adds up to the time that has passed: the dict
    ``time_by`` is added to, in ps, the wait for the next operation under ``("wait", "")``. It has been shared ``until`` (ps).
    """

    cdef object _env
    cdef dict _time_by
    cdef list _shares
    cdef public int64_t until

    def __init__(self, env, dict time_by):
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

    def begin(self, Kind kind, int64_t step, int64_t sample):
        """An operation begins; returns the origin of what it books."""
        cdef int64_t now = self._share()
        self._shares.append(kind.share)
        kind.level.change(1, now, step)
        return Origin(kind.origin, step, sample)

    def end(self, Kind kind, int64_t step):
        """An operation has ended."""
        cdef int64_t now = self._share()
        self._shares.remove(kind.share)
        kind.level.change(-1, now, step)


cdef class Player:
    """Plays operations one after the other while no other program is under way.

    Each takes the components, the time and the energy that it takes as a process, without one: ``issue`` is the way of its
    instruction through the controller. ``arrived`` is when the last vector of the operation at work came to its tile, ps.
    """

    cdef object _env
    cdef Notes _notes
    cdef UnderWay _under_way
    cdef tuple _issue
    cdef readonly int64_t arrived

    def __init__(self, env, Notes notes, UnderWay under_way, tuple issue):
        self._env = env
        self._notes = notes
        self._under_way = under_way
        self._issue = issue

    cdef Stream _journey(self, Origin origin, int64_t n, int64_t first, int64_t last, tuple way):
        found = _go(self._env, self._notes, origin, n, first, last, way, 0)
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
        if time > <int64_t>self._env._now and not moves_on(self._env, time):
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
        self.until(max(<int64_t>self._env._now + total, self.arrived + last_train))
        start = <int64_t>self._env._now - total
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
