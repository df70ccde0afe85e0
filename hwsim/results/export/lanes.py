"""Lanes: rows of a timeline in which nothing overlaps."""

from __future__ import annotations

from collections import deque


class Lanes:
    """Gives every stretch of time the first lane that is free when it starts; starts come in order."""

    def __init__(self) -> None:
        self._ends: list[int] = []

    def place(self, start: int, end: int) -> int:
        """Return the lane, from 0, of a stretch from ``start`` to ``end``."""
        for lane, until in enumerate(self._ends):
            if until <= start:
                self._ends[lane] = end
                return lane
        self._ends.append(end)
        return len(self._ends) - 1


class OpenStretches:
    """Stretches whose end is not known when they begin: those of one name end in the order in which they began."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._open: dict[str, deque[tuple[int, int, int]]] = {}

    def begin(self, name: str, start: int, step: int) -> None:
        """Begin a stretch."""
        lane = next(number for number in range(len(self._taken) + 1) if number not in self._taken)
        self._taken.add(lane)
        self._open.setdefault(name, deque()).append((lane, start, step))

    def end(self, name: str) -> tuple[int, int, int]:
        """End the stretch of that name that began first; returns its lane, start and step."""
        lane, start, step = self._open[name].popleft()
        self._taken.remove(lane)
        return lane, start, step

    def rest(self) -> list[tuple[str, int, int, int]]:
        """Return name, lane, start and step of what has not ended."""
        return [(name, *stretch) for name, stretches in self._open.items() for stretch in stretches]

    def level(self, name: str) -> int:
        """Return how many stretches of a name are open."""
        return len(self._open.get(name, ()))
