"""The pulse generators of a tile's rows or columns: one random draw for each line and slot."""

from __future__ import annotations

from hwsim.components.base import Component
from hwsim.engine.ledger import Origin


class PulseGenerator(Component):
    """One stochastic pulse generator for each line.

    ``phases`` passes over the slots of a train are needed for both polarities.
    """

    phases = 2

    def slot(self, pulse_period: int) -> int:
        """Return the duration of a slot, ps: a pulse with its gap and at least one draw, in whole clock cycles."""
        period = self.costs.clock.period
        longest = max(pulse_period, self.cost("draw").interval)
        return -(-longest // period) * period

    def book_trains(self, origin: Origin, start: int, duration: int, slots: int, lines: int) -> None:
        """Book the draws of ``slots`` slots on ``lines`` lines."""
        self.book(origin, "draw", start, duration, slots * lines)
