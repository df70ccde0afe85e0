"""The pulse generators of a tile's rows or columns: one word for each line and slot, random or counted."""

from __future__ import annotations

from hwsim.components.base import Component
from hwsim.engine.ledger import Origin


class PulseGenerator(Component):
    """The pulse generators of a side, one for each line, or comparators that share one.

    A ``kind`` of ``serial_lfsr`` draws for one line after the other; all others have a word for every line at once.
    """

    kind = "lfsr"

    def slot(self, pulse_period: int) -> int:
        """Return the duration of a slot, ps, in whole clock cycles: a pulse with its gap, and the draws of all lines.

        The words of the next slot are drawn while this one is driven.
        """
        period = self.costs.clock.period
        draws = self.instances if self.kind == "serial_lfsr" else 1
        longest = max(pulse_period, draws * self.cost("draw").interval)
        return -(-longest // period) * period

    def book_trains(self, origin: Origin, start: int, duration: int, slots: int, lines: int) -> None:
        """Book the draws of ``slots`` slots on ``lines`` lines."""
        self.book(origin, "draw", start, duration, slots * lines)
