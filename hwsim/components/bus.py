"""The bus between buffer, tiles and digital unit."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.station import Stream


class Bus(SharedComponent):
    """One shared bus; it carries one stream at a time, a word of its ``width`` each interval, and can broadcast."""

    def __init__(self, env: Env, costs: ComponentCosts, ledger: Ledger) -> None:
        super().__init__(env, "bus", costs, ledger)
        self.word_bytes = int(costs.property("width")) // 8
        self.words_moved = 0

    def transfer(self, origin: Origin, stream: Stream, n_bytes: int) -> Generator[Any, Any, Stream]:
        """Move ``n_bytes`` for each vector of a stream."""
        words = -(-n_bytes // self.word_bytes)
        cost = self.cost("transfer")
        self.words_moved += words * stream.n
        latency = cost.latency + (words - 1) * cost.interval
        return self.serve(origin, stream, latency, words * cost.interval, [("transfer", words * stream.n)])
