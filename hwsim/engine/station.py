"""A first-come-first-served station in SimPy: what every shared component queues at."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass

import simpy


@dataclass(frozen=True, slots=True)
class Stream:
    """``n`` vectors that arrive evenly between ``first`` and ``last`` (ps)."""

    n: int
    first: int
    last: int


class Station:
    """A queue in front of ``capacity`` equal servers.

    An idle server is taken at once, without an event; only who must wait costs the engine anything.
    """

    __slots__ = ("_env", "_free", "_waiting", "arrivals", "capacity", "longest_queue", "wait_time")

    def __init__(self, env: simpy.Environment, capacity: int = 1) -> None:
        self._env = env
        self._waiting: deque[simpy.Event] = deque()
        self._free = capacity
        self.capacity = capacity
        self.arrivals = 0
        self.wait_time = 0
        self.longest_queue = 0

    @property
    def queue_length(self) -> int:
        """How many wait now."""
        return len(self._waiting)

    def acquire(self) -> Generator[simpy.Event, None, None]:
        """Wait for a free server and take it."""
        self.arrivals += 1
        if self._free:
            self._free -= 1
            return
        arrived = self._env.now
        turn = self._env.event()
        self._waiting.append(turn)
        self.longest_queue = max(self.longest_queue, len(self._waiting))
        yield turn
        self.wait_time += self._env.now - arrived

    def release(self) -> None:
        """Give the server to who waits longest, or make it free."""
        if self._waiting:
            self._waiting.popleft().succeed()
        else:
            self._free += 1

    def release_at(self, time: int) -> None:
        """Release at a later time (ps)."""
        delay = time - self._env.now
        if delay <= 0:
            self.release()
            return
        timer = self._env.timeout(delay)
        timer.callbacks.append(lambda _: self.release())
