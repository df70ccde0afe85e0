"""Memories on the chip: banks of SRAM behind a number of ports."""

from __future__ import annotations

from collections import deque
from typing import Literal

from hwsim.components.base import SharedComponent
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part
from hwsim.engine.room import Room
from hwsim.engine.station import Stream
from hwsim.engine.way import Leg
from hwsim.errors import MappingError

Access = Literal["read", "write"]


class Buffer(SharedComponent):
    """SRAM of ``banks`` banks; each access moves one word of the component's ``width``."""

    def __init__(
        self, env: Env, costs: ComponentCosts, ledger: Ledger, *, banks: int, ports: int, name: str = "buffer"
    ) -> None:
        super().__init__(env, name, costs, ledger, instances=banks, capacity=ports)
        self.word_bytes = int(costs.property("width")) // 8
        self.capacity_bytes = int(costs.property("capacity")) * banks
        self.room = Room(env, self.capacity_bytes, name)
        self.allocated_bytes = 0

    def allocate(self, n_bytes: int, what: str) -> None:
        """Keep ``n_bytes`` for data that stay for the whole run.

        Raises:
            MappingError: the buffer is too small.
        """
        self.check_room(n_bytes, what)
        deque(self.room.claim(n_bytes), maxlen=0)
        self.allocated_bytes += n_bytes

    def check_room(self, n_bytes: int, what: str) -> None:
        """Check that ``n_bytes`` fit beside what is there.

        Raises:
            MappingError: they do not.
        """
        if n_bytes > self.room.free:
            raise MappingError(
                f"{what} needs {n_bytes} bytes of the {self.name.replace('_', ' ')}, but only {self.room.free} of "
                f"{self.capacity_bytes} are free; give the chip more banks (--set chip.{self.name}.banks=N)",
                at=self.name,
            )

    def leg(self, action: Access, n_bytes: int) -> Leg:
        """Return what reading or writing ``n_bytes`` asks."""
        leg = self._legs.get((action, n_bytes))
        if leg is None:
            words = -(-n_bytes // self.word_bytes)
            cost = self.cost(action)
            latency = cost.latency + (words - 1) * cost.interval
            leg = self._legs[action, n_bytes] = self._leg(latency, words * cost.interval, [(action, words)])
        return leg

    def access(self, origin: Origin, action: Access, stream: Stream, n_bytes: int) -> Part:
        """Read or write ``n_bytes`` for each vector of a stream."""
        return self.pass_through(origin, stream, self.leg(action, n_bytes))
