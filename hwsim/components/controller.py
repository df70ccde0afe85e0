"""The digital controller: issues the operations of a program and keeps the time of each phase."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin


class Controller(SharedComponent):
    """Issues instructions, ``width`` at the same time; each operation starts ``latency`` ps after its issue.

    Instructions are pipelined: a slot is free for the next one after the interval of ``issue``.
    """

    def __init__(
        self, env: Env, costs: ComponentCosts, ledger: Ledger, *, width: int = 1, latency: int | None = None
    ) -> None:
        super().__init__(env, "controller", costs, ledger, capacity=width)
        self.latency = self.cost("issue").latency if latency is None else latency

    def issue(self, origin: Origin) -> Generator[Any, Any, None]:
        """Issue one instruction."""
        yield from self.station.acquire()
        interval = self.cost("issue").interval
        self.book(origin, "issue", self.env.now, interval, 1)
        self.station.release_at(self.env.now + interval)
        yield from self.env.sleep(self.latency)
