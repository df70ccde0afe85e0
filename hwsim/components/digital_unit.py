"""The digital vector unit: activations, losses, partial sums, pulse probabilities, digital training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Stream
from hwsim.engine.way import Leg


class DigitalUnit(SharedComponent):
    """A unit of ``lanes`` lanes that does one kind of operation on all of them in an interval.

    ``packed``: the operations of a vector share the lanes without gaps, whatever their kind.
    """

    def __init__(self, env: Env, costs: ComponentCosts, ledger: Ledger, *, lanes: int, packed: bool = False) -> None:
        super().__init__(env, "digital", costs, ledger, instances=lanes)
        self.lanes = lanes
        self.packed = packed

    def leg(self, operations: Mapping[str, int]) -> Leg:
        """Return what ``operations`` (name to count) on one vector ask."""
        wanted = tuple(operations.items())
        leg = self._legs.get(wanted)
        if leg is None:
            done = [(name, count) for name, count in wanted if count]
            leg = self._legs[wanted] = self._leg(*self._times(done), done)
        return leg

    def compute(self, origin: Origin, stream: Stream, operations: Mapping[str, int]) -> Part:
        """Do ``operations`` (name to count, for each vector) on a stream of vectors."""
        return self.pass_through(origin, stream, self.leg(operations))

    def _times(self, wanted: Sequence[tuple[str, int]]) -> tuple[int, int]:
        """Return the latency of one vector and the time that it keeps the unit, ps."""
        if self.packed:
            period = self.costs.clock.period
            work = sum(count * self.cost(name).interval for name, count in wanted)
            interval = -(-work // (self.lanes * period)) * period
        else:
            interval = sum(-(-count // self.lanes) * self.cost(name).interval for name, count in wanted)
        drain = max((self.cost(name).latency - self.cost(name).interval for name, _ in wanted), default=0)
        return interval + max(drain, 0), interval
