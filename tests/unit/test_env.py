import numpy as np
import simpy

from hwsim.engine.env import Env


def trace(sleep_by_event: bool) -> list[tuple[int, str, int]]:
    """Run three processes that sleep random times, start one another and wait for each other; return what happened."""
    env = Env()
    rng = np.random.default_rng(7)
    seen: list[tuple[int, str, int]] = []

    def sleep(delay: int):
        if sleep_by_event:
            yield env.timeout(delay)
        else:
            yield from env.sleep(delay)

    def child(name: str, delays: list[int]):
        for index, delay in enumerate(delays):
            yield from sleep(delay)
            seen.append((env.now, name, index))

    def parent():
        for round_ in range(40):
            yield from sleep(int(rng.integers(1, 50)))
            seen.append((env.now, "parent", round_))
            if round_ % 3 == 0:
                parts = [
                    env.process(child(f"{round_}.{n}", rng.integers(1, 9, 5).tolist()))
                    for n in range(int(rng.integers(1, 4)))
                ]
                yield simpy.AllOf(env, parts)
                seen.append((env.now, "joined", round_))

    env.run(env.process(parent()))
    return seen


def test_moving_the_clock_without_an_event_changes_nothing() -> None:
    assert trace(sleep_by_event=True) == trace(sleep_by_event=False)


def test_an_idle_process_moves_the_clock_alone() -> None:
    env = Env()

    def process():
        yield from env.sleep(5)
        yield env.timeout(2)
        yield from env.sleep(0)
        return env.now

    assert env.run(env.process(process())) == 7
