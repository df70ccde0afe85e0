import numpy as np
import pytest
import simpy

from hwsim.engine.bill import Entry
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger
from hwsim.engine.station import Station, Stream
from hwsim.engine.way import Leg, travel

Job = tuple[int, int, list[int]]
"""Arrival, vectors, and the stations on the way."""


def jobs(rng: np.random.Generator, n: int) -> list[Job]:
    return [
        (int(rng.integers(0, 400)), int(rng.integers(1, 6)), rng.integers(0, 3, int(rng.integers(1, 6))).tolist())
        for _ in range(n)
    ]


LATENCY, INTERVAL, CAPACITY = (3, 0, 11), (2, 5, 1), (1, 2, 1)


def by_ways(work: list[Job]) -> tuple[list, list]:
    """Return when each stream leaves and what the stations counted, with ways."""
    env, ledger, ends = Env(), Ledger(), {}
    stations = [Station(env, capacity) for capacity in CAPACITY]
    bill = ledger.bill([Entry(ledger.action("c", "a"), 0, 1, 1, 1.0)])
    legs = [Leg(*parts, bill) for parts in zip(stations, LATENCY, INTERVAL, strict=True)]
    origin = ledger.origin("o", "p", "l", 0, 0)

    def user(number: int, arrives: int, n: int, way: list[int]):
        yield env.timeout(arrives)
        stream = Stream(n, env.now, env.now)
        ends[number] = yield from travel(env, ledger.notes, origin, stream, tuple(legs[each] for each in way))
        assert env.now == ends[number].first

    for number, job in enumerate(work):
        env.process(user(number, *job))
    env.run()
    assert ledger.energy == sum(n * len(way) for _, n, way in work)
    return [tuple(ends[number]) for number in sorted(ends)], [
        (each.arrivals, each.held, each.wait_time) for each in stations
    ]


def by_events(work: list[Job]) -> tuple[list, list]:
    """The same with resources of SimPy, and an event for every moment at which anything happens."""
    env, ends = simpy.Environment(), {}
    resources = [simpy.Resource(env, capacity) for capacity in CAPACITY]
    counts = [[0, 0, 0] for _ in CAPACITY]

    def release(resource: simpy.Resource, turn: simpy.Event, busy: int):
        yield env.timeout(busy)
        resource.release(turn)

    def user(number: int, arrives: int, n: int, way: list[int]):
        yield env.timeout(arrives)
        last = env.now
        for each in way:
            arrived, turn = env.now, resources[each].request()
            yield turn
            busy = n * INTERVAL[each]
            for index, value in enumerate((1, busy, env.now - arrived)):
                counts[each][index] += value
            env.process(release(resources[each], turn, busy))
            first = env.now + LATENCY[each]
            last = max(first + busy - INTERVAL[each], last + LATENCY[each])
            yield env.timeout(LATENCY[each])
        ends[number] = (n, env.now, last)

    for number, job in enumerate(work):
        env.process(user(number, *job))
    env.run()
    return [ends[number] for number in sorted(ends)], [tuple(each) for each in counts]


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_ways_agree_with_events_for_every_moment(n: int) -> None:
    rng = np.random.default_rng(n)
    for _ in range(20):
        # Who comes at the same time as another one may be served in another order, so times are spread.
        work = [(97 * index + arrives, vectors, way) for index, (arrives, vectors, way) in enumerate(jobs(rng, n))]
        assert by_ways(work) == by_events(work)


def test_a_stream_that_is_alone_needs_no_event() -> None:
    env, ledger = Env(), Ledger()
    station = Station(env)
    leg = Leg(station, 4, 10, ledger.bill([]))
    origin = ledger.origin("o", "p", "l", 0, 0)
    # The second leg waits for the first one to release the station at 30.
    with pytest.raises(StopIteration) as end:
        next(travel(env, ledger.notes, origin, Stream(3, 0, 0), (leg, leg)))
    assert end.value.value == Stream(3, 34, 54)
    assert (env.now, station.wait_time, station.longest_queue, station.held) == (34, 26, 1, 60)
