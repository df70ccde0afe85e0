"""Room in a memory: it is claimed and given back, and who finds it full waits in line."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping

import simpy

from hwsim.engine.env import Env
from hwsim.engine.gauges import BYTES_IN_USE

CHANGES = ("_since", "_area", "used", "peak", "waits", "wait_time")


class Room:
    """``capacity`` bytes that programs claim, first come, first served, and give back.

    ``peak`` is the most bytes in use, ``waits`` how many claims had to wait and ``wait_time`` for how long, ps.
    A room with a ``name`` has a gauge of them.
    """

    def __init__(self, env: Env, capacity: int, name: str | None = None) -> None:
        self._env = env
        self._note = env.gauges.of(name, BYTES_IN_USE) if name is not None else None
        self._waiting: deque[tuple[int, simpy.Event]] = deque()
        self._since = env.now
        self._area = 0
        self.capacity = capacity
        self.used = 0
        self.peak = 0
        self.waits = 0
        self.wait_time = 0

    @property
    def free(self) -> int:
        """Bytes that nobody uses."""
        return self.capacity - self.used

    def mean(self) -> float:
        """Return the bytes in use, averaged over the time until now."""
        now = self._env.now
        return (self._area + self.used * (now - self._since)) / now if now else float(self.used)

    def state(self) -> dict[str, int]:
        """Return what is in use and what has been counted; nobody may wait."""
        return {name: getattr(self, name) for name in CHANGES}

    def restore(self, state: Mapping[str, int]) -> None:
        """Continue from what ``state()`` returned."""
        for name in CHANGES:
            setattr(self, name, int(state[name]))

    def claim(self, n_bytes: int) -> Generator[simpy.Event, None, None]:
        """Take room; waits until there is enough."""
        if not self._waiting and n_bytes <= self.free:
            self._use(n_bytes)
            return
        arrived = self._env.now
        self.waits += 1
        turn = self._env.event()
        self._waiting.append((n_bytes, turn))
        yield turn
        self.wait_time += self._env.now - arrived

    def give_back(self, n_bytes: int) -> None:
        """Give room back to who waits longest."""
        self._use(-n_bytes)
        while self._waiting and self._waiting[0][0] <= self.free:
            wanted, turn = self._waiting.popleft()
            self._use(wanted)
            turn.succeed()

    def _use(self, n_bytes: int) -> None:
        now = self._env.now
        self._area += self.used * (now - self._since)
        self._since = now
        self.used += n_bytes
        self.peak = max(self.peak, self.used)
        if self._note is not None:
            self._note(now, self.used)
