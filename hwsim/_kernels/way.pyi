from collections.abc import Generator, Iterable, Iterator
from typing import Any

import simpy

from hwsim._kernels.notes import Bill, Notes, Origin
from hwsim._kernels.station import Station
from hwsim._kernels.timebase import Timebase

class Stream:
    n: int
    first: int
    last: int
    def __init__(self, n: int, first: int, last: int) -> None: ...
    def __iter__(self) -> Iterator[int]: ...

def present(env: Timebase, n: int) -> Stream: ...
def wait_until(env: Timebase, time: int) -> Iterable[simpy.Event]: ...

class Leg:
    station: Station
    latency: int
    interval: int
    bill: Bill
    def __init__(self, station: Station, latency: int, interval: int, bill: Bill) -> None: ...

def set_out(
    env: Timebase, notes: Notes, origin: Origin, stream: Stream, way: tuple[Leg, ...]
) -> Stream | Generator[Any, Any, Stream]: ...
