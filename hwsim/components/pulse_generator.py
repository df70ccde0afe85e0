"""The pulse generators of a tile's rows or columns: one word for each line and slot, random or counted."""

from __future__ import annotations

from hwsim.components.base import Component
from hwsim.engine.bill import Entry


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

    def draws(self, duration: int, lines: int) -> Entry:
        """Return the row of a bill for the draws of one slot of ``duration`` ps on ``lines`` lines."""
        return self.entry("draw", duration, lines)
