"""The digital controller: issues the operations of a program and keeps the time of each phase."""

from __future__ import annotations

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Stream
from hwsim.engine.way import Way, set_out

ONE = Stream(1, 0, 0)
"""What an instruction is in the queue of the controller: it has been there before it is issued."""


class Controller(SharedComponent):
    """Issues instructions, ``width`` at the same time; each operation starts ``latency`` ps after its issue.

    Instructions are pipelined: a slot is free for the next one after the interval of ``issue``.
    """

    def __init__(
        self, env: Env, costs: ComponentCosts, ledger: Ledger, *, width: int = 1, latency: int | None = None
    ) -> None:
        super().__init__(env, "controller", costs, ledger, capacity=width)
        self.latency = self.cost("issue").latency if latency is None else latency
        self._issue = self._leg(self.latency, self.cost("issue").interval, [("issue", 1)])
        self.way: Way = (self._issue,)
        """The way of one instruction."""

    def issue(self, origin: Origin) -> Part:
        """Issue one instruction."""
        return self.pass_through(origin, ONE, self._issue)

    def issue_now(self, origin: Origin) -> Stream | Part:
        """Issue one instruction, at once if nobody has to wait; otherwise return what the caller has to wait for."""
        return set_out(self.env, self._ledger.notes, origin, ONE, self.way)
