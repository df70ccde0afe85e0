"""When shared parts are ready, and what happens to a layer when one of them is halved (ps at 1 GHz)."""

import numpy as np
import pytest

from hwsim.chip.digital_state import DigitalState
from hwsim.chip.operations import Backward, Digital, Forward, Move
from hwsim.chip.program import Join, Start
from hwsim.engine.room import Room

ISSUE, BUFFER, BUS = 1000, 2000, 1000
DAC, INTEGRATION, SAMPLE, ADC, ADD = 1000, 40_000, 1000, 10_000, 1000
BYTES = {"model": "bus-wire", "parameters": {"length": "10 um", "node": "130 nm"}}
LINK = {"model": "link-hypertransport"}
HIDDEN = {"model": "sram-64KiB-256b", "banks": 16}


def run(chip, *operations):
    def program():
        results = []
        for operation in operations:
            results.append((yield operation))
        return results

    begun = chip.env.now
    chip.run(program())
    return chip.env.now - begun


def origin_of(chip):
    return chip.origin(Move(1, 1))


def side_by_side(chip, *parts):
    """Return when each part is done, ps; all begin now."""
    done = []

    def watch(part):
        yield from part
        done.append(chip.env.now)

    for part in parts:
        chip.env.process(watch(part))
    chip.env.run()
    return done


# Controller


@pytest.mark.parametrize(("width", "done"), [(1, [1, 2, 3, 4, 5]), (2, [1, 1, 2, 2, 3]), (8, [1] * 5)])
def test_a_controller_issues_its_width_in_a_cycle(make_chip, width, done) -> None:
    chip = make_chip({"controller.issue_width": width})
    parts = [chip.controller.issue(origin_of(chip)) for _ in range(5)]
    assert side_by_side(chip, *parts) == [1000 * cycle for cycle in done]


def test_instructions_are_pipelined(make_chip, assert_ready_at) -> None:
    """A latency of 4.5 ns is 5 cycles; the next instruction is issued a cycle after this one."""
    chip = make_chip({"controller.instruction_latency": "4.5 ns"})
    assert_ready_at(chip, chip.controller.issue(origin_of(chip)), 5000)
    parts = [chip.controller.issue(origin_of(chip)) for _ in range(3)]
    begun = chip.env.now
    assert [time - begun for time in side_by_side(chip, *parts)] == [5000, 6000, 7000]


@pytest.mark.parametrize(("width", "extra"), [(1, 3), (2, 1), (4, 0)])
def test_programs_side_by_side_share_the_issue_slots(make_chip, weights, width, extra) -> None:
    """Four forward reads on four tiles are issued at once; each needs the bus for one cycle each way."""
    chip = make_chip({"controller.issue_width": width, "buffer.ports": 8})
    layers = [chip.place_analog(f"fc{i}", weights, arrays=1, gains=(1.0,)) for i in range(4)]

    def one(matrix):
        yield Forward(matrix, np.ones((1, 8), np.float32))

    def program():
        tasks = []
        for matrix in layers:
            tasks.append((yield Start(matrix.name, one(matrix))))
        for task in tasks:
            yield Join(task)

    chip.run(program())
    tile = DAC + INTEGRATION + SAMPLE + 4 * ADC + ADD
    # The bus takes one vector a cycle, so whatever the controller adds is hidden behind the turns on the bus.
    assert chip.env.now == ISSUE + BUFFER + 4 * BUS + tile + BUS + BUFFER
    waits = chip.controller.station.wait_time
    assert waits == sum(1000 * (index // width) for index in range(4))
    assert max(index // width for index in range(4)) == extra


# Memories


@pytest.mark.parametrize("action", ["read", "write"])
@pytest.mark.parametrize(("n_bytes", "words"), [(1, 1), (32, 1), (33, 2), (100, 4)])
def test_an_access_takes_a_word_after_the_other(make_chip, assert_ready_at, action, n_bytes, words) -> None:
    chip = make_chip()
    stream = assert_ready_at(chip, chip.buffer.access(origin_of(chip), action, chip.stream(3), n_bytes), words * BUFFER)
    assert stream.last == stream.first + 2 * words * BUFFER


@pytest.mark.parametrize(("ports", "done"), [(1, [2, 4, 6]), (2, [2, 2, 4]), (3, [2, 2, 2])])
def test_ports_serve_accesses_at_the_same_time(make_chip, ports, done) -> None:
    chip = make_chip({"buffer.ports": ports})
    parts = [chip.buffer.access(origin_of(chip), "read", chip.stream(1), 32) for _ in range(3)]
    assert side_by_side(chip, *parts) == [1000 * time for time in done]


def test_room_is_there_when_enough_is_given_back(make_chip, assert_ready_at) -> None:
    chip = make_chip()
    room = Room(chip.env, 100)

    def full():
        yield from room.claim(70)
        yield chip.env.timeout(5000)
        room.give_back(30)
        yield chip.env.timeout(5000)
        room.give_back(10)

    chip.env.process(full())
    assert_ready_at(chip, room.claim(70), 10_000)
    assert (room.used, room.peak, room.waits, room.wait_time) == (100, 100, 1, 10_000)


@pytest.mark.parametrize("own", [False, True])
def test_digital_state_has_a_memory_of_its_own_if_the_chip_has_one(make_chip, own) -> None:
    """8 numbers of 32 bit are one word: read and written beside a buffer that is busy with something else."""
    chip = make_chip({"hidden_buffer": HIDDEN} if own else {})
    state = DigitalState(chip, "fc")
    state.numbers("H", (8, 8))
    assert (chip.state_memory.name, chip.state_memory.room.used) == ("hidden_buffer" if own else "buffer", 256)
    work = state.work("h", lambda: None, phase="transfer", read={"H": 8}, written={"H": 8}, operations={"add": 4})
    busy = chip.buffer.access(origin_of(chip), "read", chip.stream(10), 32)
    times = side_by_side(chip, busy, work.time(chip, origin_of(chip)))
    own_time = BUFFER + 1000 + BUFFER
    assert max(times) == (own_time if own else 10 * BUFFER + own_time)
    chip.finish()
    counts = {(t.component, t.action): t.count for t in chip.ledger.totals()}
    assert counts["hidden_buffer" if own else "buffer", "write"] == 1
    assert counts["buffer", "read"] == (10 if own else 11)


# Digital unit and link


@pytest.mark.parametrize(("operations", "cycles"), [({"add": 1}, 1), ({"add": 9}, 3), ({"add": 4, "mul": 5}, 3)])
def test_the_digital_unit_does_one_kind_on_all_lanes(make_chip, assert_ready_at, operations, cycles) -> None:
    chip = make_chip()
    part = chip.digital.compute(origin_of(chip), chip.stream(5), operations)
    stream = assert_ready_at(chip, part, cycles * 1000)
    assert stream.last == stream.first + 4 * cycles * 1000


@pytest.mark.parametrize("n", [1, 4])
def test_samples_come_in_over_the_off_chip_link(make_chip, n) -> None:
    """16 words of 16 bit are two words of the link (0.625 ns, rounded up), one of the bus and one of the buffer."""
    chip = make_chip({"off_chip_link": LINK})
    assert run(chip, Move(n, 16)) == ISSUE + 2 * 1000 + BUS + BUFFER + (n - 1) * 2000
    chip.finish()
    (link,) = [t for t in chip.ledger.totals() if (t.component, t.action) == ("off_chip_link", "transfer")]
    assert link.count == 2 * n
    assert link.energy_J == pytest.approx(2 * n * 26e-12, rel=1e-9, abs=0)


# Bottlenecks: what halving a part does to n vectors


def pace(make_chip, weights, changes, operation=Forward):
    """Return what ten further vectors take, each, and the part that works most."""
    chip = make_chip(changes)
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    times = [run(chip, operation(matrix, np.ones((n, 8), np.float32))) for n in (10, 20)]
    busiest = max(chip.components, key=lambda part: part.busy)
    return (times[1] - times[0]) // 10, busiest.name


@pytest.mark.parametrize("operation", [Forward, Backward])
def test_halving_the_converters(make_chip, weights, operation) -> None:
    """Double-buffered: a vector takes the rounds of its lines on the converters."""
    for shared in (8, 4):
        changes = {"tile.adc.lines_per_adc": shared, "tile.sample_hold.double_buffered": True,
                   "tile.crossbar.integration_time": "20 ns"}  # fmt: skip
        assert pace(make_chip, weights, changes, operation) == (shared * ADC, "tile0.adc")


def test_halving_the_integration_time_moves_the_bottleneck_to_the_converters(make_chip, weights) -> None:
    paces = []
    for time in (80, 40, 20):
        changes = {"tile.sample_hold.double_buffered": True, "tile.crossbar.integration_time": f"{time} ns"}
        paces.append(pace(make_chip, weights, changes))
    assert [pace for pace, _ in paces] == [DAC + 80_000, DAC + 40_000, 4 * ADC]
    assert [name for _, name in paces] == ["tile0.col_dac", "tile0.col_dac", "tile0.adc"]


FAST = {"tile.adc.kind": "flash", "tile.adc.lines_per_adc": 1, "tile.crossbar.integration_time": "1 ns",
        **{f"tile.{read}.out_res": 1 / 510 for read in ("forward", "backward", "transfer")}}  # fmt: skip


def test_halving_the_lanes(make_chip, weights) -> None:
    """8 comparisons, a division, 8 products before and 8 after each vector; the reads of both wait for one unit."""
    for lanes in (4, 2, 1):
        changes = FAST | {"tile.forward.noise_management": "abs_max", "digital.lanes": lanes}
        assert pace(make_chip, weights, changes) == ((3 * 8 // lanes + 1) * 1000, "digital")


def test_halving_the_width_of_the_bus(make_chip, weights) -> None:
    """16 bytes in and 16 bytes out of each vector over one bus."""
    for width in (16, 8):
        changes = FAST | {"bus": BYTES | {"parameters": BYTES["parameters"] | {"width": width}}}
        chip = make_chip(changes)
        cost = chip.interconnect.channel.cost("transfer")
        assert pace(make_chip, weights, changes) == (2 * (16 * 8 // width) * cost.interval, "bus")


def test_halving_the_ports_of_the_buffer(make_chip) -> None:
    """Two loads of 32 bytes a vector into the buffer side by side, over a bus that takes a cycle for each."""
    times = []
    for ports in (2, 1):
        chip = make_chip({"buffer.ports": ports})
        loads = [Move(10, 16).time(chip, origin_of(chip)) for _ in range(2)]
        times.append(max(side_by_side(chip, *loads)))
    # With two ports the second load waits for the bus, with one also for the port.
    assert times == [10 * BUS + BUS + 10 * BUFFER, BUS + 20 * BUFFER]


def test_a_slow_stream_takes_the_bus_for_its_words_alone(make_chip, weights) -> None:
    """The inputs come at the pace of the buffer; the results wait for the inputs' words, not for their last arrival."""
    assert pace(make_chip, weights, FAST | {"buffer.ports": 2})[0] == BUS + BUFFER


def test_halving_the_link(make_chip) -> None:
    """Eight times 64 bytes: 4 words of 128 bit on one link, 2 on one of twice the width, 2 of the buffer behind it."""
    times = []
    for model in ({"model": "link-hypertransport"}, {"model": "dram-hbm2", "parameters": {"width": 256}}):
        chip = make_chip({"off_chip_link": model})
        before = run(chip, Move(8, 32))
        times.append(run(chip, Move(16, 32)) - before)
    assert times == [8 * 4 * 1000, 8 * 2 * BUFFER]


def test_a_layer_that_nothing_holds_up_is_as_fast_as_its_slowest_part(make_chip, weights) -> None:
    """Latency and throughput of a layer together: n vectors take the unloaded latency and n - 1 times the pace."""
    for n in (1, 2, 50):
        chip = make_chip()
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        tile = DAC + INTEGRATION + SAMPLE + 4 * ADC + ADD
        elapsed = run(chip, Forward(matrix, np.ones((n, 8), np.float32)))
        assert elapsed == ISSUE + BUFFER + BUS + tile + BUS + BUFFER + (n - 1) * (SAMPLE + 4 * ADC)
    x = np.ones((3, 8), np.float32)
    _, work = chip.tiles[0].read(x, matrix.forward_io, transposed=False, input_scale=None, purpose="forward")
    timing = chip.tiles[0].read_timing(work)
    assert (timing.latency, timing.last, timing.interval) == (tile, tile + 2 * 41_000, 41_000)
    assert timing.stages == {
        "dac": 41_000, "integrator": 41_000, "sample_hold": 41_000, "adc": 40_000, "accumulator": 4000,
    }  # fmt: skip
    assert timing.bottleneck == "dac"


def test_digital_work_reads_computes_and_writes(make_chip, assert_ready_at) -> None:
    chip = make_chip()
    work = Digital("w", "", 2, {"add": 8}, lambda: 7, words_in=16, words_out=16)
    assert assert_ready_at(chip, work.time(chip, origin_of(chip)), BUFFER + 2000 + BUFFER + 2000) == 7
