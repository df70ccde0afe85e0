"""Power against time, from the energies of actions."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BINS = 1000


class Power:
    """Mean power in equal bins of a window, for each part of a chip; what it adds up to is the energy in the window.

    The energy of an action is spread evenly over its duration; one without a duration counts when it starts.
    """

    def __init__(self, start: int, end: int, bins: int = BINS) -> None:
        self._start = start
        self.width = max(-(-(end - start) // bins), 1)
        """Duration of a bin, ps."""
        self._n = max(-(-(end - start) // self.width), 1)
        self._energy: dict[str, np.ndarray] = {}

    def add(self, part: str, start: int, duration: int, energy: float) -> None:
        """Add one action: its start and duration in ps, its energy in J."""
        bins = self._energy.get(part)
        if bins is None:
            bins = self._energy[part] = np.zeros(self._n)
        from_start = start - self._start
        first = from_start // self.width
        if duration == 0:
            if 0 <= from_start <= self._n * self.width:
                bins[min(first, self._n - 1)] += energy
            return
        last = (from_start + duration - 1) // self.width
        if first == last:
            if 0 <= first < self._n:
                bins[first] += energy
            return
        edges = np.arange(max(first, 0), min(last, self._n - 1) + 2) * self.width
        done = np.clip((edges - from_start) / duration, 0.0, 1.0)
        bins[edges[:-1] // self.width] += energy * np.diff(done)

    def changes(self) -> Iterator[tuple[str, int, float]]:
        """Give the part, time (ps) and new power (W) of every change; at the end every power is 0."""
        for part, energy in self._energy.items():
            power = np.append(energy / (self.width * 1e-12), 0.0)
            changed = np.flatnonzero(np.diff(power, prepend=np.nan))
            for index in changed:
                yield part, self._start + int(index) * self.width, float(power[index])
