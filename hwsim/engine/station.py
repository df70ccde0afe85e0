"""A first-come-first-served station in SimPy: what every shared component queues at."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable
from heapq import heappop, heappush
from typing import NamedTuple

import simpy

from hwsim.engine.env import Env
from hwsim.engine.gauges import QUEUE


class Stream(NamedTuple):
    """``n`` vectors that arrive evenly between ``first`` and ``last`` (ps)."""

    n: int
    first: int
    last: int


class Station:
    """A queue in front of ``capacity`` equal servers.

    ``held`` is the time for which servers have been taken, added up over the servers; ``wait_time`` the time that
    operations have waited, added up over the operations (ps).

    Nothing costs the engine an event unless somebody must wait: an idle server is taken at once, and a release in the
    future is only a note of its time until a waiting operation needs it. A station with a ``name`` has a gauge of its
    queue.
    """

    __slots__ = (
        "_alarm",
        "_env",
        "_free",
        "_note",
        "_releases",
        "_since",
        "_waiting",
        "arrivals",
        "capacity",
        "held",
        "longest_queue",
        "wait_time",
    )

    def __init__(self, env: Env, capacity: int = 1, name: str | None = None) -> None:
        self._env = env
        self._note = env.gauges.of(name, QUEUE) if name is not None else None
        self._waiting: deque[simpy.Event] = deque()
        self._releases: list[int] = []
        self._alarm: int | None = None
        self._free = capacity
        self._since = env.now
        self.capacity = capacity
        self.arrivals = 0
        self.held = 0
        self.wait_time = 0
        self.longest_queue = 0

    @property
    def held_since(self) -> int | None:
        """When the last server to be taken was taken, ps; None while one is free."""
        self._collect()
        return None if self._free else self._since

    @property
    def queue_length(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def acquire(self) -> Iterable[simpy.Event]:
        """Take a server as soon as one is free; the calling process waits for the events that are returned."""
        self.arrivals += 1
        now = self._env.now
        releases = self._releases
        while releases and releases[0] <= now:
            heappop(releases)
            self._free += 1
        if self._free and not self._waiting:
            self._free -= 1
            self.held -= now
            self._since = now
            return ()
        return self._queue_up()

    def _queue_up(self) -> Generator[simpy.Event, None, None]:
        arrived = self._env.now
        turn = self._env.event()
        self._waiting.append(turn)
        self.longest_queue = max(self.longest_queue, len(self._waiting))
        if self._note is not None:
            self._note(arrived, len(self._waiting))
        self._set_alarm()
        yield turn
        self.wait_time += self._env.now - arrived

    def release(self) -> None:
        """Give the server to who waits longest, or make it free."""
        self._free += 1
        self.held += self._env.now
        self._serve()

    def release_at(self, time: int) -> None:
        """Release now, or at a later time (ps)."""
        if time <= self._env.now:
            self.release()
            return
        self.held += time
        heappush(self._releases, time)
        if self._waiting:
            self._set_alarm()

    def _collect(self) -> None:
        """Take back the servers whose release has passed."""
        now = self._env.now
        while self._releases and self._releases[0] <= now:
            heappop(self._releases)
            self._free += 1

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            self.held -= self._env.now
            self._since = self._env.now
            self._waiting.popleft().succeed()
            if self._note is not None:
                self._note(self._env.now, len(self._waiting))

    def _set_alarm(self) -> None:
        """Wake up at the next release, if there is one and nothing will wake up earlier."""
        if not self._releases or (self._alarm is not None and self._alarm <= self._releases[0]):
            return
        self._alarm = self._releases[0]
        self._env.timeout(self._alarm - self._env.now).callbacks.append(self._wake)

    def _wake(self, _: simpy.Event) -> None:
        self._alarm = None
        self._collect()
        self._serve()
        if self._waiting:
            self._set_alarm()
