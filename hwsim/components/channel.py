"""A channel: one link between two places, or one that many share."""

from __future__ import annotations

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Stream
from hwsim.engine.way import Leg


class Channel(SharedComponent):
    """Carries one stream at a time, a word of its ``width`` each interval; a word is there after the latency."""

    def __init__(self, env: Env, name: str, costs: ComponentCosts, ledger: Ledger) -> None:
        super().__init__(env, name, costs, ledger)
        self.word_bytes = int(costs.property("width")) // 8

    def leg(self, n_bytes: int, *, cut_through: bool = False) -> Leg:
        """Return what moving ``n_bytes`` asks.

        They are there with the last word, or with the first one if they can ``cut_through`` to a next channel.
        """
        leg = self._legs.get((n_bytes, cut_through))
        if leg is None:
            words = -(-n_bytes // self.word_bytes)
            cost = self.cost("transfer")
            latency = cost.latency + (0 if cut_through else words - 1) * cost.interval
            leg = self._legs[n_bytes, cut_through] = self._leg(latency, words * cost.interval, [("transfer", words)])
        return leg

    def transfer(self, origin: Origin, stream: Stream, n_bytes: int, *, cut_through: bool = False) -> Part:
        """Move ``n_bytes`` for each vector of a stream."""
        return self.pass_through(origin, stream, self.leg(n_bytes, cut_through=cut_through))


class Link(Channel):
    """One link of a network, whose static power is that of its router or branching and is booked there."""

    @property
    def leakage(self) -> float:
        """None of its own, W."""
        return 0.0
