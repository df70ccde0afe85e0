"""Base of every component: its name in the ledger, its costs and, if it is shared, its queue."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from hwsim.cost import ComponentCosts, Cost
from hwsim.engine.bill import Entry
from hwsim.engine.env import Env
from hwsim.engine.gauges import QUEUE
from hwsim.engine.ledger import Ledger, Origin, Work
from hwsim.engine.parallel import Part
from hwsim.engine.station import Station, Stream
from hwsim.engine.way import Leg, travel


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
        self._ledger = ledger
        self._actions: dict[tuple[str, int, bool], tuple[int, float]] = {}

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

    @property
    def work(self) -> Work:
        """What it has done so far."""
        return self._ledger.work().get(self.name, Work())

    @property
    def busy(self) -> int:
        """Time for which it has worked, ps."""
        return self.work.busy

    def entry(self, action: str, duration: int, count: int, *, after: int = 0, energy: float | None = None) -> Entry:
        """Return the row of a bill for ``count`` actions that start ``after`` ps behind it and take ``duration`` ps.

        ``energy`` (J, of each of them) replaces the table's.
        """
        key, per_action = self._known_action(action, -1)
        return Entry(key, after, duration, count, per_action if energy is None else energy)

    def book(
        self,
        origin: Origin,
        action: str,
        start: int,
        duration: int,
        count: int,
        *,
        energy: float,
        array: int = -1,
    ) -> None:
        """Book ``count`` actions whose ``energy`` (J, of all of them) depends on the data.

        They start at ``start`` and take ``duration`` ps.
        """
        self._ledger.book(origin, self.action(action, array), start, duration, count, energy)

    def action(self, name: str, array: int, *, beside: bool = False) -> int:
        """Return the ledger's key of an action on an array.

        ``beside``: the component is busy with another action at the same time, which counts its time.
        """
        return (self._actions.get((name, array, beside)) or self._known_action(name, array, beside))[0]

    def _known_action(self, action: str, array: int, beside: bool = False) -> tuple[int, float]:
        """Return the ledger's key of an action, and its energy in the table, J."""
        per_action = self.costs.actions[action].energy if action in self.costs.actions else 0.0
        known = (self._ledger.action(self.name, action, self.tile, array, beside=beside), per_action)
        self._actions[action, array, beside] = known
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
        self.station = Station(env, capacity, env.gauges.of(name, QUEUE))
        self._legs: dict[Hashable, Leg] = {}

    def pass_through(self, origin: Origin, stream: Stream, leg: Leg) -> Part:
        """Pass a stream through; returns the leaving stream when its first vector leaves."""
        return travel(self.env, self._ledger.notes, origin, stream, (leg,))

    def _leg(self, latency: int, interval: int, actions: Iterable[tuple[str, int]]) -> Leg:
        """Return what one vector asks: its times, ps, and its actions with their counts, the first of which counts the
        time that the component is busy."""
        entries = []
        duration = interval
        for action, count in actions:
            entries.append(self.entry(action, duration, count))
            duration = 0
        return Leg(self.station, latency, interval, self._ledger.bill(entries))
