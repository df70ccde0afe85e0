"""The digital controller: issues the operations of a program one after the other and keeps the time of each phase."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin


class Controller(SharedComponent):
    """Issues instructions; each takes its ``issue`` latency before the operation starts."""

    def __init__(self, env: Env, costs: ComponentCosts, ledger: Ledger) -> None:
        super().__init__(env, "controller", costs, ledger)

    def issue(self, origin: Origin) -> Generator[Any, Any, None]:
        """Issue one instruction."""
        yield from self.station.acquire()
        cost = self.cost("issue")
        self.book(origin, "issue", self.env.now, cost.interval, 1)
        self.station.release_at(self.env.now + cost.interval)
        yield from self.env.sleep(cost.latency)
