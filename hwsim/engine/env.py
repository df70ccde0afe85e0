"""The simulation clock: a SimPy environment in whole picoseconds."""

from __future__ import annotations

import simpy


class Env(simpy.Environment):
    """SimPy's environment with integer time."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)

    @property
    def now(self) -> int:
        """The simulated time, ps."""
        return self._now  # type: ignore[return-value]
