"""Clock domains: a component takes whole cycles of its clock."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from hwsim.units import LONGEST_ACTION, PICOSECONDS_PER_SECOND, to_picoseconds


@dataclass(frozen=True)
class Clock:
    """A clock with a period of whole picoseconds."""

    period: int

    @classmethod
    def from_frequency(cls, frequency: float) -> Clock:
        """Make a clock from a frequency in Hz.

        Raises:
            ValueError: the period is not within one part in ten million of a whole number of picoseconds.
        """
        exact = PICOSECONDS_PER_SECOND / Fraction(repr(float(frequency)))
        period = max(round(exact), 1)
        if abs(exact - period) > exact / 10**7:
            raise ValueError(
                f"a clock of {frequency:.9g} Hz has no period of whole picoseconds; "
                f"the nearest one that has is {PICOSECONDS_PER_SECOND / period:.9g} Hz"
            )
        return cls(period)

    def whole_cycles(self, seconds: float, *, rounding: str = "error") -> int:
        """Return a time as picoseconds of whole cycles.

        ``rounding`` is ``"up"`` or ``"error"`` (a time that is no whole number of cycles raises ValueError).

        Raises:
            ValueError: also a time above ``LONGEST_ACTION``.
        """
        if seconds > LONGEST_ACTION:
            raise ValueError(f"{seconds:g} s is more than the {LONGEST_ACTION:g} s that an action may take")
        time = to_picoseconds(seconds, rounding="up" if rounding == "up" else "error")
        cycles, rest = divmod(time, self.period)
        if rest and rounding == "error":
            raise ValueError(f"{time} ps is no whole number of cycles of {self.period} ps")
        return (cycles + bool(rest)) * self.period
