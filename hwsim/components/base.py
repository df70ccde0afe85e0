"""Base of every component: its name in the ledger, its costs, its busy time and, if it is shared, its queue."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hwsim.cost import ComponentCosts, Cost
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.station import Station, Stream


class Component:
    """A component, or a rank of equal ones that work side by side (the converters of a tile).

    Args:
        name: path in the chip, such as ``tile0.adc``.
        costs: its cost table.
        ledger: where its actions are booked.
        instances: how many equal parts the rank has.
        tile: the tile that it belongs to; -1 for none.
    """

    def __init__(self, name: str, costs: ComponentCosts, ledger: Ledger, *, instances: int = 1, tile: int = -1) -> None:
        self.name = name
        self.costs = costs
        self.instances = instances
        self.tile = tile
        self.busy = 0
        self._ledger = ledger
        self._actions: dict[tuple[str, int], tuple[int, float]] = {}

    @property
    def leakage(self) -> float:
        """Power that it always draws, W."""
        return self.costs.leakage * self.instances

    def cost(self, action: str) -> Cost:
        """Return the cost of one action."""
        return self.costs.actions[action]

    def book_leakage(self, origin: Origin, elapsed: int) -> None:
        """Book the energy that it leaked in ``elapsed`` ps, at the end of that time."""
        energy = self.leakage * elapsed * 1e-12
        self._ledger.book(origin, self._ledger.action(self.name, "leak", self.tile), elapsed, 0, self.instances, energy)

    def book(
        self,
        origin: Origin,
        action: str,
        start: int,
        duration: int,
        count: int,
        *,
        energy: float | None = None,
        array: int = -1,
        beside: bool = False,
    ) -> None:
        """Book ``count`` actions from ``start`` for ``duration`` ps.

        ``energy`` (J, of all of them) replaces the table's where it depends on the data. ``beside``: the component is
        busy with another action at the same time, which counts its time.
        """
        key, per_action = self._actions.get((action, array)) or self._know(action, array)
        if not beside:
            self.busy += duration
        self._ledger.book(origin, key, start, duration, count, count * per_action if energy is None else energy)

    def _know(self, action: str, array: int) -> tuple[int, float]:
        per_action = self.costs.actions[action].energy if action in self.costs.actions else 0.0
        known = (self._ledger.action(self.name, action, self.tile, array), per_action)
        self._actions[action, array] = known
        return known


class SharedComponent(Component):
    """A component that operations queue for, first come, first served.

    ``capacity`` operations are served at the same time.
    """

    def __init__(
        self, env: Env, name: str, costs: ComponentCosts, ledger: Ledger, *, instances: int = 1, capacity: int = 1
    ) -> None:
        super().__init__(name, costs, ledger, instances=instances)
        self.env = env
        self.station = Station(env, capacity, name)

    def serve(
        self, origin: Origin, stream: Stream, latency: int, interval: int, bookings: list[tuple[str, int]]
    ) -> Generator[Any, Any, Stream]:
        """Pass a stream of vectors through: each needs ``interval`` ps of the component, and leaves after ``latency``.

        ``bookings`` names the actions with their total counts. Returns the leaving stream when its first vector leaves.
        A stream that arrives slowly does not keep the component while it has nothing to do: the next one is served
        after as much time as the work takes, so that the work of all streams adds up but none waits for a gap.
        """
        env, station = self.env, self.station
        waits = station.acquire()
        if waits:
            yield from waits
        n, _, arrives = stream
        start = env.now
        busy = n * interval
        duration = busy
        for action, count in bookings:
            self.book(origin, action, start, duration, count)
            duration = 0
        first = start + latency
        last = max(first + busy - interval, arrives + latency)
        station.release_at(start + busy)
        waits = env.sleep(latency)
        if waits:
            yield from waits
        return Stream(n, first, last)
