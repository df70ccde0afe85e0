from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
import simpy
from numpy.typing import NDArray

Integers = NDArray[np.int64]
AnyStream = TypeVar("AnyStream", bound=tuple[int, int, int])

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

def travel(
    env: simpy.Environment, notes: Notes, origin: Origin, stream: AnyStream, way: tuple[Leg, ...]
) -> Generator[Any, Any, AnyStream]: ...
