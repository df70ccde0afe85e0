"""Ways: the shared components that a stream passes one after the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from hwsim.engine.bill import Bill
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part
from hwsim.engine.station import Station, Stream


class Leg(NamedTuple):
    """What one vector asks of one shared component.

    The vector leaves ``latency`` ps after it has been taken, the component is free for the next one after ``interval``
    ps, and ``bill`` is what it costs.
    """

    station: Station
    latency: int
    interval: int
    bill: Bill


Way = tuple[Leg, ...]


def travel(env: Env, ledger: Ledger, origin: Origin, stream: Stream, way: Iterable[Leg]) -> Part:
    """Send a stream on its way; returns it as it leaves the last component, when its first vector does.

    Operations queue for each component, first come, first served. A stream that arrives slowly does not keep a
    component while it has nothing to do: the next one is served after as much time as the work takes, so that the work
    of all streams adds up but none waits for a gap.
    """
    n, first, last = stream
    for station, latency, interval, bill in way:
        busy = n * interval
        start = station.take(busy)
        if start is None:
            yield from station.acquire()
            start = env.now
            station.release_at(start + busy)
        ledger.post(origin, bill, start, n)
        first = start + latency
        last = max(first + busy - interval, last + latency)
        if not env.move_on(first) and latency:
            yield env.timeout(latency)
    return Stream(n, first, last)
