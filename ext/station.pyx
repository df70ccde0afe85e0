"""Queues in front of the components of a chip; compiled, because every operation passes about five."""

from collections import deque

from hwsim._kernels.timebase cimport Timebase


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


cdef class Station:
    """A queue in front of ``capacity`` equal servers, first come, first served.

    ``held`` is the time for which servers have been taken, added up over the servers; ``wait_time`` the time that operations have
    waited, added up over the operations (ps).

    Nothing costs the engine an event unless somebody must wait while others could come: an idle server is taken at once, and a
    release in the future is only a note of its time until a waiting operation needs it. ``note`` is called with the time, ps, and
    the number of operations that wait whenever that changes.
    """

    def __init__(self, Timebase env not None, int64_t capacity=1, note=None):
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
            if not self._releases.size() or not self._env.moves_on(self._releases[0]):
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
