"""The simulation clock: a SimPy environment in whole picoseconds."""

from __future__ import annotations

from collections.abc import Iterable

import simpy

from hwsim.engine.gauges import Gauges


class Env(simpy.Environment):
    """SimPy's environment with integer time, and ``gauges`` of what has a level that changes in it."""

    def __init__(self, gauges: Gauges | None = None) -> None:
        super().__init__(initial_time=0)
        self.gauges = gauges or Gauges()

    @property
    def now(self) -> int:
        """The simulated time, ps."""
        return self._now  # type: ignore[return-value]

    def sleep(self, delay: int) -> Iterable[simpy.Event]:
        """Let ``delay`` ps pass for the calling process, which waits for the events that are returned.

        If nothing else is scheduled, the clock moves on without an event: no other process could tell the difference.
        """
        if self._queue:
            return (self.timeout(delay),) if delay else ()
        self._now += delay
        return ()
