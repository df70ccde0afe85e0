"""Latency and throughput of operations against closed forms written out by hand (ps at 1 GHz)."""

import numpy as np
import pytest

from hwsim.chip.operations import Backward, Digital, Forward, Move, TransferRead, TransferWrite, Update
from hwsim.devices import TrainPlan, UpdateParameters

ISSUE = 1000
BUFFER = 2000  # an access of 32 bytes; 1.28 ns rounded up to a cycle
BUS = 1000
DAC, INTEGRATION, SAMPLE, ADC, ADD = 1000, 40_000, 1000, 10_000, 1000
CONVERSION = 4 * ADC  # eight lines on two converters
PASS = DAC + INTEGRATION + SAMPLE + CONVERSION + ADD


def run(chip, *operations):
    def program():
        results = []
        for operation in operations:
            results.append((yield operation))
        return results

    return chip.run(program())


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize(("double_buffered", "pace"), [(False, SAMPLE + CONVERSION), (True, INTEGRATION + SAMPLE)])
def test_forward_of_a_stream(make_chip, weights, n, double_buffered, pace) -> None:
    chip = make_chip({"tile.sample_hold.double_buffered": double_buffered})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    x = np.ones((n, 8), np.float32)
    (y,) = run(chip, Forward(matrix, x))
    # 8 words of 16 bit and 8 of 16 bit fit one access of the buffer and one word of the bus each.
    assert chip.env.now == ISSUE + BUFFER + BUS + PASS + BUS + BUFFER + (n - 1) * pace
    np.testing.assert_allclose(y, x @ weights.T, rtol=1e-5)


def test_the_first_result_is_not_there_one_cycle_earlier(make_chip, weights) -> None:
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    tile = matrix.pieces[0].tile
    _, work = tile.read(
        np.ones((1, 8), np.float32), matrix.forward_io, transposed=False, input_scale=None, purpose="forward"
    )
    origin = chip.origin(Forward(matrix, np.ones((1, 8), np.float32)))
    seen = []

    def reader():
        yield from tile.pass_through(origin, chip.stream(1), lambda: (None, work))
        seen.append(chip.env.now)

    chip.env.process(reader())
    chip.env.run(until=PASS - 1)
    assert seen == []
    assert tile.station.queue_length == 0
    chip.env.run(until=PASS + 1)
    assert seen == [PASS]


def test_the_slowest_stage_sets_the_pace(make_chip, weights) -> None:
    """Halving the converters doubles what a further vector takes once they are the bottleneck."""
    paces = []
    for lines_per_adc in (4, 8):
        chip = make_chip({"tile.adc.lines_per_adc": lines_per_adc})
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        times = []
        for n in (10, 20):
            before = chip.env.now
            run(chip, Forward(matrix, np.ones((n, 8), np.float32)))
            times.append(chip.env.now - before)
        paces.append((times[1] - times[0]) / 10)
    assert paces == [SAMPLE + CONVERSION, SAMPLE + 2 * CONVERSION]


def test_noise_management_costs_digital_work(make_chip, weights) -> None:
    plain, managed = make_chip(), make_chip({"tile.forward.noise_management": "abs_max"})
    for chip in (plain, managed):
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        run(chip, Forward(matrix, np.ones((1, 8), np.float32)))
    # Four lanes: 8 comparisons, 1 division, 8 products before; 8 products after.
    assert managed.env.now - plain.env.now == 2000 + 1000 + 2000 + 2000


def test_partial_sums_of_a_split_matrix_cost_time_and_energy(make_chip) -> None:
    weights = np.full((8, 24), 0.1, np.float32)
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    assert len(chip.tiles) == 3
    (y,) = run(chip, Forward(matrix, np.ones((1, 24), np.float32)))
    # The bus carries three slices in turn, then each tile's result as it comes; 16 additions on four lanes. 24 words of
    # 16 bit are two accesses of the buffer.
    assert chip.env.now == ISSUE + 2 * BUFFER + 3 * BUS + PASS + BUS + 4000 + BUFFER
    np.testing.assert_allclose(y, np.full((1, 8), 2.4), rtol=1e-5)
    chip.finish()
    adds = [total for total in chip.ledger.totals() if total.component == "digital" and total.action == "add"]
    assert sum(total.count for total in adds) == 16
    assert sum(total.energy_J for total in adds) == pytest.approx(16 * 0.265e-12, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("managed", "prepare"),
    # 16 lines on four lanes: 16 comparisons, 20 products and 2 divisions one after the other, or 16 products.
    [(True, 4000 + 5000 + 1000), (False, 4000)],
)
def test_update_takes_its_slots_in_both_polarities(make_chip, weights, managed, prepare) -> None:
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    params = UpdateParameters(desired_bl=10, update_management=managed, update_bl_management=False)
    x = d = np.full((3, 8), 0.5, np.float32)
    run(chip, Update(matrix, 0, x, d, 0.01, params))
    slot = chip.tiles[0].slot
    assert slot == 1000  # the generic cell's pulse fits a cycle
    assert chip.env.now == ISSUE + BUFFER + prepare + BUS + 3 * 10 * 2 * slot


@pytest.mark.parametrize(("scheme", "passes"), [("mean_count", 1), ("stochastic", 2), ("none_with_device", 0)])
def test_update_takes_the_passes_of_its_pulse_scheme(make_chip, weights, scheme, passes) -> None:
    """Time, draws and array energy follow the slots; a float update takes digital work and movement alone."""
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    params = UpdateParameters(desired_bl=10, pulse_type=scheme, update_management=False, update_bl_management=False)
    x = d = np.full((3, 8), 0.5, np.float32)
    run(chip, Update(matrix, 0, x, d, 0.01, params))
    slots = 3 * 10 * passes * 2
    # Without pulses the update ends when the last of the three vectors is there.
    last = 0 if passes else 2 * 4_000
    assert chip.env.now == ISSUE + BUFFER + 4_000 + BUS + slots * chip.tiles[0].slot + last
    chip.finish()
    totals = {(total.component, total.action): total for total in chip.ledger.totals()}
    assert totals["tile0.row_pulser", "draw"].count == 8 * slots
    if passes == 0:
        assert totals["tile0.crossbar", "write"].energy_J == 0
        assert totals["tile0.crossbar", "write"].count == 0


def test_logged_pulses_of_two_passes_lie_within_their_sample(make_chip, weights) -> None:
    """Each sample takes two passes of ten slots in either polarity; the second pass follows the first."""
    tile = make_chip().place_analog("fc", weights, arrays=1, gains=(1.0,)).pieces[0].tile
    region = tile.timed((slice(None), slice(None)), 500, np.array([20, 20]))
    assert region is not None
    assert region.starts.tolist() == [500, 500 + 40_000]
    x = d = np.array([[-1.0] * 4 + [1.0] * 4] * 2, np.float32)
    # x and d of 1 fire in every slot: columns of positive x in the first pass, the others in the second.
    params = UpdateParameters(desired_bl=10, pulse_type="stochastic")
    plan = TrainPlan(np.full(2, 10, np.int32), np.ones(2), np.ones(2), np.array([0.01]), params, negative=False)
    log = tile.apply(0, x, d, plan, region).log
    assert log is not None
    assert log.t_ps is not None
    ups = [log.t_ps[(log.polarity > 0) & (log.sample == sample)] for sample in (0, 1)]
    downs = [log.t_ps[(log.polarity < 0) & (log.sample == sample)] for sample in (0, 1)]
    assert [(t.min(), t.max()) for t in ups] == [(500, 19_500), (40_500, 59_500)]
    assert [(t.min(), t.max()) for t in downs] == [(20_500, 39_500), (60_500, 79_500)]


def test_transfer_reads_one_line_and_writes_it_back(make_chip, weights) -> None:
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=2, gains=(0.0, 1.0))
    values, _ = run(chip, TransferRead(matrix, 1, 3, "column"), TransferRead(matrix, 1, 2, "row"))
    np.testing.assert_allclose(values, matrix.weights(1)[:, 3], rtol=1e-5)
    assert chip.env.now == 2 * (ISSUE + PASS + BUS + BUFFER)
    before = matrix.weights(0)
    run(chip, TransferWrite(matrix, 0, 3, "column", -np.ones(8, np.float32), 0.05, UpdateParameters()))
    changed = matrix.weights(0) - before
    np.testing.assert_allclose(changed[:, 3], 0.05, atol=1e-6)
    assert not np.any(np.delete(changed, 3, axis=1))


def test_a_transfer_of_zeros_writes_nothing(make_chip, weights) -> None:
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=2, gains=(0.0, 1.0))
    run(chip, TransferWrite(matrix, 0, 3, "column", np.zeros(8, np.float32), 0.05, UpdateParameters()))
    assert chip.env.now == ISSUE
    assert "transfer_write" not in chip.counts


def test_backward_reads_the_transpose(make_chip, weights) -> None:
    chip = make_chip()
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    d = np.random.default_rng(1).uniform(-1, 1, (4, 8)).astype(np.float32)
    (dx,) = run(chip, Backward(matrix, d))
    np.testing.assert_allclose(dx, d @ weights, rtol=1e-4, atol=1e-6)


def test_bound_management_retries_cost_passes(make_chip) -> None:
    managed = {"inp_res": 1 / 126, "out_res": 1 / 510, "out_noise": 0.0, "out_bound": 1.0, "noise_management": "none",
               "bound_management": "iterative"}  # fmt: skip
    chip = make_chip({"tile.forward": managed})
    matrix = chip.place_analog("fc", np.full((8, 8), 0.4, np.float32), arrays=1, gains=(1.0,))
    run(chip, Forward(matrix, np.ones((1, 8), np.float32)))
    # Outputs of 3.2 against a bound of 1: halved twice.
    assert chip.counts["bound_management_retries"] == 2
    assert chip.counts["adc_conversions"] == 24
    assert chip.env.now == ISSUE + BUFFER + BUS + PASS + 2 * (SAMPLE + CONVERSION) + BUS + BUFFER


@pytest.mark.parametrize("n", [1, 3])
def test_two_passes_before_one_conversion_collect_twice(make_chip, weights, n) -> None:
    """A pass for either sign of the inputs: DAC and integration twice, sampling and conversion once."""
    chip = make_chip({"tile.forward.mv_type": "pos_neg_separate"})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    x = np.random.default_rng(0).uniform(-1, 1, (n, 8)).astype(np.float32)
    (y,) = run(chip, Forward(matrix, x))
    np.testing.assert_allclose(y, x @ weights.T, rtol=1e-4, atol=1e-6)
    pace = 2 * (DAC + INTEGRATION)
    assert chip.env.now == ISSUE + BUFFER + BUS + DAC + INTEGRATION + PASS + BUS + BUFFER + (n - 1) * pace
    assert chip.counts["adc_conversions"] == 8 * n
    assert chip.counts["bound_management_retries"] == 0
    chip.finish()
    counts = {(total.component, total.action): total.count for total in chip.ledger.totals()}
    assert counts["tile0.crossbar", "read"] == 2 * n
    assert counts["tile0.col_dac", "convert"] == counts["tile0.integrator", "integrate"] == 16 * n
    assert counts["tile0.adc", "convert"] == counts["tile0.sample_hold", "sample"] == 8 * n


@pytest.mark.parametrize("n", [1, 3])
def test_two_passes_with_a_conversion_each_are_two_reads(make_chip, weights, n) -> None:
    chip = make_chip({"tile.forward.mv_type": "pos_neg_separate_digital_sum"})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    x = np.random.default_rng(0).uniform(-1, 1, (n, 8)).astype(np.float32)
    run(chip, Forward(matrix, x))
    pace = SAMPLE + CONVERSION
    assert chip.env.now == ISSUE + BUFFER + BUS + PASS + BUS + BUFFER + (2 * n - 1) * pace
    assert chip.counts["adc_conversions"] == 16 * n
    chip.finish()
    counts = {(total.component, total.action): total.count for total in chip.ledger.totals()}
    assert counts["tile0.crossbar", "read"] == 2 * n
    assert counts["tile0.adc", "convert"] == counts["tile0.accumulator", "add"] == 16 * n


def test_both_passes_together_heat_the_array_as_one(make_chip, weights) -> None:
    """Each line is driven in one of the two passes: the energy of the array is that of one pass."""
    energies = []
    for mode in ("one_pass", "pos_neg_separate", "pos_neg_separate_digital_sum"):
        chip = make_chip({"tile.forward.mv_type": mode})
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        run(chip, Forward(matrix, np.linspace(-1, 1, 8, dtype=np.float32)[None]))
        chip.finish()
        totals = {(total.component, total.action): total for total in chip.ledger.totals()}
        energies.append(totals["tile0.crossbar", "read"].energy_J)
    assert energies[1:] == pytest.approx(energies[:1] * 2)


def test_the_running_mean_of_the_inputs_is_shared_by_the_tiles_of_a_matrix(make_chip) -> None:
    chip = make_chip({"tile.forward.noise_management": "average_abs_max", "tile.forward.inp_bound": 1.0})
    matrix = chip.place_analog("fc", np.full((8, 24), 0.1, np.float32), arrays=1, gains=(1.0,))
    x = np.zeros((1, 24), np.float32)
    x[0, 20] = 2.0
    first, _ = run(chip, Forward(matrix, x), Forward(matrix, 3 * x))
    np.testing.assert_allclose(first, 0.2, rtol=1e-5)
    # The second vector is cut at the mean, 2 + 1e-3 (6 - 2).
    (third,) = run(chip, Forward(matrix, 3 * x))
    np.testing.assert_allclose(third, 0.1 * (2.004 + 1e-3 * (6 - 2.004)), rtol=1e-5)


def test_move_and_digital_work(make_chip) -> None:
    chip = make_chip()
    result = run(
        chip, Move(4, 16), Digital("work", "", 2, {"add": 8, "nonlinear": 4}, lambda: 42, words_in=16, words_out=16)
    )
    load = ISSUE + BUS + BUFFER + 3 * BUFFER
    work = ISSUE + BUFFER + 3000 + BUFFER + 3000
    assert chip.env.now == load + work
    assert result == [None, 42]
