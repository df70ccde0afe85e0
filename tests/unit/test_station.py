import simpy

from hwsim.engine.station import Station


def test_an_idle_station_costs_no_time_and_a_busy_one_serves_in_order() -> None:
    env = simpy.Environment()
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
    env = simpy.Environment()
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
    env = simpy.Environment()
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
