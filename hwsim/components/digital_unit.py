"""The digital vector unit: activations, losses, partial sums, pulse probabilities, digital training."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
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

    def compute(self, origin: Origin, stream: Stream, operations: Mapping[str, int]) -> Generator[Any, Any, Stream]:
        """Do ``operations`` (name to count, for each vector) on a stream of vectors."""
        wanted = [(name, count) for name, count in operations.items() if count]
        interval = self._interval(wanted)
        drain = max((self.cost(name).latency - self.cost(name).interval for name, _ in wanted), default=0)
        latency = interval + max(drain, 0)
        return self.serve(origin, stream, latency, interval, [(name, count * stream.n) for name, count in wanted])

    def _interval(self, wanted: Sequence[tuple[str, int]]) -> int:
        if not self.packed:
            return sum(-(-count // self.lanes) * self.cost(name).interval for name, count in wanted)
        period = self.costs.clock.period
        return -(-sum(count * self.cost(name).interval for name, count in wanted) // (self.lanes * period)) * period
