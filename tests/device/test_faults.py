"""Faults of an array against plain NumPy, and against the same array without them."""

from typing import Any

import numpy as np
import pytest

from hwsim.devices import DeviceArray, IOParameters, UpdateParameters, load_device, make_cells
from hwsim.devices.faults import ArrayFaults, LineFaults, ReadFaults, StuckDevices

ROWS, COLS = 12, 40
LAWS = (
    "constant_step", "linear_step", "soft_bounds", "soft_bounds_reference", "exp_step", "pow_step", "piecewise_step",
    "pow_step_reference", "soft_bounds_pmax", "asymmetric_linear", "power_response", "exponential_response",
    "measured_curves",
)  # fmt: skip
CLEAN = IOParameters(
    inp_res=-1, out_res=-1, inp_noise=0, out_noise=0, w_noise=0, noise_management="none", bound_management="none",
    inp_bound=1, out_bound=10,
)  # fmt: skip


def vectors(seed: int = 0, n: int = 30) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n, COLS)).astype(np.float32), rng.uniform(-1, 1, (n, ROWS)).astype(np.float32)


def mask(places: list, n: int) -> np.ndarray:
    found = np.zeros(n, bool)
    found[places] = True
    return found


def line_faults(n: int, *, open_lines=(), touches=(), missed: dict | None = None) -> LineFaults:
    probability = np.zeros(n)
    for line, value in (missed or {}).items():
        probability[line] = value
    return LineFaults.of(mask(list(open_lines), n), mask(list(touches), n), probability)


def matrix(n: int, open_lines=(), groups=()) -> np.ndarray:
    """Return what open and touching lines do to a vector: S with x' = S x."""
    found = np.eye(n)
    for group in groups:
        found[np.ix_(group, group)] = 1 / len(group)
    found[list(open_lines)] = 0
    return found


@pytest.mark.parametrize("law", LAWS)
def test_stuck_devices_stay_and_others_do_not_notice(law: str) -> None:
    device = load_device(law)
    rng = np.random.default_rng(3)
    chosen = rng.random((ROWS, COLS)) < 0.2
    kinds = rng.choice([0.05, np.inf, -np.inf], size=(ROWS, COLS))
    faulty = DeviceArray(device, (ROWS, COLS), seed=5, faults=ArrayFaults((StuckDevices(chosen, kinds),)))
    healthy = DeviceArray(device, (ROWS, COLS), seed=5)
    start = faulty.weights
    high = DeviceArray(device, (ROWS, COLS), seed=5)
    high.set_weights(1e3)
    low = DeviceArray(device, (ROWS, COLS), seed=5)
    low.set_weights(-1e3)
    bound = np.where(kinds > 0, high.weights, low.weights)
    number = np.clip(0.05, low.weights, high.weights) if law == "measured_curves" else np.float32(0.05)
    assert np.array_equal(start[chosen], np.where(np.isinf(kinds), bound, number)[chosen].astype(np.float32))
    x, d = vectors()
    for array in (faulty, healthy):
        array.set_weights(0.02)
        array.update(x, d, 0.05)
        array.pulse(+1)
        array.reset([0, 1], slice(None), 0.5)
        array.update(x, d, 0.05, UpdateParameters(pulse_type="none_with_device"))
    assert np.array_equal(faulty.weights[chosen], start[chosen])
    assert np.array_equal(faulty.weights[~chosen], healthy.weights[~chosen])
    assert not np.array_equal(healthy.weights, np.full_like(start, 0.02))


def test_stuck_devices_do_not_age() -> None:
    device = load_device("soft_bounds", lifetime="1 s", diffusion=0.1, drift={"nu": 0.1})
    chosen = np.zeros((ROWS, COLS), bool)
    chosen[:, ::3] = True
    array = DeviceArray(device, (ROWS, COLS), faults=ArrayFaults((StuckDevices(chosen, np.full(chosen.shape, 0.3)),)))
    array.set_weights(0.2)
    array.elapse(5.0)
    assert (array.weights[chosen] == np.float32(0.3)).all()
    assert not (array.weights[~chosen] == np.float32(0.2)).any()


def test_planes_of_a_cell_have_their_own_stuck_devices() -> None:
    everywhere, zero = np.ones((ROWS, COLS), bool), np.zeros((ROWS, COLS))
    faults = ArrayFaults((None, StuckDevices(everywhere, zero)))
    pair = make_cells(load_device("pcm-pair"), (ROWS, COLS), faults=faults)
    pair.set_weights(-0.3)
    assert not pair.devices[1].weights.any()
    pair.update(*vectors(), 0.1)
    assert pair.devices[0].weights.any()
    assert not pair.devices[1].weights.any()


@pytest.mark.parametrize("perfect", [True, False])
def test_open_and_touching_lines_in_reads(perfect: bool) -> None:
    io = IOParameters(is_perfect=True) if perfect else CLEAN
    faults = ArrayFaults(
        rows=line_faults(ROWS, open_lines=[3], touches=[6, 7]),
        cols=line_faults(COLS, open_lines=[0, 9], touches=[9, 20]),
    )
    of_rows = matrix(ROWS, [3], [[6, 7, 8]])
    of_cols = matrix(COLS, [0, 9], [[20, 21]])  # column 9 is open, so it touches nothing
    array = DeviceArray(
        load_device("constant_step", w_max=1, w_min=-1, w_max_dtod=0, w_min_dtod=0), (ROWS, COLS), faults=faults
    )
    weights = np.random.default_rng(1).uniform(-0.9, 0.9, (ROWS, COLS)).astype(np.float32)
    array.set_weights(weights)
    seen = of_rows @ weights @ of_cols
    x, d = vectors()
    np.testing.assert_allclose(array.forward(x, io), x @ seen.T, atol=3e-5)
    np.testing.assert_allclose(array.backward(d, io), d @ seen, atol=3e-5)
    np.testing.assert_allclose(array.weights, seen, atol=1e-6)
    for column in (0, 5, 20):
        np.testing.assert_allclose(array.read_line(column, io=io).y[0], seen[:, column], atol=1e-5)
    for row in (3, 7):
        np.testing.assert_allclose(array.read_line(row, "row", io=io).y[0], seen[row], atol=1e-5)


def test_updates_reach_devices_through_their_lines() -> None:
    exact: dict[str, Any] = {
        "dw_min_std": 0, "dw_min_dtod": 0, "up_down_dtod": 0, "w_max": 9, "w_min": -9, "w_max_dtod": 0, "w_min_dtod": 0,
        "dw_min": 0.001,
    }  # fmt: skip
    faults = ArrayFaults(
        rows=line_faults(ROWS, open_lines=[3], touches=[6], missed={10: 0.25}),
        cols=line_faults(COLS, open_lines=[9], touches=[20, 21], missed={1: 1.0, 2: 0.5}),
    )
    of_rows = matrix(ROWS, [3], [[6, 7]]) @ np.diag([0.75 if row == 10 else 1.0 for row in range(ROWS)])
    of_cols = matrix(COLS, [9], [[20, 21, 22]]) @ np.diag(
        [0.0 if col == 1 else 0.5 if col == 2 else 1.0 for col in range(COLS)]
    )
    x, d = vectors(n=400)
    expected = -0.002 * (d @ of_rows.T).T @ (x @ of_cols.T)
    plain = DeviceArray(load_device("constant_step", **exact), (ROWS, COLS), faults=faults)
    plain.update(x, d, 0.002, UpdateParameters(pulse_type="none_with_device"))
    # Without pulses the array's own weights follow; a read sees them through the lines once more.
    np.testing.assert_allclose(
        plain.weights, matrix(ROWS, [3], [[6, 7]]) @ expected @ matrix(COLS, [9], [[20, 21, 22]]), atol=2e-5
    )
    pulsed = DeviceArray(load_device("constant_step", **exact), (ROWS, COLS), faults=faults)
    result = pulsed.update(x, d, 0.002, UpdateParameters(update_management=False, update_bl_management=False))
    own = np.asarray(pulsed.state()["weight"])
    # Every pulse has a chance of its own, so the variance is below the expected number of pulses of either sign.
    chance = 0.002 * np.abs(d @ of_rows.T).T @ np.abs(x @ of_cols.T) * 0.001
    assert (np.abs(own - expected) <= 5.5 * np.sqrt(chance) + 1e-7).all()
    assert not own[3].any()
    assert not own[:, [1, 9]].any()
    assert not result.row_fires[:, 3].any()
    assert not result.col_fires[:, [1, 9]].any()


def test_a_generator_that_misses_pulses_thins_trains_at_full_rate() -> None:
    faults = ArrayFaults(rows=line_faults(ROWS, missed={0: 0.3}))
    array = DeviceArray(load_device("constant_step"), (ROWS, COLS), faults=faults)
    n, bl = 400, 31
    params = UpdateParameters(desired_bl=bl, fixed_bl=True, update_management=False, update_bl_management=False)
    result = array.update(np.ones((n, COLS)), np.full((n, ROWS), 1e6), 1.0, params)
    assert (result.row_fires[:, 1:] == bl).all()
    share = result.row_fires[:, 0].mean() / bl
    assert abs(share - 0.7) < 5 * np.sqrt(0.3 * 0.7 / (n * bl))


def test_pulses_and_resets_stop_at_faulty_lines() -> None:
    faults = ArrayFaults(rows=line_faults(ROWS, open_lines=[3]), cols=line_faults(COLS, missed={4: 1.0, 5: 0.5}))
    array = DeviceArray(
        load_device("constant_step", dw_min_std=0, dw_min_dtod=0, up_down_dtod=0, dw_min=0.001, w_max=9),
        (ROWS, COLS),
        faults=faults,
    )
    for _ in range(200):
        array.pulse(+1)
    pulses = np.rint(np.asarray(array.state()["weight"]) / 0.001)
    assert not pulses[3].any()
    assert not pulses[:, 4].any()
    others = np.delete(np.delete(pulses, 3, axis=0), [4, 5], axis=1)
    assert (others > 150).all()
    assert len(set(pulses[[0, 1, 2, 4], 5])) == 1, "a column that misses a pulse misses it on every row"
    assert abs(pulses[0, 5] - 100) < 5 * np.sqrt(50)
    chosen = array.reset()
    assert not chosen[3].any()
    assert not chosen[:, 4].any()
    assert chosen[0, :4].all()


@pytest.mark.parametrize("passes", ["one_pass", "pos_neg_separate", "pos_neg_separate_digital_sum"])
def test_converter_errors_and_dead_converters(passes: str) -> None:
    rng = np.random.default_rng(7)
    io = CLEAN.model_copy(update={"mv_type": passes, "inp_bound": 2.0})

    def errors(inputs: int, outputs: int, dead_in: list, dead: list) -> ReadFaults:
        gain, offset = 1 + 0.1 * rng.normal(size=inputs), 0.01 * rng.normal(size=inputs)
        gain[dead_in] = offset[dead_in] = 0
        return ReadFaults(
            gain.astype(np.float32), offset.astype(np.float32), (1 + 0.1 * rng.normal(size=outputs)).astype(np.float32),
            (0.02 * rng.normal(size=outputs)).astype(np.float32), mask(dead, outputs),
        )  # fmt: skip

    forward, backward = errors(COLS, ROWS, [4], [2, 5]), errors(ROWS, COLS, [1], [30])
    array = DeviceArray(
        load_device("constant_step"), (ROWS, COLS), faults=ArrayFaults(forward=forward, backward=backward)
    )
    array.set_weights(rng.uniform(-0.3, 0.3, (ROWS, COLS)).astype(np.float32))
    weights = array.weights
    x, d = vectors()

    def product(w: np.ndarray, inputs: np.ndarray, faults: ReadFaults, lines: Any = slice(None)) -> np.ndarray:
        halves = [inputs] if passes == "one_pass" else [np.maximum(inputs, 0), np.minimum(inputs, 0)]
        currents = [(half * faults.input_gain[lines] + 2.0 * faults.input_offset[lines]) @ w for half in halves]
        if passes == "pos_neg_separate":  # both halves are collected before one conversion
            currents = [currents[0] + currents[1]]
        sensed = [one * faults.output_gain + 10.0 * faults.output_offset for one in currents]
        return np.where(faults.dead, 0, sum(sensed))

    np.testing.assert_allclose(array.forward(x, io), product(weights.T, x, forward), atol=2e-5)
    np.testing.assert_allclose(array.backward(d, io), product(weights, d, backward), atol=2e-5)
    line = array.read_line(6, io=io).y
    np.testing.assert_allclose(line, product(weights.T[6:7], np.ones((1, 1)), forward, slice(6, 7)), atol=1e-5)
    assert not array.read_line(4, io=IOParameters(out_noise=0, noise_management="none")).y[:, [2, 5]].any()


def test_a_dead_converter_gives_zero_with_noise_and_never_saturates() -> None:
    none = np.zeros(COLS, np.float32), np.zeros(ROWS, np.float32)
    dead = ReadFaults(none[0] + 1, none[0], none[1] + 1, none[1], mask([2], ROWS))
    array = DeviceArray(load_device("constant_step"), (ROWS, COLS), faults=ArrayFaults(forward=dead))
    array.set_weights(0.0)
    state = array.state()
    state["weight"][2] = 5.0
    array.restore(state)
    io = IOParameters(out_bound=1.0, out_noise=0.1, bound_management="iterative", noise_management="none")
    result = array.read(np.ones((4, COLS)), io)
    assert not result.y[:, 2].any()
    assert result.y[:, 3].all()
    assert not result.retries.any()
