"""The time window of an export."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.errors import UsageError
from hwsim.results.queries import picoseconds


@dataclass(frozen=True)
class Window:
    """Simulated time from ``start`` until before ``end``, whole picoseconds; an ``end`` of None is that of the run."""

    start: int = 0
    end: int | None = None

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``FROM:TO``, times with units of which either may be left out; an empty text is the whole run.

        Raises:
            UsageError: the text is none of these, or the window is empty.
        """
        if not text.strip():
            return cls()
        first, colon, last = (part.strip() for part in text.partition(":"))
        if not colon:
            raise UsageError(f"cannot read the window '{text}': expected FROM:TO, such as 10us:20us, 10us: or :20us")
        window = cls(picoseconds(first) if first else 0, picoseconds(last) if last else None)
        if window.end is not None and window.end <= window.start:
            raise UsageError(f"the window '{text}' ends before it starts")
        return window
