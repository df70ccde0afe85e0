"""The simulation clock: a SimPy environment in whole picoseconds."""

from __future__ import annotations

from collections.abc import Iterable

import simpy


class Env(simpy.Environment):
    """SimPy's environment with integer time."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)

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
