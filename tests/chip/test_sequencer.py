"""Programs whose parts run side by side: order, waiting, results, and a report when nobody can go on."""

import numpy as np
import pytest

from hwsim.chip.operations import Digital, Forward
from hwsim.chip.program import Await, Claim, CountDown, Free, Join, Latch, Mark, Start
from hwsim.errors import RunError

SIDE_BY_SIDE = [True, False]


def work(name, n=1, layer="fc"):
    return Digital(name, layer, n, {"add": 4}, lambda: name)


def one(operation):
    return (yield operation)


@pytest.mark.parametrize("timing", SIDE_BY_SIDE)
def test_a_started_program_gives_its_result_when_joined(make_chip, timing) -> None:
    chip = make_chip(timing=timing)

    def program():
        task = yield Start("the other", one(work("a", 5)))
        own = yield work("b")
        return own, (yield Join(task))

    assert chip.run(program()) == ("b", "a")


@pytest.mark.parametrize("timing", SIDE_BY_SIDE)
def test_a_latch_opens_at_the_last_count(make_chip, timing) -> None:
    chip = make_chip(timing=timing)
    order = []

    def counting(latch, name, n):
        order.append((yield work(name, n)))
        yield CountDown(latch)

    def program():
        latch = Latch("both parts", 2)
        yield Start("a", counting(latch, "a", 1))
        yield Start("b", counting(latch, "b", 9))
        yield Await(latch)
        order.append((yield work("c")))

    chip.run(program())
    assert order == ["a", "b", "c"]


def test_side_by_side_takes_the_time_of_the_longer_part(make_chip, weights) -> None:
    """Two tiles read at the same time; only what they share is waited for."""
    times = {}
    for side_by_side in (False, True):
        chip = make_chip()
        matrices = [chip.place_analog(name, weights, arrays=1, gains=(1.0,)) for name in ("a", "b")]
        chip.finish_placement()
        x = np.ones((1, 8), np.float32)

        def program(matrices=matrices, x=x, side_by_side=side_by_side):
            if not side_by_side:
                for matrix in matrices:
                    yield Forward(matrix, x)
                return
            tasks = []
            for matrix in matrices:
                tasks.append((yield Start(matrix.name, one(Forward(matrix, x)))))
            for task in tasks:
                yield Join(task)

        chip.run(program())
        times[side_by_side] = chip.env.now
    chip = make_chip()
    chip.place_analog("a", weights, arrays=1, gains=(1.0,))
    lone = times[False] // 2
    # The second read waits for the controller's issue and for one access of buffer and bus in front of it.
    assert lone < times[True] < lone + 20_000
    assert times[True] < 0.7 * times[False]


def test_groups_follow_each_other_at_the_rate_of_the_tile(make_chip, weights) -> None:
    """Loaded throughput: n vectors as n operations take the time of one plus (n - 1) times the bottleneck, the tile."""
    ends = {}
    for n in (1, 4, 9):
        chip = make_chip()
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        chip.finish_placement()
        x = np.ones((1, 8), np.float32)

        def program(matrix=matrix, x=x, n=n):
            tasks = []
            for index in range(n):
                tasks.append((yield Start(f"vector {index}", one(Forward(matrix, x)))))
            for task in tasks:
                yield Join(task)

        chip.run(program())
        ends[n] = chip.env.now
    busy = chip.tiles[0].station.held / 9
    shared = max(part.busy for part in chip.shared_components) / 9
    assert busy > shared
    assert ends[4] == ends[1] + 3 * busy
    assert ends[9] == ends[1] + 8 * busy


def test_shared_time_adds_up(make_chip) -> None:
    chip = make_chip()

    def program():
        yield work("alone", 3, layer="a")
        task = yield Start("other", one(work("beside", 50, layer="b")))
        yield work("own", 20, layer="a")
        yield Join(task)

    chip.run(program())
    assert sum(chip.time_by.values()) == pytest.approx(chip.env.now, rel=1e-12)
    assert set(chip.time_by) == {("digital", "a"), ("digital", "b")}


def test_steps_and_samples_are_those_of_the_program(make_chip) -> None:
    rows = []
    chip = make_chip(events=rows.append)

    def other():
        yield Mark(7, 70)
        yield work("a", 3)

    def program():
        yield Mark(3, 30)
        task = yield Start("other", other())
        inherits = yield Start("inherits", one(work("b")))
        yield work("c")
        yield Join(task)
        yield Join(inherits)

    chip.run(program())
    chip.finish()
    table = rows[0].columns
    issues = [index for index, name in enumerate(table["action"]) if rows[0].names[name] == "issue"]
    assert sorted(zip(table["step"][issues].tolist(), table["sample"][issues].tolist(), strict=True)) == [
        (3, 30), (3, 30), (7, 70),
    ]  # fmt: skip


def test_a_standstill_names_who_waits_for_what(make_chip) -> None:
    chip = make_chip()
    latch = Latch("the errors of layer 'fc2'", 1)

    def update():
        yield Mark(4, 0)
        yield Await(latch)

    def program():
        task = yield Start("the update of layer 'fc1'", update())
        yield Join(task)

    with pytest.raises(RunError) as caught:
        chip.run(program())
    text = str(caught.value)
    assert "standstill" in text
    assert "the update of layer 'fc1' (step 4): waiting for the errors of layer 'fc2'" in text
    assert "the program: waiting for the end of the update of layer 'fc1'" in text


def test_claims_wait_in_line_for_room(make_chip) -> None:
    chip = make_chip()
    room = chip.buffer.room
    whole = room.free
    seen = []

    def wanting(name, n_bytes, pause):
        yield Claim(n_bytes, name)
        seen.append((name, chip.env.now))
        yield work(name, pause)
        yield Free(n_bytes)

    def program():
        tasks = []
        for name, n_bytes, pause in (("first", whole - 10, 100), ("large", whole - 10, 1), ("small", 5, 1)):
            tasks.append((yield Start(name, wanting(name, n_bytes, pause))))
        for task in tasks:
            yield Join(task)

    chip.run(program())
    assert [name for name, _ in seen] == ["first", "large", "small"]
    # The small claim would fit at once, but does not overtake the large one.
    assert seen[0][1] == 0
    assert seen[1][1] == seen[2][1] > 0
    assert room.free == whole
    assert room.waits == 2
    assert room.peak <= room.capacity


def test_a_claim_that_nobody_will_serve_is_reported(make_chip) -> None:
    chip = make_chip()

    def program():
        yield Claim(chip.buffer.room.free + 1, "too much")

    with pytest.raises(RunError, match=r"claiming \d+ bytes of the buffer for too much"):
        chip.run(program())


def test_without_time_a_wait_for_what_comes_later_is_refused(make_chip) -> None:
    chip = make_chip(timing=False)
    latch = Latch("what comes later", 1)

    def program():
        yield Await(latch)

    with pytest.raises(RunError, match=r"what comes later.*leave timing on"):
        chip.run(program())
