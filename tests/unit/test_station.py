import numpy as np
import simpy

from hwsim.engine.env import Env
from hwsim.engine.station import Station


def test_an_idle_station_costs_no_time_and_a_busy_one_serves_in_order() -> None:
    env = Env()
    station = Station(env)
    served = []

    def user(name: str, arrives: int, needs: int):
        yield env.timeout(arrives)
        yield from station.acquire()
        served.append((name, env.now))
        yield env.timeout(needs)
        station.release()

    for name, arrives in (("a", 0), ("b", 1), ("c", 2)):
        env.process(user(name, arrives, 10))
    env.run()
    assert served == [("a", 0), ("b", 10), ("c", 20)]
    assert station.wait_time == 9 + 18
    assert station.longest_queue == 2
    assert station.arrivals == 3


def test_capacity_serves_side_by_side_and_release_at_waits() -> None:
    env = Env()
    station = Station(env, capacity=2)
    starts = []

    def user():
        yield from station.acquire()
        starts.append(env.now)
        station.release_at(env.now + 5)

    for _ in range(5):
        env.process(user())
    env.run()
    assert starts == [0, 0, 5, 5, 10]


def test_who_waits_is_not_overtaken_by_who_comes_at_the_moment_of_release() -> None:
    env = Env()
    station = Station(env)
    order = []

    def user(name: str, arrives: int):
        yield env.timeout(arrives)
        yield from station.acquire()
        order.append(name)
        yield env.timeout(10)
        station.release()

    for name, arrives in (("first", 0), ("waits", 1), ("late", 10)):
        env.process(user(name, arrives))
    env.run()
    assert order == ["first", "waits", "late"]


def test_a_station_agrees_with_a_simpy_resource_under_random_load() -> None:
    rng = np.random.default_rng(3)
    for capacity in (1, 2, 3):
        jobs = [
            (int(arrives), int(needs))
            for arrives, needs in zip(rng.integers(0, 300, 80), rng.integers(0, 30, 80), strict=True)
        ]
        assert served_by_station(jobs, capacity) == served_by_resource(jobs, capacity)


def served_by_station(jobs: list[tuple[int, int]], capacity: int) -> list[tuple[int, int]]:
    env = Env()
    station = Station(env, capacity)
    starts = []

    def user(index: int, arrives: int, needs: int):
        yield env.timeout(arrives)
        yield from station.acquire()
        starts.append((index, env.now))
        station.release_at(env.now + needs)

    for index, job in enumerate(jobs):
        env.process(user(index, *job))
    env.run()
    return sorted(starts)


def served_by_resource(jobs: list[tuple[int, int]], capacity: int) -> list[tuple[int, int]]:
    env = simpy.Environment()
    resource = simpy.Resource(env, capacity)
    starts = []

    def user(index: int, arrives: int, needs: int):
        yield env.timeout(arrives)
        with resource.request() as turn:
            yield turn
            starts.append((index, env.now))
            yield env.timeout(needs)

    for index, job in enumerate(jobs):
        env.process(user(index, *job))
    env.run()
    return sorted(starts)
