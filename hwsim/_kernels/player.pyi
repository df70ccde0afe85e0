import numpy as np
from numpy.typing import NDArray

from hwsim._kernels.notes import Bill, Notes, Origin
from hwsim._kernels.station import Station
from hwsim._kernels.timebase import Timebase
from hwsim._kernels.under_way import Kind, UnderWay
from hwsim._kernels.way import Leg

Work = tuple[Kind, int, tuple[Leg, ...]]
Integers = NDArray[np.int64]
Numbers = NDArray[np.float64]

class Trains:
    def __init__(
        self,
        kind: Kind,
        tile: Station,
        slot: Bill,
        write: int,
        ways: list[tuple[Leg, ...]],
        vectors: Integers,
        total: Integers,
        last: Integers,
        slots: Integers,
        pulses: Integers,
        energy: Numbers,
    ) -> None: ...

class LineReads:
    def __init__(
        self,
        kind: Kind,
        tile: Station,
        read: int,
        delay: int,
        way: tuple[Leg, ...],
        turn: list[Bill],
        turns: Integers,
        busy: Integers,
        passes: Integers,
        latency: Integers,
        span: Integers,
        energy: Numbers,
    ) -> None: ...

class Player:
    def __init__(self, env: Timebase, notes: Notes, under_way: UnderWay, issue: tuple[Leg, ...]) -> None: ...
    @property
    def arrived(self) -> int: ...
    def until(self, time: int) -> None: ...
    def reach(self, kind: Kind, step: int, sample: int, n: int, way: tuple[Leg, ...], tile: Station) -> Origin: ...
    def leave(
        self, kind: Kind, step: int, origin: Origin, n: int, first: int, last: int, way: tuple[Leg, ...]
    ) -> None: ...
    def end(self, kind: Kind, step: int) -> None: ...
    def journey(self, kind: Kind, step: int, sample: int, n: int, way: tuple[Leg, ...]) -> None: ...
    def sweep(
        self,
        step: int,
        sample: int,
        updates: Trains,
        before: list[list[Work]],
        reads: LineReads,
        after: list[Work],
        writes: Trains,
        written: NDArray[np.uint8],
    ) -> None: ...
