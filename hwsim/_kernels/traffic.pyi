from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

Integers = NDArray[np.int64]

class Stream:
    n: int
    first: int
    last: int
    def __init__(self, n: int, first: int, last: int) -> None: ...
    def __iter__(self) -> Iterator[int]: ...

def present(env: simpy.Environment, n: int) -> Stream: ...
def wait_until(env: simpy.Environment, time: int) -> Iterable[simpy.Event]: ...

class Bill:
    number: int
    energy: float
    def __init__(self, number: int, energy: float) -> None: ...

class Origin:
    key: int
    step: int
    sample: int
    def __init__(self, key: int, step: int, sample: int) -> None: ...

class Notes:
    energy: float
    def __len__(self) -> int: ...
    def post(self, origin: Origin, bill: Bill, start: int, times: int = 1) -> None: ...
    def book(self, origin: Origin, action: int, start: int, duration: int, count: int, energy: float) -> None: ...
    def columns(self) -> tuple[list[Integers], Integers, NDArray[np.float64]]: ...
    def restore(
        self, notes: Iterable[Iterable[int]], counts: Iterable[int], energies: Iterable[float], energy: float
    ) -> None: ...
    def clear(self) -> None: ...

class Station:
    capacity: int
    arrivals: int
    held: int
    wait_time: int
    longest_queue: int
    def __init__(
        self, env: simpy.Environment, capacity: int = 1, note: Callable[[int, int], None] | None = None
    ) -> None: ...
    @property
    def held_since(self) -> int | None: ...
    @property
    def queue_length(self) -> int: ...
    def acquire(self) -> Iterable[simpy.Event]: ...
    def release(self) -> None: ...
    def release_at(self, time: int) -> None: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None: ...

class Leg:
    station: Station
    latency: int
    interval: int
    bill: Bill
    def __init__(self, station: Station, latency: int, interval: int, bill: Bill) -> None: ...

def set_out(
    env: simpy.Environment, notes: Notes, origin: Origin, stream: Stream, way: tuple[Leg, ...]
) -> Stream | Generator[Any, Any, Stream]: ...

class GaugeRows:
    def __init__(self, most: int, flush: Callable[[], None]) -> None: ...
    def __len__(self) -> int: ...
    def rows(self) -> Integers: ...
    def replace(self, rows: Integers) -> None: ...

class Gauge:
    def __init__(self, rows: GaugeRows, number: int) -> None: ...
    def __call__(self, time: int, level: int, step: int = -1) -> None: ...

class Level:
    def __init__(self, gauge: Gauge | None) -> None: ...

class Kind:
    def __init__(self, share: tuple[str, str], origin: int, level: Level) -> None: ...

class UnderWay:
    until: int
    def __init__(self, env: simpy.Environment, time_by: dict[tuple[str, str], float]) -> None: ...
    def __len__(self) -> int: ...
    def begin(self, kind: Kind, step: int, sample: int) -> Origin: ...
    def end(self, kind: Kind, step: int) -> None: ...

class Player:
    def __init__(self, env: simpy.Environment, notes: Notes, under_way: UnderWay, issue: tuple[Leg, ...]) -> None: ...
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
