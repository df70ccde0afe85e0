"""Kinds of converters, references and pulse generators: time, counts and energy against closed forms (ps at 1 GHz)."""

import numpy as np
import pytest

from hwsim.chip.operations import Forward, TransferRead, Update
from hwsim.components.coding import line_drive
from hwsim.components.crossbar import Conductance
from hwsim.cost import CostTables
from hwsim.devices import UpdateParameters, load_device
from hwsim.errors import SpecError

ISSUE, BUFFER, BUS = 1000, 2000, 1000
DAC, INTEGRATION, SAMPLE, ADC, ADD = 1000, 40_000, 1000, 10_000, 1000
AROUND = ISSUE + BUFFER + BUS + BUS + BUFFER
PWM = {"model": "dac-pulse-width", "parameters": {"bits": 4}}
SPLIT = {"model": "dac-split-pulse-width", "parameters": {"bits": 4}}
SERIAL = {"model": "dac-driver-isaac", "parameters": {"bits": 4}}
EXACT = {"inp_res": 0.0, "out_noise": 0.0, "noise_management": "none", "bound_management": "none"}


def run(chip, *operations):
    def program():
        results = []
        for operation in operations:
            results.append((yield operation))
        return results

    return chip.run(program())


def forward(make_chip, weights, changes, n=1, device=None):
    """Return a chip that has done a forward read of ``n`` vectors, and its ledger totals."""
    chip = make_chip(changes, device=device)
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    x = np.random.default_rng(3).integers(-7, 8, (n, 8)).astype(np.float32) / 7
    (y,) = run(chip, Forward(matrix, x))
    np.testing.assert_allclose(y, x @ weights.T, rtol=1e-4, atol=0.05)
    elapsed = chip.env.now
    chip.finish()
    return x, elapsed, {(total.component, total.action): total for total in chip.ledger.totals()}, chip


def both(dac, **more):
    return {"tile.row_dac": dac, "tile.col_dac": dac, "tile.crossbar.integration_time": None} | more


# Converters of inputs


@pytest.mark.parametrize("n", [1, 5])
def test_a_pulse_width_drives_and_integrates_for_its_slots(make_chip, weights, n) -> None:
    """2^(b-1) - 1 slots and one conversion; the array is heated for |x| of that time."""
    x, elapsed, totals, chip = forward(make_chip, weights, both(PWM), n)
    window = 7 * 1000
    conversion = 4 * ADC
    assert elapsed == AROUND + DAC + window + SAMPLE + conversion + ADD + (n - 1) * (SAMPLE + conversion)
    assert totals["tile0.adc", "convert"].count == totals["tile0.integrator", "integrate"].count == 8 * n
    cell = chip.device.cell
    map_ = Conductance.of(cell, chip.device.parameters.w_min, chip.device.parameters.w_max)
    on_line = 2 * 8 * map_.offset + map_.scale * weights.sum(0)
    heat = window * 1e-12 * np.abs(x).sum(0) @ on_line
    charging = 2 * 8 * 1.55e-16 * np.count_nonzero(x)
    expected = cell.read_voltage**2 * (heat + charging)
    assert totals["tile0.crossbar", "read"].energy_J == pytest.approx(expected, rel=1e-5, abs=0)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize(("sign", "slices"), [("polarity", 3), ("slice", 4)])
def test_bit_serial_inputs_are_read_and_converted_slice_by_slice(make_chip, weights, n, sign, slices) -> None:
    changes = {"tile.row_dac": SERIAL, "tile.col_dac": SERIAL | {"sign": sign},
               "tile.shift_add": {"model": "accumulator-16b-puma"}}  # fmt: skip
    _, elapsed, totals, _ = forward(make_chip, weights, changes, n)
    conversion = 4 * ADC
    pace = SAMPLE + conversion
    tile = DAC + INTEGRATION + SAMPLE + conversion + ADD + ADD
    assert elapsed == AROUND + tile + (slices * n - 1) * pace
    assert totals["tile0.adc", "convert"].count == totals["tile0.shift_add", "add"].count == 8 * slices * n
    assert totals["tile0.integrator", "integrate"].count == 8 * slices * n
    assert totals["tile0.accumulator", "add"].count == 8 * n
    assert totals["tile0.col_dac", "convert"].count == 8 * slices * n


def test_without_a_shift_and_add_the_accumulator_recombines(make_chip, weights) -> None:
    _, elapsed, totals, _ = forward(make_chip, weights, {"tile.row_dac": SERIAL, "tile.col_dac": SERIAL})
    assert elapsed == AROUND + DAC + INTEGRATION + SAMPLE + 4 * ADC + ADD + 2 * (SAMPLE + 4 * ADC)
    assert totals["tile0.accumulator", "add"].count == 8 * 3
    assert ("tile0.shift_add", "add") not in totals


def test_split_pulse_widths_take_two_short_passes(make_chip, weights) -> None:
    """2 passes of 2^(b/2) slots, each converted."""
    n = 3
    _, elapsed, totals, _ = forward(make_chip, weights, both(SPLIT), n)
    conversion = 4 * ADC
    tile = DAC + 4 * 1000 + SAMPLE + conversion + ADD
    assert elapsed == AROUND + tile + (2 * n - 1) * (SAMPLE + conversion)
    assert totals["tile0.adc", "convert"].count == 2 * 8 * n


def test_twos_complement_drives_a_line_for_each_bit_that_is_set() -> None:
    """Of 4 bits: 3 is 0011, -3 is 1101, -8/7 cannot occur, -7 is 1001, 0 nothing."""
    inputs = np.array([[3, -3, -7, 0, 7]]) / 7
    assert line_drive("bit_serial", 4, inputs, sign_slice=True).heat.tolist() == [2, 3, 2, 0, 3]
    assert line_drive("bit_serial", 4, inputs).heat.tolist() == [2, 2, 3, 0, 3]


def test_forward_and_backward_may_be_coded_differently(make_chip, weights) -> None:
    """Columns with pulse widths of 7 ns, rows level-coded: each direction is integrated in its own time."""
    chip = make_chip({"tile.col_dac": PWM, "tile.crossbar.integration_time": "7 ns"})
    tile = chip.place_analog("fc", weights, arrays=1, gains=(1.0,)).pieces[0].tile
    for transposed in (False, True):
        io = chip.spec.tile.forward
        _, work = tile.read(np.ones((1, 8), np.float32), io, transposed=transposed, input_scale=None, purpose="forward")
        assert tile.read_timing(work).latency == DAC + 7000 + SAMPLE + 4 * ADC + ADD


# Converters of outputs


@pytest.mark.parametrize(
    ("kind", "cycles"),
    # 510 steps are 9 bits: SAR b + 1, flash 1, ramp 2^b.
    [("sar", 10), ("flash", 1), ("ramp", 512)],
)
@pytest.mark.parametrize("shared", [1, 4])
def test_cycles_of_a_conversion(make_chip, weights, assert_ready_at, kind, cycles, shared) -> None:
    reads = {f"tile.{read}": EXACT for read in ("forward", "backward", "transfer")}
    chip = make_chip(reads | {"tile.adc.kind": kind, "tile.adc.lines_per_adc": shared})
    tile = chip.place_analog("fc", weights, arrays=1, gains=(1.0,)).pieces[0].tile
    io = chip.spec.tile.forward
    _, work = tile.read(np.ones((2, 8), np.float32), io, transposed=False, input_scale=None, purpose="forward")
    conversion = shared * cycles * 1000
    timing = tile.read_timing(work)
    assert timing.conversion == conversion
    # Flash converts as fast as the accumulator behind it adds.
    assert timing.latency == DAC + INTEGRATION + SAMPLE + conversion + ADD
    assert timing.interval == max(DAC + INTEGRATION, SAMPLE + conversion)
    assert timing.bottleneck == ("dac" if SAMPLE + conversion <= DAC + INTEGRATION else "sample_hold")
    origin = chip.origin(TransferRead(chip.matrices["fc"], 0, 0, "column"))
    part = tile.pass_through(origin, chip.stream(2), lambda: (None, work))
    assert assert_ready_at(chip, part, timing.latency).last == timing.latency + timing.interval


def test_what_an_accumulator_cannot_add_in_time_waits(make_chip, weights) -> None:
    """Four lines of one flash converter at 1 ns each, added at 3 ns each."""
    reads = {f"tile.{read}": EXACT for read in ("forward", "backward", "transfer")}
    slow = {"tile.adc.kind": "flash", "clocks": {"core": "1 GHz", "slow": "333333333.3 Hz"},
            "tile.accumulator.clock": "slow"}  # fmt: skip
    chip = make_chip(reads | slow)
    tile = chip.place_analog("fc", weights, arrays=1, gains=(1.0,)).pieces[0].tile
    io = chip.spec.tile.forward
    _, work = tile.read(np.ones((1, 8), np.float32), io, transposed=False, input_scale=None, purpose="forward")
    timing = tile.read_timing(work)
    assert timing.latency == DAC + INTEGRATION + SAMPLE + 1000 + 4 * 3000
    assert timing.stages["accumulator"] == 4 * 3000


@pytest.mark.parametrize(("integration", "counted"), [(40, 77), (100, 100)])
@pytest.mark.parametrize("n", [1, 4])
def test_oscillators_count_while_the_array_is_integrated(make_chip, weights, integration, counted, n) -> None:
    """2^8 levels of 300 ps are 76.8 ns, 77 cycles: the longer of both counts, and no sample is held."""
    changes = {"tile.adc": {"model": "adc-cco-hermes", "kind": "current_controlled_oscillator", "lines_per_adc": 1},
               "tile.sample_hold": None, "tile.crossbar.integration_time": f"{integration} ns"}  # fmt: skip
    _, elapsed, totals, _ = forward(make_chip, weights, changes, n)
    assert elapsed == AROUND + n * (DAC + counted * 1000) + ADD
    assert totals["tile0.adc", "convert"].count == 8 * n
    assert not any(component == "tile0.sample_hold" for component, _ in totals)
    assert totals["tile0.crossbar", "read"].busy_ps == n * integration * 1000


# References


def test_references_cost_energy_area_or_digital_work(make_chip, weights) -> None:
    reads, times, areas, adds = {}, {}, {}, {}
    for kind in ("cell", "line", "digital"):
        x, times[kind], totals, chip = forward(make_chip, weights, {"tile.crossbar.reference": kind})
        reads[kind] = totals["tile0.crossbar", "read"].energy_J
        areas[kind] = chip.tables["tile.crossbar"].count
        adds[kind] = totals["digital", "add"].count if ("digital", "add") in totals else 0
    cell = chip.device.cell
    map_ = Conductance.of(cell, chip.device.parameters.w_min, chip.device.parameters.w_max)
    drive = np.square(x.astype(float)).sum(0)
    for kind, per_line, lines in (("cell", 8, 2), ("line", 1, 1), ("digital", 0, 1)):
        on_line = (8 + per_line) * map_.offset + map_.scale * weights.sum(0)
        expected = cell.read_voltage**2 * (40e-9 * drive @ on_line + lines * 8 * 1.55e-16 * drive.sum())
        assert reads[kind] == pytest.approx(expected, rel=1e-5, abs=0)
    arrays = 8 * 2
    assert areas == {"cell": arrays * 128, "line": arrays * 80, "digital": arrays * 64}
    # Seven additions and a product before, eight subtractions after, on four lanes.
    assert adds == {"cell": 0, "line": 0, "digital": 15}
    assert times["cell"] == times["line"] == times["digital"] - (2000 + 1000 + 2000)


def test_a_single_ended_transfer_read_is_corrected(make_chip, weights) -> None:
    chip = make_chip({"tile.crossbar.reference": "digital"})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    run(chip, TransferRead(matrix, 0, 3, "column"))
    tile = DAC + INTEGRATION + SAMPLE + 4 * ADC + ADD
    assert chip.env.now == ISSUE + tile + BUS + 2000 + BUFFER


def test_pairs_of_devices_need_no_reference(make_chip) -> None:
    pair = load_device("pcm-pair")
    counts = [make_chip({"tile.crossbar.reference": kind}, device=pair).tables["tile.crossbar"].count
              for kind in ("cell", "line", "digital")]  # fmt: skip
    assert counts == [8 * 2 * 64 * 2] * 3


# Pulse generators


@pytest.mark.parametrize(("kind", "slot"), [("lfsr", 1000), ("shared_lfsr", 1000), ("serial_lfsr", 8000)])
def test_a_shared_register_draws_for_all_lines_at_once_or_in_turn(make_chip, weights, kind, slot) -> None:
    chip = make_chip({"tile.row_pulser.kind": kind})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    params = UpdateParameters(desired_bl=10, update_management=False, update_bl_management=False)
    x = d = np.full((3, 8), 0.5, np.float32)
    run(chip, Update(matrix, 0, x, d, 0.01, params))
    assert chip.tiles[0].slot == slot
    assert chip.env.now == ISSUE + BUFFER + 4000 + BUS + 3 * 10 * 2 * slot


@pytest.mark.parametrize("phases", [1, 2])
def test_trains_take_their_slots_in_one_or_two_phases(make_chip, weights, assert_ready_at, phases) -> None:
    chip = make_chip({"tile.row_pulser.polarity_phases": phases, "tile.col_pulser.polarity_phases": phases})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    params = UpdateParameters(desired_bl=10, update_management=False, update_bl_management=False)
    update = Update(matrix, 0, *(np.full((1, 8), 0.5, np.float32),) * 2, 0.01, params)
    assert_ready_at(chip, update.time(chip, chip.origin(update)), BUFFER + 4000 + BUS + 10 * phases * 1000)


def test_a_deterministic_generator_has_no_random_words() -> None:
    from hwsim.run import resolve

    settings = {"tile.col_pulser.kind": "deterministic"}
    with pytest.raises(SpecError, match=r"pulse_type stochastic_compressed needs random words, but tile\.col_pulser"):
        resolve("digits-mlp", algorithm="analog-sgd", set=settings)
    resolve("digits-mlp", algorithm="analog-sgd", set=settings | {"algorithm.update.pulse_type": "mean_count"})


def test_instances_follow_from_the_description(make_chip) -> None:
    plain, doubled = (
        CostTables.for_chip(make_chip({"tile.sample_hold.double_buffered": double}).spec) for double in (False, True)
    )
    assert doubled["tile.sample_hold"].count == 2 * plain["tile.sample_hold"].count == 2 * 8 * 8
