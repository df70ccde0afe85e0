"""The digital vector unit: activations, losses, partial sums, pulse probabilities, digital training."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.station import Stream


class DigitalUnit(SharedComponent):
    """A unit of ``lanes`` lanes that does one kind of operation on all of them in an interval.

    ``packed``: the operations of a vector share the lanes without gaps, whatever their kind.
    """

    def __init__(self, env: Env, costs: ComponentCosts, ledger: Ledger, *, lanes: int, packed: bool = False) -> None:
        super().__init__(env, "digital", costs, ledger, instances=lanes)
        self.lanes = lanes
        self.packed = packed
        self._known: dict[tuple[tuple[str, int], ...], tuple[int, int]] = {}

    def compute(self, origin: Origin, stream: Stream, operations: Mapping[str, int]) -> Generator[Any, Any, Stream]:
        """Do ``operations`` (name to count, for each vector) on a stream of vectors."""
        wanted = tuple(operations.items())
        if wanted not in self._known:
            self._known[wanted] = self._times(wanted)
        latency, interval = self._known[wanted]
        n = stream.n
        return self.serve(origin, stream, latency, interval, [(name, count * n) for name, count in wanted if count])

    def _times(self, operations: tuple[tuple[str, int], ...]) -> tuple[int, int]:
        """Return the latency of one vector and the time that it keeps the unit, ps."""
        wanted = [(name, count) for name, count in operations if count]
        if self.packed:
            period = self.costs.clock.period
            work = sum(count * self.cost(name).interval for name, count in wanted)
            interval = -(-work // (self.lanes * period)) * period
        else:
            interval = sum(-(-count // self.lanes) * self.cost(name).interval for name, count in wanted)
        drain = max((self.cost(name).latency - self.cost(name).interval for name, _ in wanted), default=0)
        return interval + max(drain, 0), interval
