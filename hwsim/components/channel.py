"""A channel: one link between two places, or one that many share."""

from __future__ import annotations

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Stream


class Channel(SharedComponent):
    """Carries one stream at a time, a word of its ``width`` each interval; a word is there after the latency."""

    def __init__(self, env: Env, name: str, costs: ComponentCosts, ledger: Ledger) -> None:
        super().__init__(env, name, costs, ledger)
        self.word_bytes = int(costs.property("width")) // 8
        self.words_moved = 0

    def transfer(self, origin: Origin, stream: Stream, n_bytes: int, *, cut_through: bool = False) -> Part:
        """Move ``n_bytes`` for each vector of a stream.

        The vector is there with its last word, or with its first one if it can ``cut_through`` to a next channel.
        """
        words = -(-n_bytes // self.word_bytes)
        cost = self.cost("transfer")
        self.words_moved += words * stream.n
        latency = cost.latency + (0 if cut_through else words - 1) * cost.interval
        return self.serve(origin, stream, latency, words * cost.interval, [("transfer", words * stream.n)])


class Link(Channel):
    """One link of a network, whose static power is that of its router or branching and is booked there."""

    @property
    def leakage(self) -> float:
        """None of its own, W."""
        return 0.0
