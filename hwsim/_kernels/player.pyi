from hwsim._kernels.clock import Clock
from hwsim._kernels.notes import Bill, Notes, Origin
from hwsim._kernels.station import Station
from hwsim._kernels.under_way import Kind, UnderWay
from hwsim._kernels.way import Leg

class Player:
    def __init__(self, env: Clock, notes: Notes, under_way: UnderWay, issue: tuple[Leg, ...]) -> None: ...
    @property
    def arrived(self) -> int: ...
    def until(self, time: int) -> None: ...
    def reach(self, kind: Kind, step: int, sample: int, n: int, way: tuple[Leg, ...], tile: Station) -> Origin: ...
    def leave(
        self, kind: Kind, step: int, origin: Origin, n: int, first: int, last: int, way: tuple[Leg, ...]
    ) -> None: ...
    def end(self, kind: Kind, step: int) -> None: ...
    def journey(self, kind: Kind, step: int, sample: int, n: int, way: tuple[Leg, ...]) -> None: ...
    def trains(
        self,
        kind: Kind,
        step: int,
        sample: int,
        n: int,
        way: tuple[Leg, ...],
        tile: Station,
        total: int,
        last_train: int,
        slot: Bill,
        slots: int,
        write: int,
        pulses: int,
        energy: float,
    ) -> None: ...
    def line_read(
        self,
        kind: Kind,
        step: int,
        sample: int,
        tile: Station,
        read: int,
        delay: int,
        busy: int,
        passes: int,
        energy: float,
        turn: Bill,
        turns: int,
        latency: int,
        span: int,
        way: tuple[Leg, ...],
    ) -> None: ...
