"""The simulation clock: a SimPy environment in whole picoseconds."""

from __future__ import annotations

from collections.abc import Iterable

import simpy

from hwsim._kernels.station import Station
from hwsim._kernels.timebase import Timebase
from hwsim.engine.gauges import Gauges


class Env(Timebase, simpy.Environment):
    """SimPy's environment with integer time, and ``gauges`` of what has a level that changes in it.

    A process that lets time pass moves the clock by itself if nothing is scheduled until then: no other process could
    tell the difference, and an event costs more than most of what happens between two of them. For this to hold, no
    event may have two processes that wait for it.
    """

    def __init__(self, gauges: Gauges | None = None) -> None:
        super().__init__(initial_time=0)
        self.gauges = gauges or Gauges()

    def start_at(self, time: int) -> None:
        """Start at ``time`` (ps), before anything has been scheduled."""
        self._now = time

    @property
    def is_empty(self) -> bool:
        """Whether nothing is scheduled."""
        return not self._queue

    @property
    def idle(self) -> bool:
        """Whether nobody waits for an event, and nothing that is scheduled has to do more than look who waits."""
        # The alarm of a station only serves those who wait there.
        return all(isinstance(getattr(call, "__self__", None), Station)
                   for *_, event in self._queue for call in event.callbacks or ())  # fmt: skip

    def sleep(self, delay: int) -> Iterable[simpy.Event]:
        """Let ``delay`` ps pass for the calling process, which waits for the events that are returned."""
        return (self.timeout(delay),) if delay and not self.move_on(self.now + delay) else ()
